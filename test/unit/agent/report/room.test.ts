import { expect, test } from 'vitest';
import { Reporter } from '../../../../agent/report/reporter.ts';
import { DiskRoom } from '../../../../agent/report/room.ts';
import type { UndatedFragment } from '../../../../agent/report/fragments.ts';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';
import { silentLogger } from '../../../../common/runtime/logger.ts';

function watch(total: number) {
  const clock = new SimulatedClock();
  const told: string[] = [];
  const state = { free: total, fails: false };
  const room = new DiskRoom({
    ...{ folder: '/data', clock, logger: silentLogger },
    onShort: (reason) => told.push(reason),
    onRoom: () => told.push('room'),
    read: async () => {
      if (state.fails) throw new Error('EIO');
      return { free: state.free, total };
    },
  });
  return { clock, room, state, told };
}

test('a disk that is nearly full is told within a second, once, and so is its recovery', async () => {
  const { clock, room, state, told } = watch(10e9);
  room.start();
  await clock.advance(1_000);
  expect(told).toEqual([]);
  state.free = 63e6;
  await clock.advance(1_000);
  await clock.advance(1_000);
  expect(told).toEqual(['The disk of /data has 63.0 MB free and should have 64.0; make room on it.']);
  // At the edge nothing changes.
  state.free = 100e6;
  await clock.advance(1_000);
  expect(told).toHaveLength(1);
  state.free = 128e6;
  await clock.advance(1_000);
  expect(told.slice(1)).toEqual(['room']);
  room.stop();
});

test('a small disk needs a small reserve, and one that does not answer changes nothing', async () => {
  const { room, state, told } = watch(16e6);
  state.free = 1.1e6;
  await room.look();
  expect(told).toEqual([]);
  state.free = 0.9e6;
  await room.look();
  expect(room.isShort).toBe(true);
  state.fails = true;
  await room.look();
  expect(room.isShort).toBe(true);
  expect(told).toHaveLength(1);
});

test('a report that is asked for while another is under way holds what was captured meanwhile', async () => {
  const captured: string[] = [];
  const written: string[][] = [];
  let open!: () => void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const reporter = new Reporter({
    collect: async () => captured.splice(0).map((verdict) => ({ verdict, monotonic: [0], latencies: [] }) as never),
    date: () => ({ at: 0, errorMs: 1 }),
    outbox: {
      add: async (fragments) => {
        written.push((fragments as unknown as UndatedFragment[]).map(({ verdict }) => verdict));
        await gate;
      },
    },
    ...{ clock: new SimulatedClock(), logger: silentLogger, onFull: () => {}, onRoom: () => {} },
  });
  captured.push('good');
  const first = reporter.flush();
  while (written.length === 0) await Promise.resolve();
  captured.push('black');
  const second = reporter.flush();
  open();
  await Promise.all([first, second]);
  expect(written).toEqual([['good'], ['black']]);
});
