import { expect, test } from 'vitest';
import { ListKeeper } from '../../../agent/list-keeper.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { fail, ok } from '../../../common/runtime/result.ts';
import { eventually } from '../../support/eventually.ts';

interface List {
  revision: number;
  hashes: string[];
}

function setUp(revision: number) {
  const applied: string[][] = [];
  const coordinator = { list: { revision: 1, hashes: ['ab'] } as List, answers: true, asked: 0 };
  const keeper = new ListKeeper<List>({
    name: 'cards',
    revision,
    logger: silentLogger,
    fetch: async () => {
      coordinator.asked++;
      return coordinator.answers ? ok(coordinator.list) : fail('NO_ANSWER', 'gone');
    },
    apply: ({ hashes }) => applied.push(hashes),
  });
  return { applied, coordinator, keeper };
}

test('the list comes with the welcome, and is fetched when its number changes', async () => {
  const { applied, coordinator, keeper } = setUp(-1);
  keeper.take({ revision: 1, hashes: [] });
  keeper.heard(1);
  coordinator.list = { revision: 2, hashes: ['cd'] };
  keeper.heard(2);
  await eventually(() => applied.length === 2);
  keeper.heard(2);
  expect([applied, coordinator.asked]).toEqual([[[], ['cd']], 1]);
});

test('a list that an agent begins with is not asked for', () => {
  const { coordinator, keeper } = setUp(0);
  keeper.heard(0);
  expect(coordinator.asked).toBe(0);
});

test('a hint without an answer is made good by the next renewal; a restored coordinator may count from below', async () => {
  const { applied, coordinator, keeper } = setUp(0);
  keeper.take({ revision: 7, hashes: ['ab'] });
  Object.assign(coordinator, { list: { revision: 3, hashes: [] }, answers: false });
  keeper.heard(3);
  await eventually(() => coordinator.asked === 1);
  coordinator.answers = true;
  await eventually(() => (keeper.heard(3), applied.length === 2));
  expect(applied[1]).toEqual([]);
});
