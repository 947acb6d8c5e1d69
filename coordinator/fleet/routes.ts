import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { joinedSchema, joinSchema } from '../../common/protocol/rest.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { AgentInfo, Agents } from './agents.ts';

export interface FleetRoutesParts {
  agents: Pick<Agents, 'invite' | 'join' | 'list' | 'cordon' | 'drain' | 'revoke'>;
  sessions: { nonce(): Promise<string> };
}

const agentParams = z.object({ agent: z.string().min(1).max(100) });
/** No body means: on. */
const onBody = z.object({ on: z.boolean().default(true) }).nullish();
const inviteBody = z.object({ uses: z.number().int().min(1).max(1_000).default(1) }).nullish();

/** Agents as operators see them, and the two doors that need no session: /agent/join and /agent/nonce. */
export function fleetRoutes({ agents, sessions }: FleetRoutesParts): FastifyPluginAsyncZod {
  const find = async (idOrName: string): Promise<AgentInfo> => {
    const found = (await agents.list()).filter(({ id, name }) => id === idOrName || name === idOrName);
    if (found.length === 1 && found[0]) return found[0];
    if (found.length === 0) throw new AppError('AGENT_NOT_FOUND', `There is no agent ${idOrName}.`);
    throw new AppError('AGENT_AMBIGUOUS_CONFLICT', `Several agents are called ${idOrName}; give the id.`);
  };
  return async (app) => {
    const tags = ['agents'];
    app.post(
      '/agents/invitations',
      { config: { role: 'operator' }, schema: { tags, body: inviteBody, summary: 'Valid for 15 minutes; shown once' } },
      async ({ body, principal }, reply) => {
        const createdBy = principal.kind === 'token' ? principal.name : 'nobody';
        const { code, expiresAt, uses } = await agents.invite({ createdBy, uses: body?.uses ?? 1 });
        return reply.status(201).send({ invitation: code, expiresAt, uses });
      },
    );
    app.get('/agents', { config: { role: 'viewer' }, schema: { tags } }, async () => ({ agents: await agents.list() }));
    app.get('/agents/:agent', { config: { role: 'viewer' }, schema: { tags, params: agentParams } }, ({ params }) =>
      find(params.agent),
    );
    for (const order of ['drain', 'cordon'] as const) {
      app.post(
        `/agents/:agent/${order}`,
        { config: { role: 'operator' }, schema: { tags, params: agentParams, body: onBody } },
        async ({ params, body }) => {
          const { id } = await find(params.agent);
          await agents[order](id, body?.on ?? true);
          return find(id);
        },
      );
    }
    app.post(
      '/agents/:agent/revoke',
      { config: { role: 'operator' }, schema: { tags, params: agentParams, summary: 'At once and for ever' } },
      async ({ params }) => {
        const { id } = await find(params.agent);
        await agents.revoke(id);
        return find(id);
      },
    );
    app.post(
      '/agent/join',
      { config: { role: 'public' }, schema: { tags: ['agent'], body: joinSchema, response: { 200: joinedSchema } } },
      ({ body }) => agents.join(body),
    );
    app.get('/agent/nonce', { config: { role: 'public' }, schema: { tags: ['agent'] } }, async () => ({
      nonce: await sessions.nonce(),
    }));
  };
}
