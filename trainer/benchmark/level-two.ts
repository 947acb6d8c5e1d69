import type { Backbone } from '../backbone/backbone.ts';
import { levelTwoNetwork, startParameters } from '../backbone/backbone.ts';
import type { Parameters } from '../engine/network.ts';
import type { SplitContext } from './context.ts';
import type { SplitMaps } from './maps.ts';
import type { Recipe } from './recipes.ts';
import type { ModelResult } from './results.ts';
import { trainHead } from './train-head.ts';
import type { Trained } from './train-head.ts';
import { judgedSets } from './vectors.ts';

/** Whether there is anything behind the cut that could be trained. */
export const hasLevelTwo = ({ top }: Backbone): boolean => top.stages.length > 0;

/** Trains the blocks behind the cut together with a head that level 1 has trained. */
export async function trainLevelTwo(
  context: SplitContext & { maps: () => SplitMaps },
  { name, recipe, head }: { name: string; recipe: Recipe; head: Parameters },
): Promise<{ trained: Omit<Trained, 'session'>; logits: ModelResult['logits'] }> {
  const { backbone, dataset, seed, settings, engine, threads, signal } = context;
  const { passes, batch, optimiser } = settings.levelTwo;
  const network = levelTwoNetwork(backbone, dataset.classes.length);
  const [stage] = recipe.stages;
  if (!stage) throw new RangeError(`The recipe ${name} has no stage.`);
  const { session, ...trained } = await trainHead({
    ...{ name, network, batch, optimiser, engine, threads, seed, settings, signal },
    recipe: { ...recipe, stages: [{ ...stage, passes }] },
    start: startParameters(backbone, network, seed, head),
    data: context.maps().trainingData(seed + recipe.seedShift),
    // Counted apart from the heads' steps, which take a fraction of the time.
    onSteps: () => undefined,
  });
  try {
    const logits: ModelResult['logits'] = {};
    for (const set of judgedSets) logits[set] = await context.maps().logits(set, session);
    return { trained, logits };
  } finally {
    await session.close();
  }
}
