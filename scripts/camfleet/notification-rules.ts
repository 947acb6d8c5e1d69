import { Option } from 'commander';
import type { Command } from 'commander';
import { cameraStates } from '../../common/domain/health.ts';
import { incidentKinds, noticeEvents } from '../../common/protocol/notifications.ts';
import type { RuleRow, TestRow } from '../../common/protocol/notifications.ts';
import type { ConnectionOptions } from './api.ts';
import { pathOf, reportTests } from './notification-channels.ts';
import { ago, listing, table } from './terminal.ts';
import { apiOf, interval, print, printLines, speaksApi, verb, wholeNumber, words } from './verb.ts';
import type { Context, Printing } from './verb.ts';

type Common = ConnectionOptions & Printing;

interface AddOptions extends Common {
  to: string[];
  on?: string[];
  kind?: string[];
  state?: string[];
  verdict?: string[];
  source?: string[];
  country?: string[];
  region?: string[];
  tag?: string[];
  after?: number;
  window?: number;
  perHour?: number;
  hours?: string;
  timezone?: string;
  recovery: boolean;
}

/** `camfleet notifications rules …`. */
export function addRuleCommands(parent: Command, context: Context): void {
  const rules = parent.command('rules').description('What is told to whom, and how often');
  addAdd(rules, context);
  const list = verb(rules, 'list', 'All rules', ['notifications rules list']);
  speaksApi(list, { lists: true }).action(async (options: Common) => {
    const answer = await (await apiOf(options, context)).get<{ rules: RuleRow[] }>('/notifications/rules');
    if (options.jsonl) return printLines(context, answer.rules);
    print(context, options, answer, () =>
      table(
        ['NAME', 'OF', 'TO', 'AFTER', 'WINDOW', 'PER HOUR'],
        answer.rules.map((rule) => [
          ...[rule.name, aboutOf(rule), rule.channels, seconds(rule.minimumMs), seconds(rule.windowMs), rule.perHour],
        ]),
      ),
    );
  });
  const show = verb(rules, 'show <name>', 'One rule', ['notifications rules show night']);
  speaksApi(show).action(async (name: string, options: Common) => {
    const found = await (await apiOf(options, context)).get<RuleRow>(pathOf('rules', name));
    print(context, options, found, () => {
      const { minimumMs, windowMs, createdAt, ...facts } = found;
      return listing({ ...facts, after: seconds(minimumMs), window: seconds(windowMs), createdAt: ago(createdAt) });
    });
  });
  const remove = verb(rules, 'remove <name>', 'Tell nothing by it any more', ['notifications rules remove night']);
  speaksApi(remove).action(async (name: string, options: Common) => {
    await (await apiOf(options, context)).delete(pathOf('rules', name), {});
    print(context, options, { removed: name }, () => `Rule ${name} is gone.\n`);
  });
  const test = verb(rules, 'test <name>', 'Send one message now through each of its channels', [
    'notifications rules test night',
  ]);
  speaksApi(test).action(async (name: string, options: Common) => {
    const answer = await (await apiOf(options, context)).post<{ tests: TestRow[] }>(`${pathOf('rules', name)}/test`);
    reportTests(context, options, answer, answer.tests);
  });
}

function addAdd(rules: Command, context: Context): void {
  const add = verb(
    rules,
    'add <name>',
    'Tell what begins from now on, and what goes on now. Lists are separated by commas; what is left out lets all through',
    [
      'notifications rules add night --to ops --state offline,frozen --country DE,AT --after 5min',
      'notifications rules add fleet --to ops --on agent_silent,quota_full',
      'notifications rules add suspected --to ops --kind agent --after 30s',
    ],
  )
    .addOption(new Option('--to <channels>', 'names of channels').argParser(words).makeOptionMandatory())
    .addOption(list('--on <events>', `of ${noticeEvents.join(', ')} (default: incident)`))
    .addOption(list('--kind <kinds>', `what has the ill cameras: ${incidentKinds.join(', ')} (a suspected one)`))
    .addOption(list('--state <states>', `what its cameras are: ${cameraStates.join(', ')}`))
    .addOption(list('--verdict <verdicts>', 'why, e.g. timeout, http_error, unauthorized'))
    .addOption(list('--source <names>', 'one of its cameras is of these sources'))
    .addOption(list('--country <codes>', 'one of its cameras stands there'))
    .addOption(list('--region <names>', 'one of its cameras stands there'))
    .addOption(list('--tag <tags>', 'one of its cameras has one of them'))
    .addOption(new Option('--after <time>', 'only what has lasted so long (default: 1min)').argParser(interval))
    .addOption(
      new Option('--window <time>', 'wait so long for more, for one message (default: 30s)').argParser(interval),
    )
    .addOption(
      new Option(
        '--per-hour <n>',
        'messages at most; what comes beyond is summed up in the next (default: 12)',
      ).argParser(wholeNumber(1, 3_600)),
    )
    .option('--hours <table>', 'only then, e.g. "Mo-Fr 06:00-20:00"; what comes outside waits')
    .option('--timezone <zone>', 'of the hours (default: UTC)')
    .option('--no-recovery', 'do not tell when it is over');
  speaksApi(add).action(async (name: string, options: AddOptions) => {
    const made = await (await apiOf(options, context)).post<RuleRow>('/notifications/rules', bodyOf(name, options));
    print(context, options, made, () => `Rule ${made.name} tells ${made.channels.join(', ')} of ${aboutOf(made)}.\n`);
  });
}

const list = (flags: string, about: string): Option => new Option(flags, about).argParser(words);

function bodyOf(name: string, options: AddOptions) {
  const { to, on, kind, state, verdict, source, country, region, tag, after, window, perHour, hours } = options;
  return {
    ...{ name, channels: to, events: on, kinds: kind, states: state, verdicts: verdict, sources: source },
    ...{ countries: country, regions: region, tags: tag, minimumMs: after, windowMs: window, perHour, hours },
    ...{ timeZone: options.timezone, recovery: options.recovery },
  };
}

/** Events, and what narrows them down. */
function aboutOf({ events, kinds, states, verdicts, sources, countries, regions, tags }: RuleRow): string {
  const filters = [kinds, states, verdicts, sources, countries, regions, tags].flatMap((values) => values ?? []);
  return [...events, ...(filters.length > 0 ? [`(${filters.join(', ')})`] : [])].join(' ');
}

const seconds = (ms: number): string => `${ms / 1_000} s`;
