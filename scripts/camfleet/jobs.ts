import { Option } from 'commander';
import type { Command } from 'commander';
import type { ConnectionOptions } from './api.ts';
import { ago, listing, table } from './terminal.ts';
import { apiOf, id, print, printLines, speaksApi, verb, wholeNumber } from './verb.ts';
import type { Context, Printing } from './verb.ts';

interface Job extends Record<string, unknown> {
  id: number;
  kind: string;
  state: string;
}

type Common = ConnectionOptions & Printing;

export function addJobCommands(program: Command, context: Context): void {
  const jobs = program.command('jobs').description('Jobs: what is seldom and long');
  const list = verb(jobs, 'list', 'Jobs, newest first', ['jobs list', 'jobs list --state failed --json'])
    .option('--state <state>', 'only jobs in this state')
    .option('--kind <kind>', 'only jobs of this kind')
    .addOption(new Option('--limit <n>', 'at most so many').argParser(wholeNumber(1, 500)).default(100));
  speaksApi(list, { lists: true }).action(
    async (options: Common & { state?: string; kind?: string; limit: number }) => {
      const { state, kind, limit } = options;
      const answer = await (await apiOf(options, context)).get<{ jobs: Job[] }>('/jobs', { state, kind, limit });
      if (options.jsonl) return printLines(context, answer.jobs);
      print(context, options, answer, () =>
        table(
          ['ID', 'KIND', 'STATE', 'ATTEMPTS', 'CREATED', 'ERROR'],
          answer.jobs.map((job) => [
            job.id,
            job.kind,
            job.state,
            job['attempts'],
            ago(job['createdAt'] as number),
            job['error'],
          ]),
        ),
      );
    },
  );
  const one = [
    ['show', 'One job with its progress and result'],
    ['retry', 'Try a failed or cancelled job again'],
    ['cancel', 'Stop a job, or do not begin it'],
  ] as const;
  for (const [name, summary] of one) {
    const command = verb(jobs, `${name} <id>`, summary, [`jobs ${name} 12`]);
    command.registeredArguments[0]?.argParser(id);
    speaksApi(command).action(async (job: number, options: Common) => {
      const api = await apiOf(options, context);
      const answer = await (name === 'show' ? api.get<Job>(`/jobs/${job}`) : api.post<Job>(`/jobs/${job}/${name}`));
      print(context, options, answer, () =>
        name === 'show' ? listing(answer) : `Job ${job}: ${name} was asked for.\n`,
      );
    });
  }
}
