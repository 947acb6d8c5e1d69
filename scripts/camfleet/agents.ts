import type { Command } from 'commander';
import type { ConnectionOptions } from './api.ts';
import { DEFAULT_URL } from './api.ts';
import { ago, listing, table } from './terminal.ts';
import { apiOf, print, printLines, speaksApi, verb, wholeNumber } from './verb.ts';
import type { Context, Printing } from './verb.ts';

interface Agent extends Record<string, unknown> {
  id: string;
  name: string;
  state: string;
  lastSeenAt: number | null;
  probe?: { name: string; ok: boolean; found: string; mend?: string }[];
}

type Common = ConnectionOptions & Printing;

/** What an operator orders: name, path, body, and the words for it. */
const ORDERS = [
  ['drain', 'drain', { on: true }, 'Hand an agent’s cameras to others, then let it rest', 'hands its cameras over'],
  ['cordon', 'cordon', { on: true }, 'Give an agent no new cameras; it keeps what it has', 'gets no new cameras'],
  ['uncordon', 'cordon', { on: false }, 'Give a cordoned agent cameras again', 'gets cameras again'],
  ['revoke', 'revoke', {}, 'Take an agent’s identity away, at once and for ever', 'was revoked'],
] as const;

export function addAgentCommands(program: Command, context: Context): void {
  const agents = program.command('agents').description('Agents: invite, list, drain, cordon, revoke');
  addInvite(agents, context);
  addReads(agents, context);
  for (const [name, path, body, summary, done] of ORDERS) {
    const command = verb(agents, `${name} <agent>`, summary, [`agents ${name} agent-1`]);
    speaksApi(command).action(async (agent: string, options: Common) => {
      const api = await apiOf(options, context);
      const found = await api.post<Agent>(`/agents/${encodeURIComponent(agent)}/${path}`, body);
      // An agent that drains comes back by uncordon, too.
      if (name === 'uncordon') await api.post(`/agents/${encodeURIComponent(agent)}/drain`, { on: false });
      print(context, options, found, () => `Agent ${found.name} ${done}.\n`);
    });
  }
}

function addInvite(agents: Command, context: Context): void {
  const command = verb(agents, 'invite', 'Make an invitation for new agents: valid for 15 minutes, shown once', [
    'agents invite',
    'agents invite --uses 10 --json',
  ]).option('--uses <n>', 'how many agents may use it (default: 1)', wholeNumber(1, 1_000));
  speaksApi(command).action(async (options: Common & { uses?: number }) => {
    const api = await apiOf(options, context);
    const invitation = await api.post<{ invitation: string; expiresAt: number; uses: number }>('/agents/invitations', {
      ...(options.uses !== undefined && { uses: options.uses }),
    });
    const url = options.url ?? context.environment['CAMFLEET_URL'] ?? DEFAULT_URL;
    print(
      context,
      options,
      invitation,
      () =>
        `For ${invitation.uses} ${invitation.uses === 1 ? 'agent' : 'agents'}, until ${new Date(invitation.expiresAt).toISOString()}:\n\n` +
        `  camfleet agent --coordinator ${url} --join ${invitation.invitation}\n`,
    );
  });
}

function addReads(agents: Command, context: Context): void {
  const list = verb(agents, 'list', 'All agents: state, capacity, load', ['agents list', 'agents list --json']);
  speaksApi(list, { lists: true }).action(async (options: Common) => {
    const answer = await (await apiOf(options, context)).get<{ agents: Agent[] }>('/agents');
    if (options.jsonl) return printLines(context, answer.agents);
    print(context, options, answer, () =>
      table(
        ['NAME', 'STATE', 'SEEN', 'CAMERAS', 'RATE/S', 'CAPACITY/S', 'LATE', 'OUTBOX', 'REFUSED', 'MODEL', 'ID'],
        answer.agents.map((agent) => [
          agent.name,
          agent.state,
          ago(agent.lastSeenAt),
          agent['cameras'],
          Math.round(Number(agent['rate']) * 10) / 10,
          Math.round(Number(agent['capacity']) * 10) / 10,
          agent['late'],
          agent['outboxBatches'],
          agent['refusedBatches'],
          typeof agent['modelVersion'] === 'string' ? agent['modelVersion'].slice(0, 12) : null,
          agent.id,
        ]),
      ),
    );
  });
  const show = verb(agents, 'show <agent>', 'One agent, by name or id, with its self-probe', ['agents show agent-1']);
  speaksApi(show).action(async (name: string, options: Common) => {
    const agent = await (await apiOf(options, context)).get<Agent>(`/agents/${encodeURIComponent(name)}`);
    print(context, options, agent, () => {
      const { probe = [], ...facts } = agent;
      const marks = probe.map(
        ({ name: what, ok, found, mend }) =>
          `${ok ? '✓' : '✗'} ${listing({ [what]: found + (mend ? ` (${mend})` : '') })}`,
      );
      return `${listing({ ...facts, joinedAt: ago(facts['joinedAt'] as number), lastSeenAt: ago(facts.lastSeenAt) })}${marks.join('')}`;
    });
  });
}
