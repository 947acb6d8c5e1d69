import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { EXIT } from '../../../common/runtime/errors.ts';
import { runCommand } from '../../../scripts/camfleet/program.ts';
import { DEMO_BUDGET_SECONDS } from '../../../scripts/train-demo/cameras.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { longTest } from '../../support/long.ts';

// Drawing, timing and judging come on top of its budget; with other things on the machine all of it takes longer.
vi.setConfig({ testTimeout: 600_000 });

let folder: string;
beforeAll(async () => {
  folder = await makeTestFolder('train-demo');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Summary {
  seeds: {
    seed: number;
    rareM0: number;
    rareFused: number;
    accuracyM0: number;
    accuracyFused: number;
    seconds: number;
    /** Its file. */
    report: string;
  }[];
  bars: { name: string; value: number; least: number; most: number | null; met: boolean }[];
}

/** Where fewer fit the budget other things run on the machine, and M0 has hardly begun to learn. */
const ENOUGH_PASSES = 15;

longTest(
  'train --demo trains within its budget on scenes of the right difficulty, and judges its bars',
  async (context) => {
    let out = '';
    const terminal = {
      out: (text: string) => void (out += text),
      err: () => undefined,
      isInteractive: false,
      showsProgress: false,
    };
    const args = ['train', '--demo', '--seed', '1', '--json', '--out', folder, '--key', join(folder, 'trainer.pem')];
    expect(await runCommand(args, { terminal, environment: {} }, '0.0.0')).toBe(EXIT.done);
    const { seeds, bars } = JSON.parse(out.trim().split('\n').at(-1) as string) as Summary;
    const [only] = seeds as [Summary['seeds'][number]];
    expect(seeds).toHaveLength(1);
    // One seed may miss a bar that the median of three meets; that each is judged, and rightly, may not fail.
    expect(bars.map(({ name, least, most }) => [name, least, most])).toEqual([
      ['difficulty', 0.3, 0.7],
      ['gain', 0.05, null],
      ['accuracy', -0.02, null],
    ]);
    expect(bars[1]?.value).toBeCloseTo(only.rareFused - only.rareM0, 9);
    expect(bars[2]?.value).toBeCloseTo(only.accuracyFused - only.accuracyM0, 9);
    for (const { value, least, most, met } of bars) expect(met).toBe(value >= least && value <= (most ?? Infinity));
    const { settings } = JSON.parse(await readFile(only.report, 'utf8')) as { settings: { passes: number } };
    context.skip(
      settings.passes < ENOUGH_PASSES,
      `only ${settings.passes} passes fitted the budget: the machine is busy or slow`,
    );
    // Passes were chosen by the speed of the first steps; a machine that is busier later takes somewhat longer.
    expect(only.seconds).toBeLessThan(1.5 * DEMO_BUDGET_SECONDS);
    expect(only.rareM0).toBeGreaterThanOrEqual(0.3);
    expect(only.rareM0).toBeLessThanOrEqual(0.7);
  },
);
