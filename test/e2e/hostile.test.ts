import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { expect } from 'vitest';
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

longTest(
  'sixty cameras with every fault have the verdict of their fault, and ten good ones beside them lose no frame',
  async () => {
    const { code, out, table } = await benchHostile('--cameras', '60', '--seconds', '20', '--interval', '5');
    expect(table).toMatch(/fault +expected +cameras/);
    const { bench, figures } = JSON.parse(out.trim().split('\n').at(-1)!) as {
      bench: string;
      figures: Record<string, number>;
    };
    expect(bench).toBe('hostile');
    expect({ ...figures, table }).toMatchObject({
      wrongTransportStates: 0,
      wrongContentShare: 0,
      wrongOddityStates: 0,
      healthyLostFrames: 0,
    });
    expect(figures['healthyFrames']).toBeGreaterThanOrEqual(30);
    expect(figures['childrenEnd']).toBe(figures['childrenStart']);
    expect(code).toBe(0);
  },
);
