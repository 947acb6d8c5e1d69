import { seededNormal, seededRandom } from '../../common/domain/random.ts';
import type { Network, Parameters, TensorValue } from './network.ts';
import { parameterSpecs } from './shapes.ts';
import type { ParameterSpec } from './shapes.ts';

export interface InitialiseOptions {
  /** Equal seeds give equal parameters; each parameter draws for itself, so that a longer network keeps the values of a shorter one. */
  seed: string | number;
  /** For dense layers that no ReLU follows. Default `glorot-uniform`, as Keras. */
  lastDense?: 'glorot-uniform' | 'he-normal';
}

/**
 * Parameters to start training from: He normal (deviation √(2 / fan-in)) for convolutions and for dense layers before a ReLU,
 * biases and betas 0, norms as if nothing were to normalise (mean 0, variance 1).
 *
 * @throws AppError `NETWORK_INVALID`
 */
export function initialParameters(
  network: Network,
  { seed, lastDense = 'glorot-uniform' }: InitialiseOptions,
): Parameters {
  return new Map(
    parameterSpecs(network).map((spec) => {
      const he = spec.role === 'conv-kernel' || spec.beforeRelu || lastDense === 'he-normal';
      return [spec.name, start(spec, `${seed}/${spec.name}`, he)];
    }),
  );
}

function start({ dims, role }: ParameterSpec, seed: string, he: boolean): TensorValue {
  const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  if (role === 'variance') data.fill(1);
  if (role === 'conv-kernel' || role === 'dense-kernel') {
    const [first, ...rest] = dims as [number, ...number[]];
    const fanIn = role === 'dense-kernel' ? first : rest.reduce((product, dim) => product * dim, 1);
    const draw = he ? scaled(seededNormal(seed), Math.sqrt(2 / fanIn)) : glorot(seed, first + (rest[0] as number));
    for (let i = 0; i < data.length; i++) data[i] = draw();
  }
  return { dims, data };
}

function scaled(draw: () => number, factor: number): () => number {
  return () => factor * draw();
}

function glorot(seed: string, fans: number): () => number {
  const random = seededRandom(seed);
  const limit = Math.sqrt(6 / fans);
  return () => limit * (2 * random() - 1);
}
