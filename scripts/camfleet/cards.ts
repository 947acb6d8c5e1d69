import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { LearnedCard } from '../../common/protocol/health.ts';
import type { ConnectionOptions } from './api.ts';
import { ago, table } from './terminal.ts';
import { apiOf, print, printLines, speaksApi, verb } from './verb.ts';
import type { Context, Printing } from './verb.ts';

type Common = ConnectionOptions & Printing;

const HASH = /^[0-9a-f]{8,64}$/;

/** `camfleet cards …`: pictures that hosts show in the place of their cameras' own. */
export function addCardCommands(program: Command, context: Context): void {
  const cards = program.command('cards').description('Placeholder cards that hosts show in the place of pictures');
  const list = verb(cards, 'list', 'The cards that the fleet has learned, newest first, candidates too', [
    'cards list',
    'cards list --jsonl',
  ]);
  speaksApi(list, { lists: true }).action(async (options: Common) => {
    const answer = await (await apiOf(options, context)).get<{ placeholders: LearnedCard[] }>('/placeholders');
    if (options.jsonl) return printLines(context, answer.placeholders);
    print(context, options, answer, () => cardTable(answer.placeholders));
  });
  const dismiss = verb(
    cards,
    'dismiss <hash>',
    'This picture is no card: its cameras are well, and it is not learned again',
    ['cards dismiss 00184c3c1818000000183c3c18000000c3c3e7e7ffff0000'],
  );
  dismiss.registeredArguments[0]?.argParser((text: string) => {
    if (HASH.test(text)) return text;
    throw new InvalidArgumentError('Expected a hash of hex digits as "camfleet cards list" shows it.');
  });
  speaksApi(dismiss).action(async (hash: string, options: Common) => {
    await (await apiOf(options, context)).delete(`/placeholders/${hash}`, {});
    const answer = { hash, dismissed: true };
    print(context, options, answer, () => `${hash} is no card any more; agents hear of it within seconds.\n`);
  });
}

const cardTable = (cards: readonly LearnedCard[]): string =>
  table(
    ['HASH', 'HOST', 'CAMERAS', 'LEARNED', 'STATE'],
    cards.map(({ hash, host, cameras, learnedAt, dismissed }) => [
      ...[hash, host, cameras, learnedAt === null ? 'not yet' : ago(learnedAt)],
      dismissed ? 'dismissed' : learnedAt === null ? 'candidate' : 'card',
    ]),
  );
