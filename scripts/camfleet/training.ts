import { setTimeout as sleep } from 'node:timers/promises';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Evaluation, TrainingReport } from '../../common/domain/training.ts';
import { promoteRules } from '../../common/protocol/training.ts';
import type { PromoteRule, TrainingRun, TrainingRunSummary } from '../../common/protocol/training.ts';
import { AppError, EXIT } from '../../common/runtime/errors.ts';
import type { Api, ConnectionOptions } from './api.ts';
import { ago, listing, table } from './terminal.ts';
import { apiOf, id, interval, levels, print, printLines, speaksApi, verb, views, wholeNumber } from './verb.ts';
import type { Context, Printing } from './verb.ts';

type Common = ConnectionOptions & Printing;
interface StartOptions extends Common {
  dataset?: string;
  budget?: number;
  passes?: number;
  seed?: number;
  preset?: string;
  backbone?: string;
  levels?: 1 | 2;
  views?: 'fresh' | number;
  fusion?: string;
  promote?: PromoteRule;
  wait?: boolean;
}

const ASK_EVERY_MS = 1_000;

export function addTrainingCommands(program: Command, context: Context): void {
  const training = program.command('training').description('Training runs: list, show, start, cancel');
  addList(training, context);
  addShow(training, context);
  addStart(training, context);
  const cancel = verb(training, 'cancel <id>', 'Stop a training run, or do not begin it', ['training cancel 3']);
  cancel.registeredArguments[0]?.argParser(id);
  speaksApi(cancel).action(async (run: number, options: Common) => {
    const answer = await (await apiOf(options, context)).post<TrainingRun>(`/training/runs/${run}/cancel`);
    print(context, options, answer, () =>
      answer.state === 'cancelled' ? `Training run ${run} is cancelled.\n` : `Training run ${run} ends soon.\n`,
    );
  });
}

function addList(training: Command, context: Context): void {
  const list = verb(training, 'list', 'Training runs, newest first', [
    'training list',
    'training list --json',
  ]).addOption(new Option('--limit <n>', 'at most so many').argParser(wholeNumber(1, 200)).default(20));
  speaksApi(list, { lists: true }).action(async (options: Common & { limit: number }) => {
    const { limit } = options;
    const answer = await (
      await apiOf(options, context)
    ).get<{ runs: TrainingRunSummary[] }>('/training/runs', { limit });
    if (options.jsonl) return printLines(context, answer.runs);
    print(context, options, answer, () =>
      table(
        ['ID', 'STATE', 'DATASET', 'ASKED BY', 'CREATED', 'MACRO F1', 'ACCURACY', 'MODEL', 'WHAT'],
        answer.runs.map((run) => [
          run.id,
          run.state,
          run.dataset,
          run.askedBy,
          ago(run.createdAt),
          run.figures?.macroF1.toFixed(3),
          run.figures?.accuracy.toFixed(3),
          run.modelVersion?.slice(0, 12),
          whatOf(run),
        ]),
      ),
    );
  });
}

function addShow(training: Command, context: Context): void {
  const show = verb(training, 'show <id>', 'One training run with its progress, or its report', [
    'training show 3',
    'training show 3 --json',
  ]);
  show.registeredArguments[0]?.argParser(id);
  speaksApi(show).action(async (run: number, options: Common) => {
    const answer = await (await apiOf(options, context)).get<TrainingRun>(`/training/runs/${run}`);
    print(context, options, answer, () => inWords(answer));
  });
}

function addStart(training: Command, context: Context): void {
  const start = verb(training, 'start', 'Train on a snapshot, or on a new one of all labels', [
    'training start',
    'training start --dataset cameras-2026 --budget 30min --wait',
    'training start --promote always',
  ])
    .option('--dataset <name>', 'an existing snapshot (default: a new one)')
    .option('--budget <time>', 'how long training both models may take, e.g. 30min', interval)
    .addOption(new Option('--passes <n>', 'passes over the training images instead').argParser(wholeNumber(1, 100_000)))
    .option('--preset <name>', 'settings by name; "camfleet train --help" lists them')
    .option('--backbone <name>', 'trunk in the trainer’s data folder to train on, by name or digest')
    .option('--levels <n>', '1: the head; 2: then the blocks behind the cut, too', levels)
    .option('--views <k>', '"fresh", or at most so many cached views of a picture', views)
    .addOption(new Option('--fusion <rule>', 'how T_r is chosen').choices(['paper', 'search', 'modern', 'mean']))
    .addOption(new Option('--seed <n>', 'for repeatable runs').argParser(wholeNumber(0, 2_147_483_647)))
    .addOption(
      new Option('--promote <rule>', 'when the model goes into force (default: as configured)').choices(promoteRules),
    )
    .option('--wait', 'until it is done; exit code 1 when it fails');
  speaksApi(start).action(async (options: StartOptions) => {
    const api = await apiOf(options, context);
    const { dataset, budget, passes, seed, preset, promote, backbone, levels: upTo, views: seen, fusion } = options;
    const run = await api.post<TrainingRun>('/training/runs', {
      ...(dataset !== undefined && { dataset }),
      ...(promote !== undefined && { promote }),
      settings: {
        ...(budget !== undefined && { budgetSeconds: budget / 1_000 }),
        ...(passes !== undefined && { passes }),
        ...(seed !== undefined && { seed }),
        ...(preset !== undefined && { preset }),
        ...{ backbone, levels: upTo, views: seen, fusion },
      },
    });
    if (!options.wait) {
      return print(context, options, run, () => `Training run ${run.id} on ${run.dataset} waits for a trainer.\n`);
    }
    const ended = await untilEnded(api, run.id, context);
    print(context, options, ended, () => inWords(ended));
    if (ended.state !== 'succeeded') {
      throw new AppError('TRAINING_FAILED', `Training run ${run.id} ${ended.state}: ${ended.error ?? 'by request'}`, {
        details: { exit: EXIT.failed },
      });
    }
  });
}

async function untilEnded(api: Api, run: number, { terminal }: Context): Promise<TrainingRun> {
  for (let said = ''; ;) {
    const now = await api.get<TrainingRun>(`/training/runs/${run}`);
    if (now.state !== 'waiting' && now.state !== 'running') return now;
    const line = whatOf(now);
    if (line !== said) terminal.err(`${line}\n`);
    said = line;
    await sleep(ASK_EVERY_MS);
  }
}

/** What goes on, or how it ended. */
function whatOf({ state, note, progress, decision, error }: TrainingRunSummary): string {
  if (state === 'waiting') return error === null ? 'waits for a trainer' : `waits again: ${error}`;
  if (state !== 'running') return decision ?? error ?? '';
  if (progress === null || note !== 'trains') return note ?? 'begins';
  const { run, iteration, iterations, etaSeconds, macroF1 } = progress;
  return `${run.toUpperCase()} pass ${iteration}/${iterations}, macro F1 ${macroF1.toFixed(3)}, ${Math.round(etaSeconds)} s left`;
}

function inWords(run: TrainingRun): string {
  const facts = listing({
    id: run.id,
    state: run.state,
    dataset: run.dataset,
    askedBy: run.askedBy,
    promote: run.promote,
    settings: Object.keys(run.settings).length > 0 ? run.settings : null,
    trainer: run.trainer,
    what: whatOf(run),
    modelVersion: run.modelVersion,
    created: ago(run.createdAt),
    claimed: run.claimedAt && ago(run.claimedAt),
    heardOf: run.heartbeatAt && ago(run.heartbeatAt),
    finished: run.finishedAt && ago(run.finishedAt),
  });
  return run.report ? `${facts}\n${reportTables(run.report)}` : facts;
}

export function reportTables(report: TrainingReport): string {
  const { test, counts, ratios, fusion } = report;
  const models: [string, Evaluation][] = [
    ['M0', test.m0],
    ['M1', test.m1],
    ['mean', test.mean],
    ['fused', test.fused],
  ];
  const figures = table(
    ['MODEL', 'ACCURACY', 'MACRO F1', 'WEIGHTED F1', 'TEST IMAGES'],
    models.map(([name, figure]) => [
      name,
      figure.accuracy.toFixed(3),
      figure.macroF1.toFixed(3),
      figure.weightedF1.toFixed(3),
      figure.images,
    ]),
  );
  const classes = table(
    ['CLASS', 'P/N', 'TRAINING', 'TEST', 'F1 M0', 'F1 M1', 'F1 FUSED'],
    report.dataset.classes.map((label, j) => [
      label,
      (ratios[j] ?? 0).toFixed(3),
      counts.training[j] ?? 0,
      counts.test[j] ?? 0,
      ...[test.m0, test.m1, test.fused].map((figure) => (figure.perClass[j]?.f1 ?? 0).toFixed(2)),
    ]),
  );
  const words = listing({
    engine: report.engine,
    preset: report.preset,
    network: report.network,
    weights: report.weights,
    split: report.dataset.split,
    T_r: `${fusion.kind === 'mean' ? 'none' : fusion.threshold.toFixed(3)} (${fusion.rule})`,
    seconds: Math.round(report.seconds),
  });
  const warnings = report.warnings.map((warning) => `warning: ${warning}\n`).join('');
  return [figures, classes, words, warnings].filter((part) => part !== '').join('\n');
}
