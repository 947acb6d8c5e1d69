import { AppError } from '../../common/runtime/errors.ts';
import type { Layer, Network } from '../engine/network.ts';

/** A named piece of a network: a cut lies behind one of them. */
export interface Stage {
  name: string;
  layers: Layer[];
}

/** [C, H, W] of one picture; 299 is the size that the weights were trained for. */
export const INCEPTION_INPUT = [3, 299, 299] as const;
/** The preprocessing that the weights expect: x / 127.5 − 1. */
export const INCEPTION_SCALING = { scale: 1 / 127.5, offset: -1 } as const;
/** Keras' value for all its batch normalisations of this network. */
const EPSILON = 1e-3;
/** Units of the hidden layer of the head (design: pooling → Dense 1024 ReLU → Dense |C|). */
const HIDDEN_UNITS = 1024;

interface ConvOptions {
  stride?: number;
  padding?: 'same' | 'valid';
}
type Conv = (filters: number, height: number, width: number, options?: ConvOptions) => Layer[];

/**
 * InceptionV3 without its classifier, to the letter of Keras' `applications/inception_v3.py`: 94 convolutions without bias, each
 * followed by batch normalisation without scale and ReLU. Layers are numbered in the order in which Keras creates them
 * (`conv2d_1`, `batch_normalization_1`, …), so weights are found by name.
 */
export function inceptionStages(): Stage[] {
  let number = 0;
  const conv: Conv = (filters, height, width, { stride = 1, padding = 'same' } = {}) => {
    number += 1;
    return [
      { kind: 'conv', name: `conv2d_${number}`, filters, kernel: [height, width], stride, padding, bias: false },
      { kind: 'frozen-norm', name: `batch_normalization_${number}`, epsilon: EPSILON },
      { kind: 'relu' },
    ];
  };
  const blocks = [
    () => stem(conv),
    () => blockA(conv, 32),
    () => blockA(conv, 64),
    () => blockA(conv, 64),
    () => reductionA(conv),
    () => blockB(conv, 128),
    () => blockB(conv, 160),
    () => blockB(conv, 160),
    () => blockB(conv, 192),
    () => reductionB(conv),
    () => blockC(conv),
    () => blockC(conv),
  ];
  return blocks.map((block, i) => ({ name: i === 0 ? 'stem' : `mixed${i - 1}`, layers: block() }));
}

const halving = { stride: 2, padding: 'valid' } as const;
const maxPool: Layer = { kind: 'max-pool', size: 3, stride: 2, padding: 'valid' };
const averagePool: Layer = { kind: 'average-pool', size: 3, stride: 1, padding: 'same' };

/** 299 × 299 → 35 × 35 × 192. */
const stem = (conv: Conv): Layer[] => [
  ...conv(32, 3, 3, halving),
  ...conv(32, 3, 3, { padding: 'valid' }),
  ...conv(64, 3, 3),
  maxPool,
  ...conv(80, 1, 1, { padding: 'valid' }),
  ...conv(192, 3, 3, { padding: 'valid' }),
  maxPool,
];

const joined = (...branches: Layer[][]): Layer[] => [{ kind: 'concat', branches }];

// Arguments are evaluated from left to right, which gives the convolutions Keras' numbers.

/** mixed0, mixed1, mixed2 at 35 × 35. */
const blockA = (conv: Conv, pooled: number): Layer[] =>
  joined(
    conv(64, 1, 1),
    [...conv(48, 1, 1), ...conv(64, 5, 5)],
    [...conv(64, 1, 1), ...conv(96, 3, 3), ...conv(96, 3, 3)],
    [averagePool, ...conv(pooled, 1, 1)],
  );

/** mixed3: 35 × 35 → 17 × 17 × 768. */
const reductionA = (conv: Conv): Layer[] =>
  joined(conv(384, 3, 3, halving), [...conv(64, 1, 1), ...conv(96, 3, 3), ...conv(96, 3, 3, halving)], [maxPool]);

/** mixed4 to mixed7 at 17 × 17. */
const blockB = (conv: Conv, n: number): Layer[] =>
  joined(
    conv(192, 1, 1),
    [...conv(n, 1, 1), ...conv(n, 1, 7), ...conv(192, 7, 1)],
    [...conv(n, 1, 1), ...conv(n, 7, 1), ...conv(n, 1, 7), ...conv(n, 7, 1), ...conv(192, 1, 7)],
    [averagePool, ...conv(192, 1, 1)],
  );

/** mixed8: 17 × 17 → 8 × 8 × 1280. */
const reductionB = (conv: Conv): Layer[] =>
  joined(
    [...conv(192, 1, 1), ...conv(320, 3, 3, halving)],
    [...conv(192, 1, 1), ...conv(192, 1, 7), ...conv(192, 7, 1), ...conv(192, 3, 3, halving)],
    [maxPool],
  );

/** mixed9, mixed10 at 8 × 8 × 2048. */
const blockC = (conv: Conv): Layer[] =>
  joined(
    conv(320, 1, 1),
    [...conv(384, 1, 1), ...joined(conv(384, 1, 3), conv(384, 3, 1))],
    [...conv(448, 1, 1), ...conv(384, 3, 3), ...joined(conv(384, 1, 3), conv(384, 3, 1))],
    [averagePool, ...conv(192, 1, 1)],
  );

/** Where InceptionV3 may be cut: `mixed0` … `mixed10`. */
export const inceptionCuts: readonly string[] = Array.from({ length: 11 }, (_, i) => `mixed${i}`);

/** Everything up to and including `cut`. @throws AppError `BACKBONE_CUT_UNKNOWN` */
export const inceptionTrunk = (cut: string): Layer[] =>
  inceptionStages()
    .slice(0, indexOf(cut) + 1)
    .flatMap(({ layers }) => layers);

/** What comes behind `cut`: the part that level 2 trains. @throws AppError `BACKBONE_CUT_UNKNOWN` */
export const inceptionTop = (cut: string): Stage[] => inceptionStages().slice(indexOf(cut) + 1);

function indexOf(cut: string): number {
  // The stem is the first stage.
  const at = inceptionCuts.indexOf(cut) + 1;
  if (at > 0) return at;
  throw new AppError(
    'BACKBONE_CUT_UNKNOWN',
    `InceptionV3 has no cut ${JSON.stringify(cut)}; it can be cut behind ${inceptionCuts.join(', ')}.`,
  );
}

/**
 * What is trained on a trunk's features: the stages behind the cut, then global average pooling (where the features are a
 * map), Dense 1024 with ReLU and Dense |C|. The two dense layers are `head_hidden` and `head_logits`.
 *
 * @param featureDims of one image: [C, H, W], or [C]
 */
export function headNetwork(
  name: string,
  featureDims: readonly number[],
  stages: readonly Stage[],
  classes: number,
): Network {
  return {
    name,
    input: featureDims,
    layers: [
      ...stages.flatMap(({ layers }) => layers),
      ...(featureDims.length === 3 ? [{ kind: 'global-average-pool' } as const] : []),
      { kind: 'dense', name: 'head_hidden', units: HIDDEN_UNITS },
      { kind: 'relu' },
      { kind: 'dense', name: 'head_logits', units: classes },
    ],
    classes,
  };
}
