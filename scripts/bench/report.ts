import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

export interface BenchResult {
  bench: string;
  /** Measured pairwise in the same run; larger is better. */
  ratios: Record<string, number>;
  figures: Record<string, number>;
  machine: { cpu: string; cores: number; node: string };
}

export function machine(): BenchResult['machine'] {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
}

export interface BenchOptions {
  json: boolean;
  seconds: number;
  /** The benchmark's own flags as they were given; a string that is absent is ''. */
  flags: Record<string, string | boolean>;
}

/** Options of every benchmark, and `flags` of its own; `--help` prints `usage` and ends. */
export function benchOptions(
  usage: string,
  { seconds: usual = 4, flags = {} }: { seconds?: number; flags?: Record<string, 'boolean' | 'string'> } = {},
): BenchOptions {
  const own = Object.entries(flags).map(([name, type]) => [name, { type, default: type === 'boolean' ? false : '' }]);
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      seconds: { type: 'string', default: String(usual) },
      help: { type: 'boolean' },
      ...(Object.fromEntries(own) as Record<string, { type: 'boolean' | 'string'; default: boolean | string }>),
    },
  });
  if (values.help) {
    console.log(
      `${usage}\n\n  --json         the last line of stdout is one object\n  --seconds N    how long each part is measured (default ${usual})`,
    );
    process.exit(0);
  }
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) {
    console.error(`--seconds must be a positive number, not ${String(values.seconds)}.`);
    process.exit(2);
  }
  const given = values as Record<string, string | boolean>;
  return {
    json: given['json'] === true,
    seconds,
    flags: Object.fromEntries(Object.keys(flags).map((name) => [name, given[name] as string | boolean])),
  };
}

/** Ratios first; with `--json` the object alone on the last line. */
export function printResult(result: BenchResult, json: boolean): void {
  const table = (rows: Record<string, number>) =>
    Object.entries(rows).map(([name, value]) => `  ${name.padEnd(28)} ${Number(value.toPrecision(4))}`);
  const text = [
    `bench:${result.bench}`,
    'ratios (larger is better)',
    ...table(result.ratios),
    'figures',
    ...table(result.figures),
    `  ${result.machine.cpu}, ${result.machine.cores} cores, Node ${result.machine.node}`,
  ];
  console.error(text.join('\n'));
  if (json) console.log(JSON.stringify(result));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/**
 * Units of work a second of each variant. The variants take turns in short rounds, so that a noisy machine disturbs all of
 * them alike; the order turns round by round.
 */
export async function takeTurns(
  variants: Record<string, () => Promise<number>>,
  { seconds, rounds = 8 }: { seconds: number; rounds?: number },
): Promise<Record<string, number[]>> {
  const names = Object.keys(variants);
  const rates: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of names) await variants[name]?.();
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length] as string;
      rates[name]?.push(await rateOf(variants[name] as () => Promise<number>, (seconds * 1_000) / rounds));
    }
  }
  return rates;
}

async function rateOf(work: () => Promise<number>, ms: number): Promise<number> {
  const started = performance.now();
  let units = 0;
  do units += await work();
  while (performance.now() - started < ms);
  return (units * 1_000) / (performance.now() - started);
}

/** Median over the rounds of `a`'s rate divided by `b`'s in the same round. */
export function pairedRatio(rates: Record<string, number[]>, a: string, b: string): number {
  return median((rates[a] ?? []).map((rate, round) => rate / (rates[b]?.[round] as number)));
}
