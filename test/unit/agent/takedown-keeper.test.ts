import { expect, test } from 'vitest';
import { TakedownKeeper } from '../../../agent/takedown-keeper.ts';
import type { Takedown } from '../../../common/domain/takedown.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { fail, ok } from '../../../common/runtime/result.ts';
import { eventually } from '../../support/eventually.ts';

function setUp() {
  const applied: Takedown[][] = [];
  const coordinator = { revision: 1, takedowns: [] as Takedown[], answers: true, asked: 0 };
  const link = {
    call: () => {
      coordinator.asked++;
      const { revision, takedowns, answers } = coordinator;
      return Promise.resolve(answers ? ok({ revision, takedowns }) : fail('NO_ANSWER', 'gone'));
    },
  };
  const apply = (list: Takedown[]) => void applied.push(list);
  return { applied, coordinator, keeper: new TakedownKeeper({ link: link as never, apply, logger: silentLogger }) };
}

const takedown: Takedown = { id: 1, kind: 'host', value: 'example.org', reason: '' };

test('the list comes with the welcome, and is fetched when its number changes', async () => {
  const { applied, coordinator, keeper } = setUp();
  keeper.take({ revision: 1, takedowns: [] });
  keeper.heard(1);
  Object.assign(coordinator, { revision: 2, takedowns: [takedown] });
  keeper.heard(2);
  await eventually(() => applied.length === 2);
  keeper.heard(2);
  expect([applied, coordinator.asked]).toEqual([[[], [takedown]], 1]);
});

test('a hint without an answer is made good by the next renewal; a restored coordinator may count from below', async () => {
  const { applied, coordinator, keeper } = setUp();
  keeper.take({ revision: 7, takedowns: [takedown] });
  Object.assign(coordinator, { revision: 3, answers: false });
  keeper.heard(3);
  await eventually(() => coordinator.asked === 1);
  coordinator.answers = true;
  await eventually(() => (keeper.heard(3), applied.length === 2));
  expect(applied[1]).toEqual([]);
});
