import { basename } from 'node:path';
import { DECODER } from '../../common/inference/decode.ts';
import { buildResize } from '../../common/inference/graphs.ts';
import { sha256 } from '../../common/storage/digest.ts';
import { digestsOf, packArrays, writeBackbone } from './folder.ts';
import type { ImportOptions } from './import-options.ts';
import { INCEPTION_INPUT, INCEPTION_SCALING, inceptionStages, inceptionTop, inceptionTrunk } from './inception-v3.ts';
import { buildInference } from './inference-graph.ts';
import { readKerasWeights } from './keras-weights.ts';
import { KERAS_MD5 } from './known-weights.ts';
import { warnOfRepeatedRows } from './kernel-check.ts';
import type { BackboneManifest } from './manifest.ts';
import { pick, shapesOf } from './parameters.ts';

const input = (): BackboneManifest['identity']['input'] => ({
  width: INCEPTION_INPUT[2],
  height: INCEPTION_INPUT[1],
  layout: 'nchw',
  ...INCEPTION_SCALING,
});

/** Makes a backbone of Keras' .h5; gives its folder. */
export async function importInception(file: string, options: ImportOptions): Promise<string> {
  const cut = options.cut ?? 'mixed8';
  const [trunk, top] = [inceptionTrunk(cut), inceptionTop(cut)];
  const stages = inceptionStages();
  const all = shapesOf(
    stages.flatMap(({ layers }) => layers),
    INCEPTION_INPUT,
  );
  const { parameters } = await readKerasWeights(file, all.parameters);
  const weights = await digestsOf(file);
  const below = shapesOf(trunk, INCEPTION_INPUT);
  const above = shapesOf(
    top.flatMap(({ layers }) => layers),
    below.output,
  );
  const trained = pick(parameters, above.parameters);
  const files = new Map<string, Buffer>([
    ['resize.onnx', buildResize(input())],
    [
      'trunk.onnx',
      buildInference({
        name: `inception-v3-${cut}`,
        input: INCEPTION_INPUT,
        layers: trunk,
        parameters: pick(parameters, below.parameters),
      }),
    ],
    ...(trained.size > 0 ? [['top.f32', packArrays(trained.values())] as const] : []),
  ]);
  const digest = (name: string): string => sha256(files.get(name) as Buffer);
  return writeBackbone(
    options.root,
    {
      format: 1,
      name: options.name ?? 'inception-v3',
      createdAt: (options.now ?? new Date()).toISOString(),
      source: basename(file),
      identity: {
        kind: 'inception-v3',
        weights,
        cut,
        batchNorm: 'frozen',
        precision: 'fp32',
        decoder: DECODER,
        input: input(),
        trunk: { input: 'input', output: 'features' },
        featureDims: [...below.output],
        files: {
          'resize.onnx': digest('resize.onnx'),
          'trunk.onnx': digest('trunk.onnx'),
          ...(trained.size > 0 && { 'top.f32': digest('top.f32') }),
        },
      },
      top: [...trained].map(([name, { dims }]) => ({ name, dims: [...dims] })),
      warnings: [...warnOfChecksum(weights.md5), ...warnOfRepeatedRows(stages, INCEPTION_INPUT, parameters)],
    },
    files,
  );
}

function warnOfChecksum(md5: string): string[] {
  if (Object.values<string>(KERAS_MD5).includes(md5)) return [];
  return [`the weights are not Keras' own file: MD5 ${md5}, Keras' is ${KERAS_MD5.notop}`];
}
