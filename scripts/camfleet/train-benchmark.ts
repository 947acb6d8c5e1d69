import { Option } from 'commander';
import type { Command } from 'commander';
import { AppError, codeOf, EXIT, messageOf } from '../../common/runtime/errors.ts';
import type { BenchmarkHooks, BenchmarkReport } from '../../trainer/benchmark/main.ts';
import { backbonesOf, findBackbone } from '../../trainer/backbone/folder.ts';
import { table } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { wholeNumber, words } from './verb.ts';
import type { Context } from './verb.ts';

interface BenchmarkFlags {
  dataset: string;
  profile?: string[];
  balancedTest?: string;
  backbone: string;
  data: string;
  layer?: string;
  splits: number;
  seeds: number;
  rows?: string[];
  split?: 'camera' | 'random';
  views?: number;
  passes?: number;
  engine?: string;
  threads?: number;
  features?: string;
  full?: boolean;
  level2?: boolean;
  level2Passes?: number;
  fresh?: boolean;
  trunk?: 'fp32' | 'int8';
  force?: boolean;
  plan?: boolean;
  out: string;
  json?: boolean;
}

const HELP = `
Rows: the six of the paper's Table 1 (Basic CNN, deep features + SVM, transfer learning without, with basic and with
balanced augmentation, the proposed method at T_r = .3, searched, and as the preset "modern"), and what the field
expects today (balanced softmax, logit adjustment, cRT, CDB, M1 alone, means of two models). "pilot" is a check with one
softmax layer, no augmentation and 20 passes. --level-2 adds M0, M1 and their fusion with the top blocks fine-tuned, --fresh
M0, M1 and their fusion without the pool of views; both on the first split of the smallest profile, unless --full.
--trunk int8 makes an 8-bit trunk of the backbone (pictures of the first split's training part set its ranges), trains
M0, M1 and their fusions on its features, and prints the paired loss of Avg F1 with its 95 % limits.

It goes on where it was stopped: what is in --out and in the feature cache is never computed again, also with more
splits, rows or profiles. One benchmark at a time may use a feature cache.

Examples:
  $ camfleet train benchmark --dataset places19 --profile profileB.json --balanced-test balanced-test.json --plan
  $ camfleet train benchmark --dataset places19 --profile profileA.json --profile profileB.json \\
      --balanced-test balanced-test.json --backbone inception_v3_notop.h5 --splits 10
  $ camfleet train benchmark --dataset places19 --profile profileB.json --splits 10 --trunk int8 --rows m0,proposed-.3,modern
  $ camfleet train benchmark --dataset my-snapshot --rows m0,modern,mean --splits 3
`;

/** A verb of `camfleet train`. */
export function addTrainBenchmarkCommand(program: Command, context: Context): void {
  const train = program.commands.find((command) => command.name() === 'train') as Command;
  // Options behind the verb are the verb's, though some have the names of options of `train`.
  train.enablePositionalOptions();
  program.enablePositionalOptions();
  train
    .command('benchmark')
    .description('Compare the method with its rivals on one dataset, and write the report')
    .requiredOption('--dataset <dir>', 'folder of labelled pictures')
    .option('--profile <file>', 'manifest of parts; may be given several times', collect)
    .option('--balanced-test <file>', 'manifest of further test pictures, equally many of each class')
    .option('--backbone <which>', 'name or digest, its folder, or a file of weights', 'inception-v3')
    .option('--data <folder>', 'data folder, where backbones are', 'data')
    .option('--layer <name>', 'where features are taken (default: the last, mixed10 of InceptionV3)')
    .option('--splits <n>', 'the dataset’s own parts, and so many less one drawn anew', wholeNumber(1, 1000), 1)
    .option('--seeds <n>', 'of training, for each split', wholeNumber(1, 100), 1)
    .option('--rows <names>', 'some rows only, with commas', words)
    .addOption(new Option('--split <rule>', 'how parts are drawn anew').choices(['camera', 'random']))
    .option('--views <n>', 'most augmented views of a picture; 0: none (default: up to 32)', wholeNumber(0, 32))
    .option('--passes <n>', 'over the training part (default: 40)', wholeNumber(1, 100_000))
    .option('--engine <name>', 'that trains the heads (default: onnxruntime)')
    .option('--threads <n>', 'of trunk and engine (default: all cores)', wholeNumber(1, 1024))
    .option('--features <dir>', 'feature cache (default: OUT/features)')
    .option('--level-2', 'rows that train the top blocks, too: hours without a GPU, gigabytes of cache')
    .option('--level-2-passes <n>', 'passes of level 2 (default: 20)', wholeNumber(1, 1000))
    .option(
      '--fresh',
      'M0 and M1 with a new view of a picture every time, too: hours; sizes what the pool of views costs',
    )
    .addOption(
      new Option('--trunk <precision>', 'int8: make an 8-bit trunk, train on it, too, and say what it costs').choices([
        'fp32',
        'int8',
      ]),
    )
    .option('--full', 'costly rows on every split of every profile')
    .option('--force', 'go on although the same picture or camera is in two parts')
    .option('--plan', 'say what it would cost, and stop')
    .option('--out <dir>', 'where everything goes', 'data/benchmark')
    .option('--json', 'print the report as one JSON document')
    .addHelpText('after', HELP)
    .action((flags: BenchmarkFlags) => run(flags, context));
}

const collect = (value: string, earlier: string[] | undefined): string[] => [...(earlier ?? []), value];

async function run(flags: BenchmarkFlags, { terminal }: Context): Promise<void> {
  const stopping = new AbortController();
  const stop = (): void => {
    if (stopping.signal.aborted) process.exit(EXIT.failed);
    stopping.abort();
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, stop);
  try {
    const { availableParallelism } = await import('node:os');
    // Loaded here: ONNX Runtime would slow every other command's start.
    const { runBenchmark } = await import('../../trainer/benchmark/main.ts');
    const { profile, split, views, plan, data, threads, json, level2, level2Passes, ...same } = flags;
    const outcome = await runBenchmark(
      {
        ...same,
        profiles: profile ?? [],
        backbone: await backboneOf(flags.backbone, data),
        redraw: split,
        mostViews: views,
        planOnly: plan,
        levelTwo: level2,
        levelTwoPasses: level2Passes,
        threads: threads ?? availableParallelism(),
      },
      hooksOf(terminal, stopping.signal),
    );
    if (json) terminal.out(`${JSON.stringify(outcome.report ?? outcome.cost)}\n`);
    else if (outcome.report) show(terminal, outcome.report, flags.out);
  } catch (error) {
    throw withExit(error);
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}

/** A path is taken as it is, anything else is the name of an imported backbone. */
export async function backboneOf(which: string, data: string): Promise<string> {
  const { stat } = await import('node:fs/promises');
  if (await stat(which).catch(() => undefined)) return which;
  return (await findBackbone(backbonesOf(data), which)).folder;
}

/** Redraws one line on a terminal; elsewhere a line a minute. */
function hooksOf(terminal: Terminal, signal: AbortSignal): BenchmarkHooks {
  const every = terminal.showsProgress ? 200 : 60_000;
  let drawnAt = 0;
  let isOpen = false;
  const line = (text: string): void => {
    terminal.err(`${isOpen ? '\n' : ''}${text}\n`);
    isOpen = false;
  };
  return {
    signal,
    onStage: line,
    onModel: (where, model, { seconds }, wasKept) => {
      line(`${where}: ${model} ${wasKept ? 'is there already' : `done in ${seconds.toFixed(1)} s`}`);
    },
    onProgress: (stage, done, all, secondsLeft) => {
      if (Date.now() - drawnAt < every && done < all) return;
      drawnAt = Date.now();
      const left = Number.isFinite(secondsLeft) && secondsLeft > 0 ? `, ${timeOf(secondsLeft)} left` : '';
      const text = `${stage}: ${done} of ${all}${left}`;
      if (!terminal.showsProgress) return line(text);
      terminal.err(`\r${text.padEnd(70)}`);
      isOpen = true;
    },
  };
}

const timeOf = (seconds: number): string =>
  seconds < 90 ? `${Math.ceil(seconds)} s` : seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`; // prettier-ignore

function show(terminal: Terminal, report: BenchmarkReport, out: string): void {
  const figure = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(3));
  const { ground, bars, claims, rows, profiles, warnings, differences, int8, approximations } = report;
  for (const { name } of profiles) {
    terminal.out(`\n${name}, judged on ${ground}, mean over runs; differences to M0 with their 95 % interval\n`);
    terminal.out(
      table(
        ['ROW', 'RUNS', 'ACC', 'AVG F1', 'WAVG F1', 'OWN TEST ACC', 'AVG F1', 'AVG F1 TO M0'],
        rows.flatMap((row) => {
          const found = row.profiles[name];
          if (!found) return [];
          const [main, test] = [found.figures[ground], found.figures.test];
          const to = differences[ground]?.profiles[name]?.[row.name]?.['macroF1'];
          const difference = to ? `${to.mean.toFixed(3)} [${to.lower.toFixed(3)}, ${to.upper.toFixed(3)}]` : '';
          return [[row.title, found.runs, figure(main?.accuracy), figure(main?.macroF1), figure(main?.weightedF1), figure(test?.accuracy), figure(test?.macroF1), difference]]; // prettier-ignore
        }),
      ),
    );
  }
  for (const { row, verdict } of bars) terminal.out(`Bar of ${row}: ${verdict}\n`);
  for (const row of int8?.rows ?? []) terminal.out(`${row.words}\n`);
  for (const { fresh, cached, difference } of approximations) {
    const { mean, lower, upper } = difference.macroF1;
    terminal.out(`${fresh} − ${cached}: Avg F1 ${figure(mean)} [${figure(lower)}, ${figure(upper)}]\n`);
  }
  for (const { words: claim, verdict } of claims) terminal.out(`${claim}: ${verdict}\n`);
  for (const warning of warnings) terminal.err(`Note: ${warning}\n`);
  terminal.out(`Report ${out}/report.html\n`);
}

/** Mistakes in what was asked for; anything else is a failure. */
const USAGE = ['BENCHMARK_OPTIONS', 'ENGINE_UNKNOWN', 'BACKBONE_LAYER_UNKNOWN', 'DATASET_NOT_FOUND', 'DATASET_SPLIT_UNKNOWN', 'BACKBONE_NOT_FOUND', 'BACKBONE_KIND_UNKNOWN']; // prettier-ignore

function withExit(error: unknown): unknown {
  if (!(error instanceof AppError)) return error;
  const code = codeOf(error) ?? '';
  const isLeak = code === 'DATASET_LEAK' || code === 'BENCHMARK_LEAK';
  const exit = USAGE.includes(code) ? EXIT.usage : isLeak ? EXIT.refused : EXIT.failed;
  return new AppError(code, messageOf(error), { cause: error, details: { ...error.details, exit } });
}
