import type { Command } from 'commander';
import type { ConnectionOptions } from './api.ts';
import { ago, table } from './terminal.ts';
import { apiOf, print, printLines, speaksApi, verb } from './verb.ts';
import type { Context, Printing } from './verb.ts';

interface Takedown extends Record<string, unknown> {
  id: number;
  value: string;
  reason: string;
  createdBy: string;
  createdAt: string;
  cameras: number;
}

type Common = ConnectionOptions & Printing;

/** `camfleet takedown …`: what must not be fetched any more. */
export function addTakedownCommands(program: Command, context: Context): void {
  const takedown = program.command('takedown').description('Hosts and addresses whose owners do not want them fetched');
  const add = verb(takedown, 'add <host-or-prefix>', 'Fetch nothing of it any more, redirects included; within 5 s', [
    'takedown add cams.example.org --reason "asked by the owner on 3 March"',
    'takedown add https://example.org/cameras/north/',
  ]).option('--reason <words>', 'why, for whoever asks later', '');
  speaksApi(add).action(async (value: string, options: Common & { reason: string }) => {
    const { reason } = options;
    const made = await (await apiOf(options, context)).post<Takedown>('/takedowns', { value, reason });
    print(
      context,
      options,
      made,
      () => `${made.value} is taken down; ${made.cameras} cameras are no longer fetched.\n`,
    );
  });
  const list = verb(takedown, 'list', 'What is taken down, why and by whom', [
    'takedown list',
    'takedown list --jsonl',
  ]);
  speaksApi(list, { lists: true }).action(async (options: Common) => {
    const answer = await (await apiOf(options, context)).get<{ takedowns: Takedown[] }>('/takedowns');
    if (options.jsonl) return printLines(context, answer.takedowns);
    print(context, options, answer, () =>
      table(
        ['ID', 'WHAT', 'CAMERAS', 'REASON', 'BY', 'SINCE'],
        answer.takedowns.map(({ id, value, cameras, reason, createdBy, createdAt }) => [
          ...[id, value, cameras, reason, createdBy, ago(createdAt)],
        ]),
      ),
    );
  });
  const remove = verb(takedown, 'remove <host-or-prefix>', 'Fetch it again', ['takedown remove cams.example.org']);
  speaksApi(remove).action(async (value: string, options: Common) => {
    const answer = await (
      await apiOf(options, context)
    ).delete<{ value: string; cameras: number }>('/takedowns', { value });
    print(context, options, answer, () => `${answer.value} may be fetched again; ${answer.cameras} cameras are.\n`);
  });
}
