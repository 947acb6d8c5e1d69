import { startFarm } from '../../camera-farm/farm.ts';
import type { Farm } from '../../camera-farm/farm.ts';
import { answerQuestions, usage } from '../pinned.ts';
import type { FarmPlace, Scenario } from './scenario.ts';
import { openSink } from './sink.ts';

// The farm's side of bench:capture: ring cameras, and the sink that takes the agent's batches.

let farm: Farm | undefined;
const sink = await openSink();

async function open(scenario: Scenario): Promise<FarmPlace> {
  await farm?.stop();
  const { width, height, mode, frames, scenes, cameras } = scenario;
  const opened = await startFarm({ cameras, width, height, ring: { mode, frames, scenes }, log: 'none' });
  farm = opened;
  return {
    sink: sink.url,
    cameras: opened.population.map(({ id, host, name }) => ({ url: opened.urlOf(id), host, name })),
  };
}

answerQuestions({ open, usage, sinkBytes: () => sink.bytes() }, async () => {
  await farm?.stop();
  sink.close();
});
