import { Option } from 'commander';
import type { Command } from 'commander';
import { cameraStates } from '../../common/domain/health.ts';
import { verdictOrder } from '../../common/domain/verdict.ts';
import type {
  HealthGroup,
  HealthReport,
  IncidentReport,
  IncidentRow,
  TimelineReport,
} from '../../common/protocol/health.ts';
import type { ConnectionOptions, Query } from './api.ts';
import { addFilterOptions, filterQuery } from './camera-filter.ts';
import type { FilterOptions } from './camera-filter.ts';
import { ago, listing, table } from './terminal.ts';
import { apiOf, id, print, printLines, speaksApi, verb, wholeNumber } from './verb.ts';
import type { Context, Printing } from './verb.ts';

type Common = ConnectionOptions & Printing;

/** `camfleet health`, `camfleet incidents …`. */
export function addHealthCommands(program: Command, context: Context): void {
  const health = verb(
    program,
    'health',
    'Cameras by state, and which hosts, sources and agents have ill ones; of all cameras, or of those that match',
    ['health', 'health --limit 100 --json', 'health --country DE --tag bridge', 'health --agent attic --state offline'],
  ).addOption(new Option('--limit <n>', 'at most so many of each').argParser(wholeNumber(1, 500)).default(10));
  speaksApi(addFilterOptions(health)).action(
    async ({ limit, ...options }: Common & FilterOptions & { limit: number }) => {
      const report = await (
        await apiOf(options, context)
      ).get<HealthReport>('/health', { ...filterQuery(options), limit });
      print(context, options, report, () => healthWords(report));
    },
  );
  const incidents = program.command('incidents').description('Incidents: cameras that are ill for one reason');
  addList(incidents, context);
  addShow(incidents, context);
}

function healthWords({ states, openIncidents, causes, suspects, hosts, sources, agents }: HealthReport): string {
  const counts = cameraStates.map((state) => [state, states[state] ?? 0] as const).filter(([, count]) => count > 0);
  const facts = listing({ ...Object.fromEntries(counts), 'open incidents': openIncidents });
  const reasons = table(
    ['STATE', 'CAUSE', 'CAMERAS', 'INCIDENTS', 'SINCE'],
    causes.map(({ state, verdict, cameras, incidents, since }) => [state, verdict, cameras, incidents, ago(since)]),
  );
  const suspected = suspects.map(({ reason }) => `suspected: ${reason}\n`);
  return [
    facts,
    ...suspected,
    reasons,
    ...Object.entries({ HOST: hosts, SOURCE: sources, AGENT: agents }).map(groupTable),
  ].join('\n');
}

const groupTable = ([heading, groups]: [string, HealthGroup[]]): string =>
  table(
    [heading, 'CAMERAS', 'ILL', 'STATES'],
    groups.map(({ name, cameras, ill, states }) => [
      ...[name, cameras, ill],
      Object.entries(states)
        .map(([state, count]) => `${state} ${count}`)
        .join(', '),
    ]),
  );

interface ListOptions extends Common {
  open?: boolean;
  closed?: boolean;
  kind?: string;
  state?: string;
  verdict?: string;
  key?: string;
  host?: string;
  source?: string;
  country?: string;
  tag?: string;
  agent?: string;
  limit: number;
}

function addList(incidents: Command, context: Context): void {
  const command = verb(incidents, 'list', 'Incidents, newest first', [
    'incidents list --open',
    'incidents list --state frozen --jsonl',
    'incidents list --kind host --key cams.example.org',
  ])
    .option('--open', 'only those that go on')
    .addOption(new Option('--closed', 'only those that are over').conflicts('open'))
    .addOption(new Option('--kind <kind>', 'what has the ill cameras').choices(['agent', 'source', 'host']))
    .addOption(new Option('--state <state>', 'what its cameras are').choices(cameraStates))
    .addOption(new Option('--verdict <verdict>', 'what the first of its cameras showed').choices(verdictOrder))
    .option('--key <key>', 'name of the host or source, id of the agent')
    .option('--host <host>', 'with a camera of this host')
    .option('--source <name>', 'with a camera from this source')
    .option('--country <code>', 'with a camera in this country')
    .option('--tag <tag>', 'with a camera that has this tag')
    .option('--agent <name>', 'with a camera that this agent tried last')
    .addOption(new Option('--limit <n>', 'at most so many').argParser(wholeNumber(1, 1_000_000)).default(100));
  speaksApi(command, { lists: true }).action(async (options: ListOptions) => {
    const api = await apiOf(options, context);
    const { kind, state, verdict, key, host, source, country, tag, agent, open, closed } = options;
    const query: Query = {
      ...{ kind, state, verdict, key, host, source, country, tag, agent },
      ...(open && { open }),
      ...(closed && { open: false }),
    };
    const all: IncidentRow[] = [];
    let before: number | undefined;
    for (let left = options.limit; left > 0;) {
      const page: { incidents: IncidentRow[]; next: number | null } = await api.get('/incidents', {
        ...query,
        before,
        limit: Math.min(500, left),
      });
      if (options.jsonl) printLines(context, page.incidents);
      else all.push(...page.incidents);
      left -= page.incidents.length;
      if (page.next === null) break;
      before = page.next;
    }
    if (!options.jsonl) print(context, options, { incidents: all }, () => incidentTable(all));
  });
}

const incidentTable = (incidents: readonly IncidentRow[]): string =>
  table(
    ['ID', 'STATE', 'OF', 'NAME', 'CAMERAS', 'OPENED', 'CLOSED'],
    incidents.map(({ id: number, state, kind, name, cameras, total, openedAt, closedAt }) => [
      ...[number, state, kind, name, closedAt === null ? cameras : total, ago(openedAt)],
      closedAt === null ? 'open' : ago(closedAt),
    ]),
  );

function addShow(incidents: Command, context: Context): void {
  const command = verb(incidents, 'show <id>', 'One incident: its cause, its evidence, its cameras', [
    'incidents show 12',
  ]);
  command.registeredArguments[0]?.argParser(id);
  speaksApi(command).action(async (number: number, options: Common) => {
    const api = await apiOf(options, context);
    const found = await api.get<IncidentReport>(`/incidents/${number}`);
    const { members, openedAt, closedAt, nextTryAt, ...facts } = found;
    print(context, options, found, () => {
      const times = {
        opened: ago(openedAt),
        closed: closedAt === null ? 'no' : ago(closedAt),
        'next try': nextTryAt === null ? 'none' : new Date(nextTryAt).toISOString(),
      };
      return `${listing({ ...facts, ...times })}\n${table(
        ['CAMERA', 'NAME', 'HOST', 'SINCE', 'UNTIL'],
        members.map((member) => [
          ...[member.id, member.name, member.host, ago(member.joinedAt)],
          member.leftAt === null ? 'now' : ago(member.leftAt),
        ]),
      )}`;
    });
  });
}

/** `camfleet cameras timeline`. */
export function addTimeline(cameras: Command, context: Context): void {
  const command = verb(
    cameras,
    'timeline <id>',
    'How a camera is and was, why, what was tried, and when it is tried next',
    ['cameras timeline 17', 'cameras timeline 17 --jsonl'],
  ).addOption(new Option('--limit <n>', 'at most so many states').argParser(wholeNumber(1, 500)).default(50));
  command.registeredArguments[0]?.argParser(id);
  speaksApi(command, { lists: true }).action(async (camera: number, options: Common & { limit: number }) => {
    const api = await apiOf(options, context);
    const report = await api.get<TimelineReport>(`/cameras/${camera}/timeline`, { limit: options.limit });
    if (options.jsonl) return printLines(context, report.states);
    print(context, options, report, () => timelineWords(report));
  });
}

function timelineWords(report: TimelineReport): string {
  const {
    state,
    since,
    reason,
    tried,
    lastAttemptAt,
    lastGoodAt,
    nextTryAt,
    failuresInARow,
    agent,
    incidentId,
    states,
    events,
  } = report;
  const facts = listing({
    state: since === null ? state : `${state} (${ago(since)})`,
    reason,
    tried: tried.map(({ verdict, attempts }) => `${verdict} ${attempts}`).join(', ') || 'nothing',
    'last attempt': ago(lastAttemptAt),
    'last good': ago(lastGoodAt),
    'failures in a row': failuresInARow,
    'next try': nextTryAt === null ? 'none' : new Date(nextTryAt).toISOString(),
    agent,
    incident: incidentId,
    events: events.map(({ kind, at }) => `${kind} ${new Date(at).toISOString()}`).join(', ') || null,
  });
  const rows = states.map(({ state: was, from, until, verdict }) => [
    ...[was, new Date(from).toISOString(), until === null ? 'now' : new Date(until).toISOString(), verdict],
  ]);
  return `${facts}\n${table(['STATE', 'FROM', 'UNTIL', 'VERDICT'], rows)}`;
}
