import { levelOneNetwork, levelTwoNetwork, startParameters } from './backbone/backbone.ts';
import type { Backbone } from './backbone/backbone.ts';
import { basicCnn } from './backbone/basic-cnn.ts';
import { layerOf } from './backbone-images.ts';
import type { Dataset } from './dataset/dataset.ts';
import type { TrainEngine, TrainSession } from './engine/engine.ts';
import { initialParameters } from './engine/initialise.ts';
import type { Network, Parameters } from './engine/network.ts';
import { openEngine } from './engines.ts';
import { backboneParts, scratchParts } from './export/parts.ts';
import type { ServingParts } from './export/parts.ts';
import { featureShape } from './features/machine.ts';
import type { TrainRequest } from './request.ts';

/** The networks of a run with their starting weights, and the engine that trains them. */
export interface Model {
  name: string;
  /** Of each level, from 1. */
  networks: readonly Network[];
  /** M_S: both models start from these, in level 1. */
  start: Parameters;
  /** Where `start` comes from, in words. */
  weights: string;
  /** What every report of this model must say. */
  warnings: readonly string[];
  engine: TrainEngine;
  open(level: number, parameters: Parameters, frozen?: readonly string[]): Promise<TrainSession>;
  /** Parameters to begin a level with, of those that the level before ended with. */
  lift(level: number, parameters: Parameters): Parameters;
  /** What agents get of a model that ended in this level. */
  parts(level: number): Promise<ServingParts>;
}

/** @throws AppError `ENGINE_UNKNOWN`, `TFJS_UNAVAILABLE` */
export async function openModel(request: TrainRequest, dataset: Dataset, backbone?: Backbone): Promise<Model> {
  const engine = await openEngine(request.engine, request.threads);
  return backbone ? backboneModel(request, dataset, backbone, engine) : scratchModel(request, dataset, engine);
}

function scratchModel({ settings, seed, threads }: TrainRequest, { classes }: Dataset, engine: TrainEngine): Model {
  const network = basicCnn({ classes: classes.length, size: settings.input.width });
  return {
    name: network.name,
    networks: [network],
    start: initialParameters(network, { seed }),
    weights: `random (He), seed ${seed}: no picture was seen before this run`,
    warnings: [],
    engine,
    open: (_level, parameters, frozen = []) => engine.open(network, { parameters, frozen, threads }),
    lift: (_level, parameters) => parameters,
    parts: () => Promise.resolve(scratchParts(settings.input, network)),
  };
}

function backboneModel(
  { settings, seed, threads }: TrainRequest,
  { classes }: Dataset,
  backbone: Backbone,
  engine: TrainEngine,
): Model {
  const { length } = featureShape(backbone, layerOf(backbone, 1));
  const one = levelOneNetwork(backbone, [length], classes.length);
  const networks = settings.levelTwo ? [one, levelTwoNetwork(backbone, classes.length)] : [one];
  const networkOf = (level: number): Network => networks[level - 1] as Network;
  return {
    name: (networks.at(-1) as Network).name,
    networks,
    start: startParameters(backbone, one, seed),
    weights: `${backbone.describe()}; head random, seed ${seed}`,
    warnings: warningsOf(backbone, networks.length),
    engine,
    open: (level, parameters, frozen = []) => engine.open(networkOf(level), { parameters, frozen, threads }),
    lift: (level, parameters) => startParameters(backbone, networkOf(level), seed, parameters),
    parts: (level) => backboneParts(backbone, level, networkOf(level)),
  };
}

function warningsOf({ name, top, warnings }: Backbone, levels: number): string[] {
  const said = warnings.map((warning) => `Weights of ${name}: ${warning}.`);
  if (levels === 2) {
    const blocks = top.stages.map((stage) => stage.name).join(' and ');
    const costs = `Both heads carry ${blocks} of their own, which run twice a frame: fused costs more than with heads of level 1.`;
    return [...said, costs];
  }
  const why =
    top.stages.length === 0
      ? `${name} has no layers behind its cut that could be trained`
      : 'level 2 was not asked for';
  return [...said, `Only level 1 was run (${why}): Eq. 2 runs there from iteration 2.`];
}
