import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildResize } from '../../../common/inference/graphs.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import type { Backbone } from '../../../trainer/backbone/backbone.ts';
import { buildInference } from '../../../trainer/backbone/inference-graph.ts';
import type { Stage } from '../../../trainer/backbone/inception-v3.ts';
import { shapesOf } from '../../../trainer/backbone/parameters.ts';
import { initialParameters } from '../../../trainer/engine/initialise.ts';
import type { Layer, Network, Parameters } from '../../../trainer/engine/network.ts';

const conv = (name: string, filters: number, stride: number, padding: 'same' | 'valid'): Layer[] => [
  { kind: 'conv', name, filters, kernel: [3, 3], stride, padding, bias: false },
  { kind: 'frozen-norm', name: `${name}_norm`, epsilon: 1e-3 },
  { kind: 'relu' },
];

const TRUNK: Layer[] = [...conv('trunk_1', 6, 2, 'valid'), ...conv('trunk_2', 8, 1, 'same')];
/** Two blocks behind the cut, as mixed9 and mixed10 stand behind mixed8. */
const STAGES: Stage[] = [
  {
    name: 'block1',
    layers: [{ kind: 'concat', branches: [conv('block1_a', 4, 1, 'same'), conv('block1_b', 4, 1, 'same')] }],
  },
  { name: 'block2', layers: conv('block2', 8, 1, 'same') },
];
const INPUT = [3, 17, 17];

/** A backbone of random weights, shaped as InceptionV3 is: a frozen trunk, a cut, and two blocks behind it. */
export async function smallBackbone(folder: string): Promise<Backbone> {
  const below = shapesOf(TRUNK, INPUT);
  const whole: Network = {
    name: 'small',
    input: INPUT,
    layers: [
      ...TRUNK,
      ...STAGES.flatMap(({ layers }) => layers),
      { kind: 'global-average-pool' },
      { kind: 'dense', name: 'unused', units: 2 },
    ],
    classes: 2,
  };
  const all = drawn(initialParameters(whole, { seed: 3 }));
  const of = (...prefixes: string[]) =>
    new Map([...all].filter(([name]) => prefixes.some((prefix) => name.startsWith(prefix))));
  const input = { width: 17, height: 17, layout: 'nchw', scale: 1 / 127.5, offset: -1 } as const;
  await mkdir(folder, { recursive: true });
  const trunk = buildInference({ name: 'trunk', input: INPUT, layers: TRUNK, parameters: of('trunk') });
  await writeFile(join(folder, 'trunk.onnx'), trunk);
  await writeFile(join(folder, 'resize.onnx'), buildResize(input));
  return {
    ...{ digest: sha256(trunk), name: 'small', folder, input, trunk: { input: 'input', output: 'features' } },
    manifest: { identity: { cut: 'cut' } } as unknown as Backbone['manifest'],
    trunkFile: join(folder, 'trunk.onnx'),
    resizeFile: join(folder, 'resize.onnx'),
    featureDims: below.output,
    top: { stages: STAGES, parameters: of('block') },
    warnings: ['two kernels partly filled (block1, block2)'],
    describe: () => 'small: random weights',
  };
}

/** Normalisation that does something. */
function drawn(parameters: Parameters): Parameters {
  const wave = (from: number, swing: number) => (_: unknown, i: number) => from + swing * Math.sin(i + 1);
  return new Map(
    [...parameters].map(([name, { dims, data }]) => {
      if (/\/(beta|mean)$/.test(name)) return [name, { dims, data: data.map(wave(0.1, 0.2)) }];
      return [name, { dims, data: name.endsWith('/variance') ? data.map(wave(1, 0.5)) : data }];
    }),
  );
}
