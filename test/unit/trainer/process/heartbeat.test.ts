import { expect, test } from 'vitest';
import type { GoOn, Progress } from '../../../../common/protocol/training.ts';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';
import { silentLogger } from '../../../../common/runtime/logger.ts';
import { Heartbeat } from '../../../../trainer/process/heartbeat.ts';
import { evaluateOn } from '../../../../trainer/process/judge.ts';
import { iterationOf } from '../../../support/training.ts';

function beating(answer: () => GoOn = () => 'on') {
  const clock = new SimulatedClock();
  const sent: Pick<Progress, 'iterations' | 'note'>[] = [];
  const heartbeat = new Heartbeat('begins', {
    clock,
    logger: silentLogger,
    send: async (news) => {
      const goOn = answer();
      sent.push(news);
      return goOn;
    },
  });
  return { clock, sent, heartbeat };
}

test('a heartbeat goes out at once, with news within a second, and without news every twelve', async () => {
  const { clock, sent, heartbeat } = beating();
  await clock.advance(500);
  expect(sent).toEqual([{ iterations: [], note: 'begins' }]);
  heartbeat.iteration(iterationOf(1));
  heartbeat.iteration(iterationOf(2));
  heartbeat.note('trains');
  await clock.advance(1_000);
  expect(sent.at(-1)).toMatchObject({ iterations: [{ iteration: 1 }, { iteration: 2 }], note: 'trains' });
  await clock.advance(11_000);
  expect(sent).toHaveLength(2);
  await clock.advance(2_000);
  expect(sent).toHaveLength(3);
  await heartbeat.stop();
});

test('what a coordinator that is away did not hear is told when it is back', async () => {
  let isAway = true;
  const { clock, sent, heartbeat } = beating(() => {
    if (isAway) throw new Error('nobody there');
    return 'on';
  });
  heartbeat.iteration(iterationOf(1));
  await clock.advance(5_000);
  heartbeat.iteration(iterationOf(2));
  isAway = false;
  await clock.advance(1_000);
  expect(sent).toMatchObject([{ iterations: [{ iteration: 1 }, { iteration: 2 }] }]);
  await heartbeat.stop();
});

test.each([
  ['cancel', 'TRAINING_CANCELLED'],
  ['gone', 'TRAINING_CLAIM_LOST'],
] as const)('the answer "%s" stops the run', async (answer, code) => {
  const { clock, heartbeat } = beating(() => answer);
  await clock.advance(1_000);
  expect(heartbeat.lost.reason).toMatchObject({ code });
  await heartbeat.stop();
});

test('a label that the snapshot does not have is a miss, and no class of its own', () => {
  const judged = evaluateOn(['a', 'b'], [0, 0, 1, 1], [0, -1, 1, 1]);
  expect(judged).toMatchObject({ images: 4, accuracy: 0.75 });
  // F1 of a is 2/3, of b 1.
  expect(judged.macroF1).toBeCloseTo(5 / 6);
  expect(judged.perClass.map(({ label }) => label)).toEqual(['a', 'b']);
});
