import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Queryable } from '../database/queries.ts';
import type { AccessControl } from './access.ts';
import { roles } from './access.ts';
import { isLoopback } from './hosts.ts';
import type { Metrics } from './metrics.ts';

/** Name of a part → whether it answers now. Must not reject. */
export type ReadinessChecks = Readonly<Record<string, () => Promise<boolean> | boolean>>;

interface SystemParts {
  listen: { host: string };
  version: string;
  access: AccessControl;
  database: Queryable;
  metrics: Metrics;
  ready: ReadinessChecks;
}

const idParams = z.object({ id: z.coerce.number().int().positive() });
const tokenSchema = z.object({
  id: z.number(),
  name: z.string(),
  role: z.enum(roles),
  createdAt: z.date(),
  revokedAt: z.date().nullable(),
});

/** What belongs to no room: health, metrics, tokens, the audit. */
export function systemRoutes(parts: SystemParts): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(healthRoutes(parts));
    await app.register(accessRoutes(parts), { prefix: '/api/v1' });
  };
}

function healthRoutes({ listen, version, metrics, ready }: SystemParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/healthz', { config: { role: 'public' }, schema: { hide: true } }, () => ({ ok: true, version }));
    app.get('/readyz', { config: { role: 'public' }, schema: { hide: true } }, async (_request, reply) => {
      const parts = await Promise.all(
        Object.entries(ready).map(async ([name, check]) => [name, await check()] as const),
      );
      const all = parts.every(([, ok]) => ok);
      return reply.status(all ? 200 : 503).send({ ready: all, parts: Object.fromEntries(parts) });
    });
    const role = isLoopback(listen.host) ? 'public' : 'viewer';
    app.get('/metrics', { config: { role }, schema: { hide: true } }, async (_request, reply) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
    );
  };
}

function accessRoutes({ access, database }: SystemParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/me',
      { config: { role: 'viewer' }, schema: { tags: ['access'], summary: 'Who this token is' } },
      (request) =>
        request.principal.kind === 'token' ? { name: request.principal.name, role: request.principal.role } : {},
    );
    app.get(
      '/tokens',
      {
        config: { role: 'admin' },
        schema: { tags: ['access'], response: { 200: z.object({ tokens: z.array(tokenSchema) }) } },
      },
      async () => ({ tokens: await access.list() }),
    );
    app.post(
      '/tokens',
      {
        config: { role: 'admin' },
        schema: {
          tags: ['access'],
          summary: 'Make a token; it is shown only in this answer',
          body: z.object({ name: z.string().trim().min(1).max(100), role: z.enum(roles) }),
          response: { 201: z.object({ id: z.number(), token: z.string() }) },
        },
      },
      async ({ body }, reply) => reply.status(201).send(await access.create(body.name, body.role)),
    );
    app.delete(
      '/tokens/:id',
      { config: { role: 'admin' }, schema: { tags: ['access'], params: idParams } },
      async ({ params }, reply) => {
        await access.revoke(params.id);
        return reply.status(204).send();
      },
    );
    const page = z.object({
      before: z.coerce.number().int().positive().optional(),
      limit: z.coerce.number().int().min(1).max(500).default(100),
    });
    app.get(
      '/audit',
      {
        config: { role: 'admin' },
        schema: { tags: ['access'], summary: 'What was changed, newest first', querystring: page },
      },
      async ({ query }) => ({
        entries: await database.many(
          'select * from audit where id < coalesce($1, 9223372036854775807) order by id desc limit $2',
          [query.before ?? null, query.limit],
        ),
      }),
    );
  };
}
