import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { iterationReportSchema, trainingReportSchema } from '../../../common/domain/training.ts';
import type { TrainingReport } from '../../../common/domain/training.ts';
import { EXIT } from '../../../common/runtime/errors.ts';
import { runCommand } from '../../../scripts/camfleet/program.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { writeTinyDataset } from '../../support/tiny-dataset.ts';

vi.setConfig({ testTimeout: 180_000 });

let folder: string;
beforeEach(async () => {
  folder = await makeTestFolder('train-cli');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs `camfleet train …` in this process. */
async function camfleetTrain(...args: string[]): Promise<{ exit: number; out: string; err: string }> {
  return camfleetTrainHeard(() => undefined, ...args);
}

/** The same; `hear` is told all that goes to stdout. */
async function camfleetTrainHeard(
  hear: (text: string) => void,
  ...args: string[]
): Promise<{ exit: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const terminal = {
    out: (text: string) => {
      said.out += text;
      hear(text);
    },
    err: (text: string) => void (said.err += text),
    isInteractive: false,
    showsProgress: false,
  };
  const key = ['--key', join(folder, 'keys/trainer.pem')];
  const exit = await runCommand(['train', ...args, ...key], { terminal, environment: {} }, '0.0.0');
  return { exit, ...said };
}

const onTiny = (...more: string[]): string[] => ['--dataset', join(folder, 'data'), '--manifest', 'parts.json', '--out', join(folder, 'run'), '--threads', '1', ...more]; // prettier-ignore

test('--json prints an object an iteration, then one with the metrics and the artifact', async () => {
  await writeTinyDataset(join(folder, 'data'));
  const { exit, out, err } = await camfleetTrain(...onTiny('--passes', '2', '--json'));
  expect(exit).toBe(EXIT.done);
  const lines = out.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore
  expect(lines).toHaveLength(5);
  for (const line of lines.slice(0, 4)) iterationReportSchema.parse(line);
  expect(lines[4]).toMatchObject({ artifact: join(folder, 'run/artifact'), metrics: { macroF1: expect.any(Number) as number } }); // prettier-ignore
  expect(err).toMatch(/M1 level 1, 2\/2 {2}loss/);
});

test('for people it shows the models side by side and each class with its sample sizes', async () => {
  await writeTinyDataset(join(folder, 'data'));
  const { exit, out, err } = await camfleetTrain(...onTiny('--passes', '1', '--per-class'));
  expect(exit).toBe(EXIT.done);
  expect(err).toMatch(/^CLASS +F1 REFERENCE +SAMPLES\ngrass +\d\.\d{3} +12$/m);
  expect(out).toMatch(/^TEST PART +MACRO F1 +ACCURACY/);
  for (const name of ['M0', 'M1', 'mean', 'fused']) expect(out).toMatch(new RegExp(`^${name} +0\\.\\d{3}|^${name} +1\\.000`, 'm')); // prettier-ignore
  expect(out).toMatch(/^water +12 +0\.500 +12 +4 /m);
  expect(out).toContain(join(folder, 'run/report.html'));
});

test('Ctrl-C saves what there is and says how to go on, which then takes the remaining passes', async () => {
  await writeTinyDataset(join(folder, 'data'));
  const press = vi.fn(() => void process.emit('SIGINT'));
  const stopped = await camfleetTrainHeard(
    () => press.mock.calls.length === 0 && press(),
    ...onTiny('--passes', '2', '--json'),
  );
  expect(stopped.exit).toBe(EXIT.failed);
  expect(stopped.out.trim().split('\n')).toHaveLength(1);
  expect(stopped.err).toContain(`camfleet train --resume ${join(folder, 'run')}`);
  const { exit, out } = await camfleetTrain('--resume', join(folder, 'run'), '--json');
  expect(exit).toBe(EXIT.done);
  expect(out.trim().split('\n')).toHaveLength(4);
});

test('--augmentation decides what is learnt, stands in the report, and cannot change in the middle of a run', async () => {
  await writeTinyDataset(join(folder, 'data'));
  const losses: number[][] = [];
  for (const kind of ['basic', 'keras-2.1.4', 'none']) {
    const out = join(folder, kind);
    const { exit } = await camfleetTrain(...onTiny('--passes', '1', '--augmentation', kind, '--json', '--out', out));
    expect(exit).toBe(EXIT.done);
    const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as TrainingReport;
    expect(report.settings['augmentation']).toBe(kind);
    losses.push(report.iterations.map(({ loss }) => loss));
  }
  expect(new Set(losses.map(String)).size).toBe(3);
  const resumed = await camfleetTrain('--resume', join(folder, 'none'), '--augmentation', 'basic');
  expect(resumed).toMatchObject({ exit: EXIT.usage, out: '' });
  expect(resumed.err).toContain('started with augmentation none, not basic');
});

test('beside the paper’s T_r it shows the searched one with its test figures, in table, JSON and report', async () => {
  await writeTinyDataset(join(folder, 'data'));
  const shown = await camfleetTrain(...onTiny('--passes', '2', '--fusion', 'paper'));
  const report = trainingReportSchema.parse(JSON.parse(await readFile(join(folder, 'run/report.json'), 'utf8')));
  const { threshold, searched } = report.fusion;
  expect(threshold).toBe(0.3);
  expect(searched?.test.images).toBe(report.test.fused.images);
  const best = Math.max(...report.fusion.curve.map(({ macroF1 }) => macroF1));
  expect(searched?.rule).toBe(`Largest macro F1 on the reference part, ${best.toFixed(3)}.`);
  const figures = [searched?.test.macroF1, searched?.test.accuracy].map((value) => value?.toFixed(3));
  expect(shown.out).toMatch(
    new RegExp(`^T_r = ${searched?.threshold.toFixed(3)}, searched +${figures.join(' +')} `, 'm'),
  );
  expect(await readFile(join(folder, 'run/report.html'), 'utf8')).toContain(', searched</th><td>');

  const program = await camfleetTrain(
    ...onTiny('--passes', '2', '--fusion', 'paper', '--json', '--out', join(folder, 'b')),
  );
  const last = JSON.parse(program.out.trim().split('\n').at(-1) as string) as object;
  expect(last).toMatchObject({
    threshold: 0.3,
    searched: { threshold: searched?.threshold, macroF1: searched?.test.macroF1 },
  });
  const other = await camfleetTrain(...onTiny('--passes', '1', '--out', join(folder, 'c')));
  expect(other.out).not.toContain('searched');
});

test('--resume refuses what the run was not started with instead of ignoring it', async () => {
  await writeTinyDataset(join(folder, 'data'));
  expect((await camfleetTrain(...onTiny('--passes', '1'))).exit).toBe(EXIT.done);
  for (const [more, said] of [
    [['--budget', '5'], 'started with budget 600, not 5'],
    [['--manifest', 'other.json'], 'started with manifest parts.json, not other.json'],
    [['--force'], 'started with --force false, not true'],
    [['--name', 'harbours'], 'started with no name, not harbours'],
    [['--allow-double-correction'], 'started with --allow-double-correction false, not true'],
    [['--out', join(folder, 'elsewhere')], 'leave out --out'],
  ] as const) {
    const { exit, err } = await camfleetTrain('--resume', join(folder, 'run'), ...more);
    expect([exit, err]).toEqual([EXIT.usage, expect.stringContaining(said)]);
  }
});

test('says what is wrong with a command line, and exits with 2', async () => {
  await writeTinyDataset(join(folder, 'data'));
  for (const args of [
    [],
    ['--demo', '--dataset', 'x'],
    onTiny('--preset', 'magic'),
    onTiny('--engine', 'abacus'),
    onTiny('--backbone', 'nobody'),
    onTiny('--preset', 'paper'),
    onTiny('--loss', 'balanced-softmax'),
    onTiny('--levels', '2'),
    ['--dataset', join(folder, 'nothing')],
    ['--resume', join(folder, 'none')],
  ]) {
    // prettier-ignore
    expect(await camfleetTrain(...args)).toMatchObject({ exit: EXIT.usage, out: '' });
  }
});

test('refuses to judge a model on cameras that it learned from, and exits with 3', async () => {
  const manifest = await writeTinyDataset(join(folder, 'data'));
  (manifest['road']?.['test']?.[0] as { camera: string }).camera = 'road train 0';
  await writeFile(join(folder, 'data/parts.json'), JSON.stringify(manifest));
  const { exit, err } = await camfleetTrain(...onTiny('--passes', '1'));
  expect(exit).toBe(EXIT.refused);
  expect(err).toMatch(/road train 0/);
  const forced = await camfleetTrain(...onTiny('--passes', '1', '--force'));
  expect(forced.exit).toBe(EXIT.done);
  expect(forced.err).toMatch(/Note: .*road train 0/);
});

test('--help teaches what M0, M1, Eq. 2 and Eq. 3 are', async () => {
  const { exit, out } = await camfleetTrain('--help');
  expect(exit).toBe(EXIT.done);
  for (const word of ['M0', 'M1', 'Eq. 2', 'Eq. 3', 'T_r', '--resume', '--demo', 'Exit codes']) expect(out).toContain(word); // prettier-ignore
});
