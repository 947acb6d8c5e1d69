import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { DECODER } from '../../common/inference/decode.ts';
import { buildResize } from '../../common/inference/graphs.ts';
import { cutOnnx, featuresOf } from '../../common/inference/onnx-cut.ts';
import { OnnxGraph } from '../../common/inference/onnx-graph.ts';
import { DEFAULT_SCALING, inspectPictureInput, scalingOf } from '../../common/inference/picture-input.ts';
import { TensorRunner } from '../../common/inference/tensor-runner.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { sha256 } from '../../common/storage/digest.ts';
import { digestsOf, writeBackbone } from './folder.ts';
import type { ImportOptions } from './import-options.ts';

/** Makes a backbone of any ONNX network with one picture input; gives its folder. */
export async function importOnnx(file: string, options: ImportOptions): Promise<string> {
  const onnx = await readFile(file);
  const graph = new OnnxGraph(onnx);
  const output = options.output ?? featuresOf(graph);
  const { name: inputName, ...shape } = await inspectPictureInput(onnx);
  const trunk = cutOnnx(graph, output);
  const input = { ...shape, ...(options.scaling ?? scalingOf(onnx) ?? DEFAULT_SCALING) };
  const names = { input: inputName, output };
  const featureDims = await featureDimsOf(trunk, names, input);
  const resize = buildResize(input);
  return writeBackbone(
    options.root,
    {
      format: 1,
      name: options.name ?? basename(file, extname(file)),
      createdAt: (options.now ?? new Date()).toISOString(),
      source: basename(file),
      identity: {
        kind: 'onnx',
        weights: await digestsOf(file),
        cut: output,
        batchNorm: 'as-in-file',
        precision: 'fp32',
        decoder: DECODER,
        input,
        trunk: names,
        featureDims,
        files: { 'resize.onnx': sha256(resize), 'trunk.onnx': sha256(trunk) },
      },
      top: [],
      warnings: [],
    },
    new Map([
      ['resize.onnx', resize],
      ['trunk.onnx', trunk],
    ]),
  );
}

/** By a run on zeros, as shapes in files are often left free: [C] or [C, H, W]. */
async function featureDimsOf(
  trunk: Buffer,
  names: { input: string; output: string },
  { width, height, layout }: { width: number; height: number; layout: 'nchw' | 'nhwc' },
): Promise<number[]> {
  const inputDims = layout === 'nchw' ? [3, height, width] : [height, width, 3];
  const runner = await TensorRunner.load(trunk, { threads: 1, ...names, inputDims });
  try {
    const dims = await runner.outputDims();
    const isPooled = dims.slice(1).every((size) => size === 1);
    if (isPooled && dims[0] !== undefined) return [dims[0]];
    if (dims.length === 3) return dims;
    throw new AppError(
      'ONNX_FEATURES_UNCLEAR',
      `The tensor "${names.output}" is [${dims.join(', ')}] for one picture; features must be [channels] or [channels, ` +
        'height, width]. Name another tensor with --output.',
    );
  } finally {
    await runner.close();
  }
}
