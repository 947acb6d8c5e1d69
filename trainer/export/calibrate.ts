import { ELEMENT, unshapedValue } from '../../common/inference/onnx-format.ts';
import { OnnxGraph } from '../../common/inference/onnx-graph.ts';
import { TensorRunner } from '../../common/inference/tensor-runner.ts';
import type { TensorValues } from '../../common/inference/tensor-runner.ts';
import { AppError } from '../../common/runtime/errors.ts';

/** Values that a tensor takes. */
export interface Range {
  least: number;
  most: number;
  /** Mean by channel, of maps [N, C, H, W]. */
  means?: readonly number[];
}

export interface CalibrationOptions {
  threads: number;
  /** Of one item of the input, where the network leaves it free. */
  inputDims: readonly number[];
  /** Share of the values (in percent) that a range holds; 100 is the plain minimum and maximum. */
  percentile: number;
  onProgress?: (done: number, total: number) => void;
}

/** Fine enough that one bin is half a step of 8 bits where a range is cut to an eighth. */
const BINS = 4096;

/**
 * Ranges of the activations `tensors` of a network over the calibration pictures, each as the network's input wants it. Runs the
 * network twice: for the extremes, then for the distribution between them.
 *
 * @throws AppError `CALIBRATION_EMPTY`, `CALIBRATION_NOT_FINITE`
 */
export async function calibrate(
  onnx: Uint8Array,
  tensors: readonly string[],
  pictures: readonly Float32Array[],
  options: CalibrationOptions,
): Promise<Map<string, Range>> {
  if (pictures.length === 0) throw new AppError('CALIBRATION_EMPTY', 'Calibration needs pictures; none were given.');
  const graph = new OnnxGraph(onnx);
  const input = graph.inputs.find(({ name }) => !graph.constants.has(name))?.name ?? '';
  const inner = tensors.filter((name) => name !== input);
  graph.outputs = inner.map((name) => ({ name, bytes: unshapedValue(name, ELEMENT.float) }));
  const runner = await TensorRunner.load(graph.write(), { ...options, input, output: inner[0] ?? '' });
  const passes = options.percentile < 100 ? 2 : 1;
  const each = async (pass: number, look: (name: string, values: TensorValues) => void): Promise<void> => {
    for (const [i, picture] of pictures.entries()) {
      if (tensors.includes(input)) look(input, { dims: [1, ...options.inputDims], data: picture });
      for (const [name, values] of await runner.runAll(picture, 1)) look(name, values);
      options.onProgress?.(pass * pictures.length + i + 1, passes * pictures.length);
    }
  };
  try {
    const extremes = new Map<string, Extremes>();
    await each(0, (name, values) => {
      if (!extremes.has(name)) extremes.set(name, new Extremes(name));
      extremes.get(name)?.add(values);
    });
    const ranges = new Map([...extremes].map(([name, found]) => [name, found.range()]));
    if (passes === 1) return ranges;
    const histograms = new Map(tensors.map((name) => [name, new Float64Array(BINS)]));
    await each(1, (name, { data }) => count(data, ranges.get(name) as Range, histograms.get(name) as Float64Array));
    return new Map(
      [...ranges].map(([name, range]) => [name, cut(range, histograms.get(name) as Float64Array, options.percentile)]),
    );
  } finally {
    await runner.close();
  }
}

/** Least, most and sums by channel of one tensor over all pictures. */
class Extremes {
  readonly #name: string;
  #least = Number.POSITIVE_INFINITY;
  #most = Number.NEGATIVE_INFINITY;
  #sums: Float64Array | undefined;
  #perChannel = 0;

  constructor(name: string) {
    this.#name = name;
  }

  add({ dims, data }: TensorValues): void {
    const [, channels = 1] = dims.length === 4 ? dims : [];
    const area = data.length / channels;
    this.#perChannel += area;
    this.#sums ??= new Float64Array(channels);
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      for (let i = channel * area; i < (channel + 1) * area; i++) {
        const value = data[i] as number;
        sum += value;
        if (value < this.#least) this.#least = value;
        if (value > this.#most) this.#most = value;
      }
      if (!Number.isFinite(sum)) {
        throw new AppError(
          'CALIBRATION_NOT_FINITE',
          `The tensor ${this.#name} takes values that are no finite numbers; check the network.`,
        );
      }
      this.#sums[channel] = (this.#sums[channel] as number) + sum;
    }
  }

  range(): Range {
    const means = [...(this.#sums ?? [])].map((sum) => sum / this.#perChannel);
    return { least: this.#least, most: this.#most, means };
  }
}

function count(values: Float32Array, { least, most }: Range, bins: Float64Array): void {
  const scale = most > least ? BINS / (most - least) : 0;
  for (const value of values) {
    const bin = Math.min(BINS - 1, Math.floor((value - least) * scale));
    bins[bin] = (bins[bin] as number) + 1;
  }
}

/** Leaves out at either end at most half of what the percentile leaves out. */
function cut({ least, most, means }: Range, bins: Float64Array, percentile: number): Range {
  const allowed = (bins.reduce((sum, n) => sum + n, 0) * (100 - percentile)) / 200;
  const width = (most - least) / BINS;
  const dropped = (order: (i: number) => number): number => {
    let gone = 0;
    for (let i = 0; i < BINS; i++) {
      gone += bins[order(i)] as number;
      if (gone > allowed) return i;
    }
    return 0;
  };
  return {
    least: least + dropped((i) => i) * width,
    most: most - dropped((i) => BINS - 1 - i) * width,
    ...(means && { means }),
  };
}
