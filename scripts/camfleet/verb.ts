import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { connect } from './api.ts';
import type { Api, ConnectionOptions } from './api.ts';
import { processTerminal } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export interface Context {
  terminal: Terminal;
  environment: NodeJS.ProcessEnv;
}

export const processContext: Context = { terminal: processTerminal, environment: process.env };

export interface Printing {
  json?: boolean;
  jsonl?: boolean;
}

/** A command with a line of help and examples; `examples` are full command lines. */
export function verb(parent: Command, usage: string, summary: string, examples: readonly string[]): Command {
  return parent
    .command(usage)
    .description(summary)
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ camfleet ${example}\n`).join('')}`);
}

/** Adds what every verb that asks the coordinator takes. `lists` takes `--jsonl`, too. */
export function speaksApi(command: Command, { lists = false } = {}): Command {
  command
    .option('--url <url>', 'the coordinator (CAMFLEET_URL; default http://127.0.0.1:8600)')
    .option('--token <token>', 'API token (CAMFLEET_TOKEN; default: the one in DATA/keys of this machine)')
    .option('--data <folder>', 'data folder of the coordinator on this machine (default: data)')
    .option('--json', 'print one JSON document');
  if (lists) command.addOption(new Option('--jsonl', 'print one JSON object a line').conflicts('json'));
  return command;
}

export const apiOf = (options: ConnectionOptions, { environment }: Context): Promise<Api> =>
  connect(options, environment);

/** Prints an answer: as it is for programs, in words for people. */
export function print(context: Context, options: Printing, answer: unknown, words: () => string): void {
  context.terminal.out(options.json ? `${JSON.stringify(answer)}\n` : words());
}

export function printLines(context: Context, items: readonly unknown[]): void {
  context.terminal.out(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
}

export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
  };

/** Levels of training on a backbone. */
export function levels(text: string): 1 | 2 {
  if (text === '1' || text === '2') return Number(text) as 1 | 2;
  throw new InvalidArgumentError('Give 1 or 2.');
}

/** Views of a picture in training: `fresh`, or how many are cached. */
export const views = (text: string): 'fresh' | number => (text === 'fresh' ? text : wholeNumber(1, 32)(text));

export const decimal = (text: string): number => {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number.');
};

/** A length of time as ms: `30`, `30s`, `5min`, `2h`. */
export const interval = (text: string): number => {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?$/.exec(text.trim()) ?? [];
  const factor = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }[unit];
  if (number !== undefined && factor !== undefined) return Math.round(Number(number) * factor);
  throw new InvalidArgumentError('Expected a time such as 30s, 5min or 2h.');
};

/** An instant as ms since the epoch; the offset must be there. */
export const instantWithOffset = (text: string): number => {
  const at = /(Z|[+-]\d{2}:?\d{2})$/i.test(text) ? Date.parse(text) : NaN;
  if (Number.isFinite(at)) return at;
  throw new InvalidArgumentError('Expected a time with offset such as 2026-03-01T00:00:00Z.');
};

export const words = (text: string): string[] =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');

export const id = wholeNumber(1, 2_147_483_647);
/** For arguments that repeat. */
export const ids = (text: string, earlier: number[] | undefined): number[] => [...(earlier ?? []), id(text)];
