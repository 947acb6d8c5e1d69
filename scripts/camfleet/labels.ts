import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Command } from 'commander';
import type { Api, ConnectionOptions, Query } from './api.ts';
import { sizeOf } from './camera-import.ts';
import { csvLine } from '../../common/dataset/csv.ts';
import { listing, table } from './terminal.ts';
import { apiOf, id, instantWithOffset, print, printLines, speaksApi, verb, wholeNumber } from './verb.ts';
import type { Context, Printing } from './verb.ts';

interface Label extends Record<string, unknown> {
  id: number;
  digest: string;
  cameraId: number;
  label: string;
  labelledBy: string;
  labelledAt: number;
  fetchedAt: number;
}

interface Report {
  read: number;
  added: number;
  changed: number;
  unchanged: number;
  rejected: number;
  rejections: { line: number; reason: string }[];
}

interface Classes {
  frames: number;
  good: number;
  classes: {
    label: string;
    frames: number;
    good: number;
    cameras: number;
    parts: { training: number; reference: number; test: number };
  }[];
}

type Common = ConnectionOptions & Printing;
interface ListOptions extends Common {
  label?: string;
  camera?: number;
  history?: boolean;
  limit?: number;
}

export function addLabelCommands(program: Command, context: Context): void {
  const labels = program.command('labels').description('Labels: what frames show, as people or simulated cameras say');
  addImport(labels, context);
  addList(labels, context);
  addExport(labels, context);
  addMissing(labels, context);
  const classes = verb(labels, 'classes', 'Frames and cameras of each class, and their parts', ['labels classes']);
  speaksApi(classes).action(async (options: Common) => {
    const answer = await (await apiOf(options, context)).get<Classes>('/labels/classes');
    print(context, options, answer, () =>
      table(
        ['CLASS', 'FRAMES', 'GOOD', 'CAMERAS', 'TRAINING', 'REFERENCE', 'TEST'],
        answer.classes.map(({ label, frames, good, cameras, parts: { training, reference, test } }) => [
          ...[label, frames, good, cameras, training, reference, test],
        ]),
      ),
    );
  });
}

const TYPES: Readonly<Record<string, string>> = { '.csv': 'csv', '.tsv': 'csv', '.jsonl': 'jsonl', '.ndjson': 'jsonl' };
const SHOWN_REJECTIONS = 20;

function addImport(labels: Command, context: Context): void {
  const command = verb(labels, 'import <file>', 'Label frames from CSV or JSON Lines; "-" reads stdin', [
    'labels import labels.csv',
    'labels import seen.csv --timezone America/New_York --rejected rejected.jsonl',
  ])
    .option('--timezone <zone>', 'IANA time zone of times without offset, such as Europe/Berlin')
    .option('--format <format>', 'csv, json or jsonl (default: by the name, else by the content)')
    .option('--rejected <file>', 'write every rejected row with line and reason, as JSON lines')
    .addHelpText(
      'after',
      '\nColumns: digest,label or camera,time,label. A camera is its id, or the id that its source gave it; its kept\nframe nearest to the time is labelled, if it is within 1 s.\n',
    );
  speaksApi(command).action(
    async (file: string, options: Common & { timezone?: string; format?: string; rejected?: string }) => {
      if (file !== '-') await sizeOf(file);
      const api = await apiOf(options, context);
      const report = await api.upload<Report>('/labels/import', file === '-' ? process.stdin : createReadStream(file), {
        query: {
          format: options.format ?? TYPES[extname(file).toLowerCase()],
          timeZone: options.timezone,
          ...(options.rejected !== undefined && { mostRejections: 100_000 }),
        },
      });
      if (options.rejected !== undefined) {
        await writeFile(options.rejected, report.rejections.map((one) => `${JSON.stringify(one)}\n`).join(''));
      }
      print(context, options, report, () => reportWords(report));
    },
  );
}

function reportWords({ rejections, ...counts }: Report): string {
  const lines = rejections.slice(0, SHOWN_REJECTIONS).map(({ line, reason }) => `line ${line}: ${reason}\n`);
  const more = counts.rejected - lines.length;
  return `${listing(counts)}${lines.length > 0 ? '\n' : ''}${lines.join('')}${more > 0 ? `… and ${more} more; --rejected FILE writes all of them.\n` : ''}`;
}

async function* pages(api: Api, query: Query, most: number): AsyncGenerator<Label[]> {
  let left = most;
  for (let after: number | null = 0; after !== null && left > 0;) {
    const page: { labels: Label[]; next: number | null } = await api.get('/labels', {
      ...query,
      after,
      limit: Math.min(5_000, left),
    });
    yield page.labels;
    left -= page.labels.length;
    after = page.next;
  }
}

const queryOf = ({ label, camera, history }: ListOptions): Query => ({ label, camera, ...(history && { history }) });

function filtered(command: Command): Command {
  const found = command
    .option('--label <class>', 'only this class')
    .option('--camera <id>', 'only this camera', id)
    .option('--history', 'labels that were replaced, too');
  return found;
}

function addList(labels: Command, context: Context): void {
  const command = filtered(
    verb(labels, 'list', 'Labels with who gave them and when', ['labels list --label highway', 'labels list --jsonl']),
  ).option('--limit <n>', 'at most so many (default: 50 on a terminal, else all)', wholeNumber(1, 100_000_000));
  speaksApi(command, { lists: true }).action(async (options: ListOptions) => {
    const api = await apiOf(options, context);
    const isForPeople = !options.json && !options.jsonl && context.terminal.isInteractive;
    const all: Label[] = [];
    for await (const page of pages(api, queryOf(options), options.limit ?? (isForPeople ? 50 : Infinity))) {
      if (options.jsonl) printLines(context, page);
      else all.push(...page);
    }
    if (options.jsonl) return;
    print(context, options, { labels: all }, () =>
      table(
        ['FRAME', 'CAMERA', 'LABEL', 'FETCHED', 'BY', 'LABELLED'],
        all.map(({ digest, cameraId, label, fetchedAt, labelledBy, labelledAt }) => [
          ...[digest.slice(0, 16), cameraId, label, instant(fetchedAt), labelledBy, instant(labelledAt)],
        ]),
      ),
    );
  });
}

const instant = (at: number): string => new Date(at).toISOString();

function addExport(labels: Command, context: Context): void {
  const command = filtered(
    verb(labels, 'export', 'All labels as CSV, which "labels import" reads again', ['labels export > labels.csv']),
  );
  speaksApi(command, { lists: true }).action(async (options: ListOptions) => {
    const api = await apiOf(options, context);
    const all: Label[] = [];
    if (!options.json && !options.jsonl) context.terminal.out('digest,label,camera,time,labelled_by,labelled_at\n');
    for await (const page of pages(api, queryOf(options), Infinity)) {
      if (options.jsonl) printLines(context, page);
      else if (options.json) all.push(...page);
      else context.terminal.out(page.map(exportLine).join(''));
    }
    if (options.json) print(context, options, { labels: all }, () => '');
  });
}

interface Missing extends Record<string, unknown> {
  digest: string;
  cameraId: number;
  camera: string;
  fetchedAt: number;
}

function addMissing(labels: Command, context: Context): void {
  const command = verb(labels, 'missing', 'Good frames without label as CSV, to be filled in and imported', [
    'labels missing > to-label.csv',
    'labels missing --since 2026-03-01T00:00:00Z --jsonl',
  ]).option('--since <time>', 'fetched from then on, with offset such as 2026-03-01T00:00:00Z', instantWithOffset);
  speaksApi(command, { lists: true }).action(async (options: Common & { since?: number }) => {
    const api = await apiOf(options, context);
    const all: Missing[] = [];
    if (!options.json && !options.jsonl) context.terminal.out('digest,label,camera,time,name\n');
    for (let after: string | null = ''; after !== null;) {
      const query: Query = { after, since: options.since, limit: 5_000 };
      const page: { frames: Missing[]; next: string | null } = await api.get('/labels/missing', query);
      if (options.jsonl) printLines(context, page.frames);
      else if (options.json) all.push(...page.frames);
      else context.terminal.out(page.frames.map(missingLine).join(''));
      after = page.next;
    }
    if (options.json) print(context, options, { frames: all }, () => '');
  });
}

const missingLine = ({ digest, cameraId, camera, fetchedAt }: Missing): string =>
  csvLine([digest, '', cameraId, instant(fetchedAt), camera]);

const exportLine = ({ digest, label, cameraId, fetchedAt, labelledBy, labelledAt }: Label): string =>
  csvLine([digest, label, cameraId, instant(fetchedAt), labelledBy, instant(labelledAt)]);
