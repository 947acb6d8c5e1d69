import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { EXIT } from '../../../common/runtime/errors.ts';
import { runCommand } from '../../../scripts/camfleet/program.ts';
import { buildInference } from '../../../trainer/backbone/inference-graph.ts';
import { runBenchmark } from '../../../trainer/benchmark/main.ts';
import type { BenchmarkOptions, BenchmarkReport } from '../../../trainer/benchmark/main.ts';
import { ROWS } from '../../../trainer/benchmark/rows.ts';
import { writeTinyDataset } from '../../support/tiny-dataset.ts';
import { drawnParameters, miniInception } from '../../unit/trainer/backbone/networks.ts';

vi.setConfig({ testTimeout: 60_000 });

type Manifest = Record<string, Record<string, { file: string; camera: string }[]>>;

/** Rows of level 2 need a backbone with blocks behind its cut, those with fresh views want to be asked for. */
const ALL = Object.keys(ROWS).filter((name) => !ROWS[name]?.levelTwo && !ROWS[name]?.fresh);
/** Training images of each class: one common, one rare. */
const TRAINING: Record<string, number> = { grass: 12, road: 6, water: 3 };

describe('the benchmark on three classes and a small trunk of random weights', () => {
  let folder: string;
  let options: BenchmarkOptions;
  let report: BenchmarkReport;
  const trained: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'camfleet-benchmark-test-'));
    await writeDataset(join(folder, 'data'));
    const network = miniInception();
    await writeFile(join(folder, 'mini.onnx'), buildInference({ ...network, parameters: drawnParameters(network) }));
    options = {
      dataset: join(folder, 'data'),
      profiles: ['parts.json'],
      balancedTest: 'further.json',
      backbone: join(folder, 'mini.onnx'),
      splits: 2,
      seeds: 1,
      passes: 4,
      threads: 1,
      out: join(folder, 'out'),
    };
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('says what it will cost and computes next to nothing when only the plan is asked for', async () => {
    const { cost, report: none } = await runBenchmark({ ...options, planOnly: true });
    expect(none).toBeUndefined();
    expect(cost.runs).toBe(2);
    expect(cost.heads.missing).toBe(cost.heads.all);
    expect(cost.heads.steps).toBeGreaterThan(0);
    expect(existsSync(join(options.out, 'results'))).toBe(false);
  });

  test('keeps what is finished when it is stopped', async () => {
    const stopping = new AbortController();
    const hooks = {
      signal: stopping.signal,
      onModel: (where: string, model: string) => {
        trained.push(`${where} ${model}`);
        if (trained.length === 5) stopping.abort();
      },
    };
    await expect(runBenchmark(options, hooks)).rejects.toMatchObject({ code: 'BENCHMARK_INTERRUPTED' });
    expect(trained).toHaveLength(5);
  });

  test('goes on without computing anything twice, and runs every row', async () => {
    const [kept, made]: [string[], string[]] = [[], []];
    const outcome = await runBenchmark(options, {
      onModel: (where, model, _, wasKept) => (wasKept ? kept : made).push(`${where} ${model}`),
    });
    expect(kept.sort()).toEqual([...trained].sort());
    expect(new Set([...kept, ...made]).size).toBe(kept.length + made.length);
    report = outcome.report as BenchmarkReport;
    expect(report.rows.map(({ name }) => name)).toEqual(ALL);
    for (const row of report.rows) {
      const found = row.profiles['parts'];
      expect([row.name, found?.runs]).toEqual([row.name, row.name === 'basic-cnn' ? 1 : 2]);
      for (const ground of ['nat', 'bal', 'test'] as const) {
        expect(found?.figures[ground]?.accuracy).toBeGreaterThan(0);
        expect(found?.figures[ground]?.macroF1).toBeLessThanOrEqual(1);
      }
    }
  });

  test('takes equally many steps for every head, and says how M0 does when they are doubled', () => {
    const steps = (name: string) => report.rows.find((row) => row.name === name)?.profiles['parts']?.cost.steps;
    const single = ['no-aug', 'm0', 'balanced', 'balanced-softmax', 'crt', 'cdb', 'm1'];
    expect(new Set(single.map(steps))).toEqual(new Set([4]));
    expect(report.profiles[0]?.convergence?.words).toMatch(/^M0 is (NOT )?converged: 8 instead of 4 passes/);
    expect(report.profiles[0]?.views).toEqual([4, 4, 4]);
    expect(steps('pilot')).toBe(20);
  });

  test('fresh views are computed when they are drawn, and compared with the pool', async () => {
    const made: string[] = [];
    const rows = ['proposed-fresh', 'm0-fresh', 'm1-fresh', 'm1', 'proposed-.3'];
    const asked = { ...options, passes: 6, rows, splits: 1, out: join(folder, 'fresh') };
    const outcome = await runBenchmark(
      { ...asked, features: join(options.out, 'features') },
      { onModel: (_, model, __, wasKept) => void (wasKept || made.push(model)), onStage: (stage) => made.push(stage) },
    );
    expect(made.join('\n')).toMatch(/Fresh views: at most \d+ to compute/);
    expect(made).toContain('m0-fresh');
    const compared = outcome.report?.approximations.map(({ fresh, cached }) => [fresh, cached]);
    expect(compared).toEqual([['m0-fresh', 'm0'], ['m1-fresh', 'm1'], ['proposed-fresh', 'proposed-.3']]); // prettier-ignore
    // Six passes want more views than the four of the pool.
    expect(outcome.cost.fresh).toBe(2 * 6 * 21);
    expect(await readFile(join(asked.out, 'report.html'), 'utf8')).toContain('A pool of views in place of fresh ones');
  });

  test('an 8-bit trunk is made once, trained on, and compared with the fp32 one', async () => {
    const asked = { ...options, trunk: 'int8' as const, rows: ['m0', 'modern'], out: join(folder, 'int8') };
    const { report: both } = await runBenchmark(asked);
    expect(both?.int8?.rows.map(({ row, runs }) => [row, runs])).toEqual([['m0', 2], ['modern', 2]]); // prettier-ignore
    expect(both?.int8?.backbone).toContain('int8');
    expect(both?.int8?.rows[0]?.words).toMatch(/^8-bit trunk, m0: loss of Avg F1 -?\d\.\d{4}, 95 % limits/);
    const kept: boolean[] = [];
    const again = await runBenchmark(asked, { onModel: (_, __, ___, wasKept) => kept.push(wasKept) });
    expect(again.report?.int8).toEqual(both?.int8);
    expect(new Set(kept)).toEqual(new Set([true]));
  });

  test('compares with M0, judges bars and claims, and writes page, tables and document', async () => {
    expect(report.ground).toBe('nat');
    const difference = report.differences.nat?.profiles['parts']?.['mean']?.['macroF1'];
    expect(difference?.splits).toBe(2);
    expect(difference?.lower).toBeLessThanOrEqual(difference?.upper as number);
    expect(report.bars.map(({ row }) => row)).toEqual(['proposed-searched', 'proposed-.3', 'modern']);
    expect(report.claims.every(({ verdict }) => verdict !== 'not run')).toBe(true);
    const page = await readFile(join(options.out, 'report.html'), 'utf8');
    expect(page).toContain('not comparable');
    expect(page).toContain('Confusion of: Proposed, preset modern');
    expect(page).not.toMatch(/NaN|undefined/);
    const csv = (await readFile(join(options.out, 'rows.csv'), 'utf8')).trim().split('\r\n');
    expect(csv).toHaveLength(1 + ALL.length * 3);
    expect(JSON.parse(await readFile(join(options.out, 'report.json'), 'utf8'))).toMatchObject({ format: 1 });
  });

  test('a second time trains nothing and gives the same figures', async () => {
    const files = await resultsOf(options.out);
    const again = await runBenchmark(options, {
      onModel: (_, model, __, wasKept) => expect([model, wasKept]).toEqual([model, true]),
    });
    expect(again.report?.rows).toEqual(report.rows);
    expect(again.report?.differences).toEqual(report.differences);
    expect(await resultsOf(options.out)).toEqual(files);
  });

  test('the command line shows the table of what is there, and exits with 2 for rows that nobody knows', async () => {
    const { dataset, backbone, out } = options;
    const args = [
      'train',
      'benchmark',
      '--dataset',
      dataset,
      '--profile',
      'parts.json',
      '--balanced-test',
      'further.json',
    ];
    args.push('--backbone', backbone, '--splits', '2', '--passes', '4', '--threads', '1', '--out', out);
    const shown = await camfleet(...args);
    expect(shown).toMatchObject({ exit: EXIT.done });
    expect(shown.out).toMatch(/^TL, basic augmentation \(M0\) +2 +\d\.\d{3}/m);
    expect(shown.out).toMatch(/^Bar of modern: (met|missed|undecided)$/m);
    expect(shown.err).toContain('is there already');
    expect(await camfleet(...args, '--rows', 'm2')).toMatchObject({ exit: EXIT.usage });
  });

  test('refuses another dataset in the same folder', async () => {
    const path = join(options.dataset, 'parts.json');
    const before = await readFile(path, 'utf8');
    const manifest = JSON.parse(before) as Manifest;
    manifest['grass']?.['train']?.pop();
    await writeFile(path, JSON.stringify(manifest));
    await expect(runBenchmark(options)).rejects.toMatchObject({ code: 'DATASET_CHANGED' });
    await writeFile(path, before);
  });

  test('refuses rows that it does not know, and a test set that training saw', async () => {
    await expect(runBenchmark({ ...options, rows: ['m2'] })).rejects.toMatchObject({ code: 'BENCHMARK_OPTIONS' });
    // Nothing lies behind the cut of a network that was given whole.
    await expect(runBenchmark({ ...options, levelTwo: true })).rejects.toMatchObject({ code: 'BENCHMARK_OPTIONS' });
    const parts = JSON.parse(await readFile(join(options.dataset, 'parts.json'), 'utf8')) as Manifest;
    const seen = Object.fromEntries(Object.entries(parts).map(([label, { train }]) => [label, train]));
    await writeFile(join(options.dataset, 'seen.json'), JSON.stringify(seen));
    const leaking = { ...options, balancedTest: 'seen.json', out: join(folder, 'other') };
    await expect(runBenchmark(leaking)).rejects.toMatchObject({ code: 'BENCHMARK_LEAK' });
  });
});

async function camfleet(...args: string[]): Promise<{ exit: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const terminal = {
    out: (text: string) => void (said.out += text),
    err: (text: string) => void (said.err += text),
    isInteractive: false,
    showsProgress: false,
  };
  const exit = await runCommand(args, { terminal, environment: {} }, '0.0.0');
  return { exit, ...said };
}

async function writeDataset(folder: string): Promise<void> {
  const manifest = (await writeTinyDataset(folder)) as Manifest;
  for (const [label, parts] of Object.entries(manifest))
    parts['train'] = parts['train']?.slice(0, TRAINING[label]) ?? [];
  await writeFile(join(folder, 'parts.json'), JSON.stringify(manifest));
  const further = (await writeTinyDataset(join(folder, 'further'), { cameras: { train: 20, reference: 0, test: 0 } })) as Manifest; // prettier-ignore
  const lists = Object.entries(further).map(([label, { train = [] }]) => [
    label,
    // The first twelve are the pictures of the dataset itself.
    train.slice(12).map(({ file, camera }) => ({ file: join('further', file), camera: `${camera} further` })),
  ]);
  await writeFile(join(folder, 'further.json'), JSON.stringify(Object.fromEntries(lists)));
}

async function resultsOf(out: string): Promise<Record<string, number>> {
  const files = await readdir(join(out, 'results'), { recursive: true });
  const times = await Promise.all(files.map(async (file) => [file, (await stat(join(out, 'results', file))).mtimeMs]));
  return Object.fromEntries(times) as Record<string, number>;
}
