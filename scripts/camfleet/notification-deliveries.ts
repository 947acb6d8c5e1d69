import { Option } from 'commander';
import type { Command } from 'commander';
import { deliveryStates } from '../../common/protocol/notifications.ts';
import type { DeliveryReport, DeliveryRow } from '../../common/protocol/notifications.ts';
import type { ConnectionOptions } from './api.ts';
import { ago, listing, table } from './terminal.ts';
import { apiOf, id, print, printLines, speaksApi, verb, wholeNumber } from './verb.ts';
import type { Context, Printing } from './verb.ts';

type Common = ConnectionOptions & Printing;

interface ListOptions extends Common {
  state?: string;
  rule?: string;
  channel?: string;
  limit: number;
}

/** `camfleet notifications deliveries …`. */
export function addDeliveryCommands(parent: Command, context: Context): void {
  const deliveries = parent.command('deliveries').description('What became of every message');
  addList(deliveries, context);
  const show = verb(deliveries, 'show <id>', 'One delivery, with its message and what the server said', [
    'notifications deliveries show 12',
  ]);
  show.registeredArguments[0]?.argParser(id);
  speaksApi(show).action(async (number: number, options: Common) => {
    const found = await (await apiOf(options, context)).get<DeliveryReport>(`/notifications/deliveries/${number}`);
    print(context, options, found, () => reportWords(found));
  });
  const retry = verb(deliveries, 'retry <id>', 'Try it again now, for example after its server was mended', [
    'notifications deliveries retry 12',
  ]);
  retry.registeredArguments[0]?.argParser(id);
  speaksApi(retry).action(async (number: number, options: Common) => {
    const path = `/notifications/deliveries/${number}/retry`;
    const found = await (await apiOf(options, context)).post<DeliveryReport>(path);
    print(context, options, found, () => `Delivery ${found.id} is tried again now.\n`);
  });
}

function addList(deliveries: Command, context: Context): void {
  const command = verb(deliveries, 'list', 'Messages by channel, newest first', [
    'notifications deliveries list --state failed',
    'notifications deliveries list --rule night --jsonl',
  ])
    .addOption(new Option('--state <state>', 'how far they are').choices(deliveryStates))
    .option('--rule <name>', 'by this rule')
    .option('--channel <name>', 'through this channel')
    .addOption(new Option('--limit <n>', 'at most so many').argParser(wholeNumber(1, 500)).default(50));
  speaksApi(command, { lists: true }).action(async ({ state, rule, channel, limit, ...options }: ListOptions) => {
    const answer = await (
      await apiOf(options, context)
    ).get<{ deliveries: DeliveryRow[] }>('/notifications/deliveries', { state, rule, channel, limit });
    if (options.jsonl) return printLines(context, answer.deliveries);
    print(context, options, answer, () => deliveryTable(answer.deliveries));
  });
}

const deliveryTable = (deliveries: readonly DeliveryRow[]): string =>
  table(
    ['ID', 'STATE', 'RULE', 'CHANNEL', 'SUBJECT', 'TRIES', 'MADE', 'ANSWER'],
    deliveries.map(({ id: number, state, rule, channel, subject, attempts, createdAt, answer }) => [
      ...[number, state, rule, channel, subject, attempts, ago(createdAt), answer],
    ]),
  );

function reportWords({ message, createdAt, triedAt, nextAt, finishedAt, ...facts }: DeliveryReport): string {
  const times = {
    made: ago(createdAt),
    tried: triedAt === null ? 'never' : ago(triedAt),
    next: nextAt === null ? null : new Date(nextAt).toISOString(),
    finished: finishedAt === null ? null : ago(finishedAt),
  };
  return `${listing({ ...facts, ...times })}\n${message.text}`;
}
