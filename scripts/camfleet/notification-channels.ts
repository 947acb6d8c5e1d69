import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { ChannelKindRow, ChannelRow, TestRow } from '../../common/protocol/notifications.ts';
import { AppError, EXIT, messageOf } from '../../common/runtime/errors.ts';
import type { Api, ConnectionOptions } from './api.ts';
import { ago, listing, table } from './terminal.ts';
import { apiOf, print, printLines, speaksApi, verb } from './verb.ts';
import type { Context, Printing } from './verb.ts';

type Common = ConnectionOptions & Printing;

const failure = (code: string, message: string, exit: number): AppError =>
  new AppError(code, message, { details: { exit } });

/** `camfleet notifications channels …`. */
export function addChannelCommands(parent: Command, context: Context): void {
  const channels = parent.command('channels').description('Where people are told');
  addAdd(channels, context);
  const kinds = verb(channels, 'kinds', 'Kinds of channels, and what each wants to know', [
    'notifications channels kinds',
  ]);
  speaksApi(kinds, { lists: true }).action(async (options: Common) => {
    const answer = await kindsOf(await apiOf(options, context));
    if (options.jsonl) return printLines(context, answer);
    print(context, options, { kinds: answer }, () => answer.map(kindWords).join('\n'));
  });
  const list = verb(channels, 'list', 'Channels, without their secrets', ['notifications channels list']);
  speaksApi(list, { lists: true }).action(async (options: Common) => {
    const answer = await (await apiOf(options, context)).get<{ channels: ChannelRow[] }>('/notifications/channels');
    if (options.jsonl) return printLines(context, answer.channels);
    print(context, options, answer, () =>
      table(
        ['NAME', 'KIND', 'TO', 'BY', 'SINCE'],
        answer.channels.map(({ name, kind, target, createdBy, createdAt }) => [
          ...[name, kind, target, createdBy, ago(createdAt)],
        ]),
      ),
    );
  });
  const show = verb(channels, 'show <name>', 'One channel, without its secrets', ['notifications channels show ops']);
  speaksApi(show).action(async (name: string, options: Common) => {
    const found = await (await apiOf(options, context)).get<ChannelRow>(pathOf('channels', name));
    print(context, options, found, () => channelWords(found));
  });
  const remove = verb(channels, 'remove <name>', 'Tell nobody there any more', ['notifications channels remove ops']);
  speaksApi(remove).action(async (name: string, options: Common) => {
    await (await apiOf(options, context)).delete(pathOf('channels', name), {});
    print(context, options, { removed: name }, () => `Channel ${name} is gone.\n`);
  });
  const test = verb(channels, 'test <name>', 'Send one message now, and say what the server answered', [
    'notifications channels test ops',
  ]);
  speaksApi(test).action(async (name: string, options: Common) => {
    const outcome = await (await apiOf(options, context)).post<TestRow>(`${pathOf('channels', name)}/test`);
    reportTests(context, options, outcome, [outcome]);
  });
}

function addAdd(channels: Command, context: Context): void {
  const add = verb(
    channels,
    'add <kind> <name> [settings...]',
    'A channel with settings as key=value; key=@FILE takes the value from a file, as befits a secret',
    [
      'notifications channels kinds',
      'notifications channels add webhook ops url=https://hooks.example.org/camfleet key=@hook.key',
      'notifications channels add email night to=ops@example.org from=camfleet@example.org host=smtp.example.org user=camfleet password=@smtp.password',
    ],
  ).option('--replace', 'change the channel of this name; its rules go on');
  speaksApi(add).action(
    async (kind: string, name: string, settings: string[], options: Common & { replace?: boolean }) => {
      const api = await apiOf(options, context);
      const made = await api.post<ChannelRow>('/notifications/channels', {
        ...(await bodyOf(api, kind, settings)),
        ...{ name, kind, replace: options.replace === true },
      });
      print(
        context,
        options,
        made,
        () =>
          `Channel ${made.name} leads to ${made.target}. Try it: camfleet notifications channels test ${made.name}\n`,
      );
    },
  );
}

export const pathOf = (what: string, name: string): string => `/notifications/${what}/${encodeURIComponent(name)}`;

const kindsOf = async (api: Api): Promise<ChannelKindRow[]> =>
  (await api.get<{ kinds: ChannelKindRow[] }>('/notifications/kinds')).kinds;

/** The coordinator says which settings are secret: those travel apart from the others, and are not recorded. */
async function bodyOf(api: Api, kind: string, given: readonly string[]) {
  const kinds = await kindsOf(api);
  const known = kinds.find((one) => one.kind === kind);
  if (!known) {
    const names = kinds.map((one) => one.kind).join(', ');
    throw failure('USAGE', `"${kind}" is no kind of channel; there are ${names}.`, EXIT.usage);
  }
  const [settings, secrets]: [Record<string, string>, Record<string, string>] = [{}, {}];
  for (const text of given) {
    const [, key = '', value = ''] = /^([A-Za-z]+)=(.*)$/s.exec(text) ?? [];
    const setting = known.settings.find(({ name }) => name === key);
    if (!setting) {
      const names = known.settings.map(({ name }) => name).join(', ');
      throw failure('USAGE', `${kind} takes key=value with ${names}; "${key || 'that'}" is none of them.`, EXIT.usage);
    }
    (setting.secret ? secrets : settings)[key] = await valueOf(value);
  }
  return { settings, secrets };
}

async function valueOf(text: string): Promise<string> {
  if (!text.startsWith('@')) return text;
  try {
    return (await readFile(text.slice(1), 'utf8')).trim();
  } catch (error) {
    throw failure('USAGE', `${text.slice(1)} cannot be read (${messageOf(error)}).`, EXIT.usage);
  }
}

const kindWords = ({ kind, summary, settings }: ChannelKindRow): string =>
  `${kind}: ${summary}\n${table(
    ['SETTING', 'NEEDED', 'SECRET'],
    settings.map(({ name, required, secret }) => [name, required ? 'yes' : 'no', secret ? 'yes' : 'no']),
  )}${settings.map(({ name, about }) => `  ${name}: ${about}\n`).join('')}`;

const channelWords = ({ settings, secrets, createdAt, ...facts }: ChannelRow): string =>
  listing({ ...facts, createdAt: ago(createdAt), ...settings, secrets: secrets.join(', ') || 'none' });

/** Exit code 1 where one of them was not delivered. */
export function reportTests(context: Context, options: Printing, answer: unknown, tests: readonly TestRow[]): void {
  print(context, options, answer, () => tests.map(testWords).join(''));
  const failed = tests.filter(({ delivered }) => !delivered);
  if (failed.length === 0) return;
  const names = failed.map(({ channel }) => channel).join(', ');
  throw failure('NOTIFICATION_TEST', `Not delivered through ${names}.`, EXIT.failed);
}

const testWords = ({ channel, delivered, answer }: TestRow): string =>
  `${channel}: ${delivered ? 'delivered' : 'not delivered'}; ${answer}\n`;
