import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { AppError, EXIT } from '../../common/runtime/errors.ts';
import type { Api, Query } from './api.ts';
import { addFilterOptions, filterQuery, isFiltered } from './camera-filter.ts';
import type { FilterOptions } from './camera-filter.ts';
import { importInBackground, uploadCameras, MOST_REJECTIONS } from './camera-import.ts';
import type { ImportAnswer } from './camera-import.ts';
import { addAdd } from './camera-add.ts';
import { addTimeline } from './health.ts';
import { addProbe } from './camera-probe.ts';
import { ago, listing, table } from './terminal.ts';
import { apiOf, id, ids, interval, print, printLines, speaksApi, verb, wholeNumber, words } from './verb.ts';
import type { Context, Printing } from './verb.ts';
import type { ConnectionOptions } from './api.ts';

interface Camera extends Record<string, unknown> {
  id: number;
  name: string;
  lastGoodAt: string | null;
}

interface Page {
  cameras: Camera[];
  next: number | null;
  count?: number;
}

type Common = ConnectionOptions & Printing;
const PAGE = 1_000;

export function addCameraCommands(program: Command, context: Context): void {
  const cameras = program.command('cameras').description('Cameras: add, probe, import, find, change, pause');
  addAdd(cameras, context);
  addProbe(cameras, context);
  addImport(cameras, context);
  addList(cameras, context);
  addShow(cameras, context);
  addTimeline(cameras, context);
  addSet(cameras, context);
  addMoves(cameras, context);
}

interface ImportOptions {
  format?: string;
  source?: string;
  sync?: boolean;
  rejected?: string;
  background?: boolean;
}

function addImport(cameras: Command, context: Context): void {
  const command = verb(cameras, 'import <file>', 'Import a file: CSV, JSON, JSON Lines or GeoJSON; "-" reads stdin', [
    'cameras import cameras.csv',
    'cameras import london.geojson --source tfl --sync',
    'cameras import cam2.json --rejected rejected.jsonl --json',
  ])
    .option('--format <format>', 'csv, json, jsonl or geojson (default: by the name, else by the content)')
    .option('--source <name>', 'source of rows that name none (default: name of the file)')
    .option('--sync', 'retire cameras of the same sources that the file lacks')
    .option('--background', 'upload and leave the import to a job; "camfleet jobs show ID" has its report')
    .option('--rejected <file>', `write rejected rows with line and reason, as JSON lines (the first ${MOST} of them)`);
  speaksApi(command).action(async (file: string, options: Common & ImportOptions) => {
    const api = await apiOf(options, context);
    if (options.background) {
      const job = await importInBackground(api, file, options);
      return print(
        context,
        options,
        job,
        () => `Job ${job.id} imports it; "camfleet jobs show ${job.id}" has its report.\n`,
      );
    }
    const report = await uploadCameras(api, context.terminal, file, options);
    if (options.rejected !== undefined) {
      await writeFile(
        options.rejected,
        report.rejections.map((rejection) => `${JSON.stringify(rejection)}\n`).join(''),
      );
    }
    print(context, options, report, () => reportWords(report));
  });
}

const SHOWN_REJECTIONS = 20;
const MOST = MOST_REJECTIONS.toLocaleString('en');

function reportWords(report: ImportAnswer): string {
  const { read, added, changed, unchanged, rejected, retired } = report;
  const lines = [...report.rejections.slice(0, SHOWN_REJECTIONS), ...report.notes].map(({ line, reason }) => [
    line,
    reason,
  ]);
  const more =
    rejected > SHOWN_REJECTIONS
      ? `… and ${rejected - SHOWN_REJECTIONS} more; --rejected FILE writes ${rejected > MOST_REJECTIONS ? `the first ${MOST}` : 'all'} of them.\n`
      : '';
  return `${listing({ read, added, changed, unchanged, rejected, retired })}${lines.length > 0 ? `\n${lines.map(([line, reason]) => `line ${line}: ${reason}\n`).join('')}` : ''}${more}`;
}

function addList(cameras: Command, context: Context): void {
  const command = verb(cameras, 'list', 'Find cameras by text, place, tag, kind or state', [
    'cameras list --text bridge --country US',
    'cameras list --near 51.5,-0.12 --km 25 --state black',
    'cameras list --box 170,-30,-170,0 --jsonl',
  ]).option('--limit <n>', 'at most so many (default: 50 on a terminal, else all)', wholeNumber(1, 10_000_000));
  addFilterOptions(speaksApi(command, { lists: true })).action(
    async (options: Common & FilterOptions & { limit?: number }) => {
      const api = await apiOf(options, context);
      const isForPeople = !options.json && !options.jsonl;
      const limit = options.limit ?? (isForPeople && context.terminal.isInteractive ? 50 : Infinity);
      const all: Camera[] = [];
      let count: number | undefined;
      for await (const page of pages(api, filterQuery(options), limit)) {
        count ??= page.count;
        if (options.jsonl) printLines(context, page.cameras);
        else all.push(...page.cameras);
      }
      if (options.jsonl) return;
      print(context, options, { cameras: all, count }, () => cameraTable(all) + rest(all.length, count));
    },
  );
}

const rest = (shown: number, count = shown): string =>
  count > shown ? `${shown} of ${count}; --limit shows more.\n` : '';

async function* pages(api: Api, filter: Query, limit: number): AsyncGenerator<Page> {
  let left = limit;
  for (let after: number | null = 0; after !== null && left > 0;) {
    const page: Page = await api.get('/cameras', {
      ...filter,
      after,
      limit: Math.min(PAGE, left),
      ...(after === 0 && { count: true }),
    });
    yield page;
    left -= page.cameras.length;
    after = page.next;
  }
}

const cameraTable = (cameras: readonly Camera[]): string =>
  table(
    ['ID', 'NAME', 'STATE', 'LAST GOOD', 'INTERVAL', 'COUNTRY', 'CITY', 'HOST', 'LIFECYCLE'],
    cameras.map((camera) => [
      camera.id,
      camera.name,
      camera['state'],
      ago(camera.lastGoodAt),
      `${Number(camera['intervalMs']) / 1_000} s`,
      camera['country'],
      camera['city'],
      camera['host'],
      camera['lifecycle'],
    ]),
  );

function addShow(cameras: Command, context: Context): void {
  const command = verb(cameras, 'show <id>', 'Everything that is known of a camera', [
    'cameras show 17',
    'cameras show 17 --json',
  ]);
  command.registeredArguments[0]?.argParser(id);
  speaksApi(command).action(async (camera: number, options: Common) => {
    const found = await (await apiOf(options, context)).get<Camera>(`/cameras/${camera}`);
    print(context, options, found, () => listing(found));
  });
}

function addSet(cameras: Command, context: Context): void {
  const command = verb(
    cameras,
    'set [ids...]',
    'Set interval, hours, priority or tags of cameras by id, or of all that match',
    [
      'cameras set 17 18 --interval 10s --priority 9',
      'cameras set --city Lafayette --add-tags study',
      'cameras set --all --interval 5min',
      'cameras set --country US --hours "Mo-Fr 06:00-20:00"',
    ],
  )
    .option('--interval <time>', 'capture interval such as 30s or 5min', interval)
    .option('--exactly', 'at just that interval, even where a camera makes pictures less often')
    .option('--no-exactly', 'not oftener than a camera makes pictures (default)')
    .option('--hours <hours>', 'when to capture, in the zone of each camera: "Mo-Fr 06:00-20:00"; "24/7" is always')
    .option('--priority <0-9>', 'stretched last when capacity is short: 9', wholeNumber(0, 9))
    .option('--tags <tags>', 'these tags and no others', words)
    .option('--add-tags <tags>', 'add tags', words)
    .option('--remove-tags <tags>', 'remove tags', words)
    .option('--all', 'every camera');
  command.registeredArguments[0]?.argParser(ids);
  addFilterOptions(speaksApi(command)).action(async (given: number[], options: Common & FilterOptions & SetOptions) => {
    const change = {
      intervalMs: options.interval,
      intervalExactly: options.exactly,
      activeHours: options.hours,
      priority: options.priority,
      tags: options.tags,
      addTags: options.addTags,
      removeTags: options.removeTags,
    };
    const query = {
      ...filterQuery(options),
      ...(given.length > 0 && { ids: given.join(',') }),
      ...(options.all && { all: true }),
    };
    if (given.length === 0 && !options.all && !isFiltered(options)) {
      throw new AppError('USAGE', 'Say which cameras: ids, a condition such as --city, or --all.', {
        details: { exit: EXIT.usage },
      });
    }
    const answer = await (
      await apiOf(options, context)
    ).patch<{ changed: number; withoutZone?: number }>('/cameras', change, query);
    const { changed, withoutZone = 0 } = answer;
    const note = withoutZone > 0 ? `${withoutZone} of them have no time zone: their hours count in UTC.\n` : '';
    print(context, options, answer, () => `${changed} cameras were changed.\n${note}`);
  });
}

interface SetOptions {
  interval?: number;
  exactly?: boolean;
  hours?: string;
  priority?: number;
  tags?: string[];
  addTags?: string[];
  removeTags?: string[];
  all?: boolean;
}

function addMoves(cameras: Command, context: Context): void {
  const moves = [
    ['pause', 'Stop capturing cameras until "resume"', 'were paused'],
    ['resume', 'Capture cameras again, removed ones too', 'are captured again'],
    ['remove', 'Retire cameras: what was observed stays', 'were removed'],
  ] as const;
  for (const [name, summary, done] of moves) {
    const command = verb(cameras, `${name} <ids...>`, summary, [`cameras ${name} 17`, `cameras ${name} 17 18 19`]);
    command.registeredArguments[0]?.argParser(ids);
    speaksApi(command).action(async (given: number[], options: Common) => {
      const answer = await (
        await apiOf(options, context)
      ).post<{ changed: number }>(`/cameras/${name}`, { ids: given });
      print(context, options, answer, () => `${answer.changed} of ${given.length} cameras ${done}.\n`);
    });
  }
}
