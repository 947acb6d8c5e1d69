import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Dataset } from '../../common/domain/dataset.ts';
import type { Api, ConnectionOptions } from './api.ts';
import { addFilterOptions, filterQuery, isFiltered } from './camera-filter.ts';
import type { FilterOptions } from './camera-filter.ts';
import { pullDataset } from '../../common/dataset/pull.ts';
import { ago, listing, progressBar, table } from './terminal.ts';
import { apiOf, instantWithOffset, interval, print, printLines, speaksApi, verb, wholeNumber, words } from './verb.ts';
import type { Context, Printing } from './verb.ts';

type Common = ConnectionOptions & Printing;

interface CreateOptions extends Common, FilterOptions {
  perCamera?: number;
  classes?: string[];
  since?: number;
  until?: number;
  captureNow?: boolean;
  wait: number;
}

interface Capture {
  askedAt: number;
  asked: number;
  came: number;
  bad: number;
}

export function addDatasetCommands(program: Command, context: Context): void {
  const datasets = program.command('datasets').description('Datasets: immutable snapshots of labelled frames');
  addCreate(datasets, context);
  const list = verb(datasets, 'list', 'All datasets, newest first', ['datasets list', 'datasets list --jsonl']);
  speaksApi(list, { lists: true }).action(async (options: Common) => {
    const answer = await (await apiOf(options, context)).get<{ datasets: Dataset[] }>('/datasets');
    if (options.jsonl) return printLines(context, answer.datasets);
    print(context, options, answer, () =>
      table(
        ['NAME', 'SAMPLES', 'CAMERAS', 'CLASSES', 'MB', 'CREATED', 'DIGEST'],
        answer.datasets.map(({ name, samples, cameras, classes, bytes, createdAt, digest }) => [
          ...[name, samples, cameras, classes.length, megabytes(bytes), ago(createdAt), digest.slice(0, 16)],
        ]),
      ),
    );
  });
  const show = verb(datasets, 'show <name>', 'One dataset with its classes and parts', ['datasets show spring']);
  speaksApi(show).action(async (name: string, options: Common) => {
    const dataset = await (await apiOf(options, context)).get<Dataset>(`/datasets/${encodeURIComponent(name)}`);
    print(context, options, dataset, () => datasetWords(dataset));
  });
  addPull(datasets, context);
}

const megabytes = (bytes: number): number => Math.round(bytes / 100_000) / 10;

function datasetWords({ classes, ...facts }: Dataset): string {
  const rows = classes.map(({ label, split, counts: { training, reference, test }, cameras, ratio }) => [
    ...[label, split, training, reference, test, cameras, ratio.toPrecision(3)],
  ]);
  const odd = classes.filter(({ split }) => split !== 'camera').length;
  const note =
    odd > 0
      ? `\n${odd} classes have too few cameras to be split by camera: what is measured of them is worth less.\n`
      : '';
  return `${listing(facts)}\n${table(['CLASS', 'SPLIT', 'TRAINING', 'REFERENCE', 'TEST', 'CAMERAS', 'P/N'], rows)}${note}`;
}

function addCreate(datasets: Command, context: Context): void {
  const command = verb(datasets, 'create <name>', 'Make an immutable snapshot of good labelled frames', [
    'datasets create spring --per-camera 3',
    'datasets create coast --classes beach,harbour --country AU --since 2026-03-01T00:00:00Z',
    'datasets create today --capture-now',
  ])
    .option('--per-camera <n>', 'frames of one camera at most, drawn over time (default: 1)', wholeNumber(1, 10_000))
    .option('--classes <names>', 'only these classes', words)
    .option('--query <words>', 'cameras with these words; the same as --text')
    .option('--since <time>', 'fetched from then on, with offset such as 2026-03-01T00:00:00Z', instantWithOffset)
    .option('--until <time>', 'fetched before then', instantWithOffset)
    .option('--capture-now', 'take a fresh frame of every active camera first')
    .option('--wait <time>', 'how long to wait for them (default: 60s)', interval, 60_000);
  addFilterOptions(speaksApi(command)).action(
    async (name: string, { query: queryText, ...options }: CreateOptions & { query?: string }) => {
      const filter = { ...options, text: options.text ?? queryText } as FilterOptions;
      const query = isFiltered(filter) ? { query: textOf(filterQuery(filter)) } : {};
      const api = await apiOf(options, context);
      const captured = options.captureNow ? await captureNow(api, query, options.wait, context) : undefined;
      const { perCamera, classes, since, until } = options;
      const dataset = await api.postPatiently<Dataset>('/datasets', {
        name,
        perCamera,
        classes,
        since,
        until,
        ...query,
      });
      print(context, options, { ...dataset, ...(captured && { captured }) }, () => datasetWords(dataset));
    },
  );
}

/** Query values as text, as a URL has them. */
const textOf = (query: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );

const LOOK_EVERY_MS = 500;

async function captureNow(api: Api, query: object, waitMs: number, { terminal }: Context): Promise<Capture> {
  let capture = await api.post<Capture>('/captures', query);
  const bar = progressBar(terminal, 'Capturing', capture.asked);
  const until = Date.now() + waitMs;
  while (capture.came + capture.bad < capture.asked && Date.now() < until) {
    await sleep(LOOK_EVERY_MS);
    capture = await api.get<Capture>('/captures', { askedAt: capture.askedAt });
    bar.at(capture.came + capture.bad);
  }
  bar.end();
  const { asked, came, bad } = capture;
  terminal.err(
    `${came} of ${asked} cameras gave a good frame, ${bad} something else, ${asked - came - bad} nothing yet. ` +
      `"camfleet labels missing" lists those without label; label them and take another snapshot.\n`,
  );
  return capture;
}

function addPull(datasets: Command, context: Context): void {
  const command = verb(datasets, 'pull <name> <folder>', 'Download a dataset; again goes on where it was broken off', [
    'datasets pull spring ./spring',
    'datasets pull spring ./spring --parallel 4 --json',
  ]).option('--parallel <n>', 'downloads at a time (default: 8)', wholeNumber(1, 64));
  speaksApi(command).action(async (name: string, folder: string, options: Common & { parallel?: number }) => {
    const api = await apiOf(options, context);
    let bar: ReturnType<typeof progressBar> | undefined;
    const pulled = await pullDataset(api, name, folder, {
      ...(options.parallel !== undefined && { parallel: options.parallel }),
      onProgress: ({ done, total }) => (bar ??= progressBar(context.terminal, 'Pulling', total)).at(done),
    });
    bar?.end();
    const { files, kept, downloaded, dataset } = pulled;
    const answer = { name, folder, digest: dataset.digest, files, kept, downloaded, bytes: pulled.bytes };
    print(
      context,
      options,
      answer,
      () =>
        `${folder} holds all ${files} pictures of "${name}": ${downloaded} downloaded, ${kept} were there already.\n`,
    );
  });
}
