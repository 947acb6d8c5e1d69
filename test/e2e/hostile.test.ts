import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { longTest } from '../support/long.ts';

const repository = resolve(import.meta.dirname, '../..');

interface Run {
  code: number;
  out: string;
  table: string;
}

/** A short bench:hostile in processes of its own. */
function benchHostile(...args: string[]): Promise<Run> {
  const command = ['--import', 'tsx', 'scripts/bench/hostile.ts', '--json', ...args];
  return new Promise((done) => {
    execFile(process.execPath, command, { cwd: repository }, (error, out, table) =>
      done({ code: error ? Number(error.code ?? 1) : 0, out, table }),
    );
  });
}

interface Judged {
  code: number;
  figures: Record<string, number>;
  table: string;
}

async function judged(cameras: number, seconds: number, interval: number): Promise<Judged> {
  const options = { cameras, seconds, interval };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const { code, out, table } = await benchHostile(...args);
  expect(table).toMatch(/fault +expected +cameras/);
  const { bench, figures } = JSON.parse(out.trim().split('\n').at(-1)!) as {
    bench: string;
    figures: Record<string, number>;
  };
  expect(bench).toBe('hostile');
  return { code, figures, table };
}

const NOTHING_WRONG = {
  wrongTransportStates: 0,
  wrongContentShare: 0,
  wrongOddityStates: 0,
  healthyLostFrames: 0,
  leaks: 0,
};

test('forty cameras with every fault: no transport fault leads to a wrong state, and ten good ones lose no frame', async () => {
  const { code, figures, table } = await judged(40, 10, 2);
  expect({ ...figures, table }).toMatchObject(NOTHING_WRONG);
  // Four turns each at least, and most transport faults decided: else nothing was proved.
  expect(figures['healthyFrames']).toBeGreaterThanOrEqual(40);
  expect(figures['undecidedStates']).toBeLessThan(20);
  expect(code).toBe(0);
});

longTest(
  'sixty cameras with every fault have the verdict of their fault, and ten good ones beside them lose no frame',
  async () => {
    const { code, figures, table } = await judged(60, 20, 5);
    expect({ ...figures, table }).toMatchObject(NOTHING_WRONG);
    expect(figures['healthyFrames']).toBeGreaterThanOrEqual(30);
    expect(code).toBe(0);
  },
);
