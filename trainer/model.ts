import { basicCnn } from './backbone/basic-cnn.ts';
import type { Dataset } from './dataset/dataset.ts';
import type { TrainEngine, TrainSession } from './engine/engine.ts';
import { initialParameters } from './engine/initialise.ts';
import type { Network, Parameters } from './engine/network.ts';
import { openEngine } from './engines.ts';
import type { TrainRequest } from './request.ts';
import type { Settings } from './settings.ts';

/** The network of a run with its starting weights, and the engine that trains it. */
export interface Model {
  network: Network;
  /** M_S: both models start from these. */
  start: Parameters;
  /** Where `start` comes from, in words. */
  weights: string;
  engine: TrainEngine;
  open(parameters: Parameters): Promise<TrainSession>;
}

/** Networks by the name that presets use. A new one is a line here. */
const NETWORKS: Record<Settings['network'], (settings: Settings, classes: number) => Network> = {
  'basic-cnn': ({ input }, classes) => basicCnn({ classes, size: input.width }),
};

/** @throws AppError `ENGINE_UNKNOWN`, `TFJS_UNAVAILABLE` */
export async function openModel(
  { settings, seed, engine: name, threads }: TrainRequest,
  { classes }: Dataset,
): Promise<Model> {
  const network = NETWORKS[settings.network](settings, classes.length);
  const engine = await openEngine(name, threads);
  return {
    network,
    start: initialParameters(network, { seed }),
    weights: `random (He), seed ${seed}: no picture was seen before this run`,
    engine,
    open: (parameters) => engine.open(network, { parameters, threads }),
  };
}
