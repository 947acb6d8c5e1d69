import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { cameraStates } from '../../../common/domain/health.ts';
import { verdictOrder } from '../../../common/domain/verdict.ts';
import { filterOf, filterQuerySchema, isNarrow } from '../../registry/query.ts';
import type { CameraHealth } from './health.ts';

const tags = ['health'];
const id = z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const limit = (fallback: number) => z.coerce.number().int().min(1).max(500).default(fallback);
const before = id.optional();
const name = z.string().trim().min(1).max(255);
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');

/** States of cameras, incidents and timelines. */
export function cameraHealthRoutes(health: CameraHealth): FastifyPluginAsyncZod {
  const viewers = { config: { role: 'viewer' as const } };
  return async (app) => {
    app.get(
      '/health',
      {
        ...viewers,
        schema: {
          tags,
          summary:
            'Cameras by state, and by host, source and agent: those with most ill cameras first; of all, or under the conditions of GET /cameras',
          querystring: filterQuerySchema.extend({ limit: limit(20) }),
        },
      },
      ({ query: { limit: most, ...query } }) => {
        const filter = filterOf(query);
        return isNarrow(filter) ? health.reportOf(filter, most) : health.report(most);
      },
    );
    app.get(
      '/incidents',
      {
        ...viewers,
        schema: {
          tags,
          summary:
            'Incidents, newest first (`before` is the `next` of the page before) or the largest first; host, source, country, tag and agent ask for those with such a camera',
          querystring: z.object({
            open: flag.optional(),
            kind: z.enum(['agent', 'source', 'host']).optional(),
            state: z.enum(cameraStates).optional(),
            verdict: z.enum(verdictOrder).optional(),
            key: name.optional(),
            host: name.toLowerCase().optional(),
            source: name.optional(),
            tag: name.optional(),
            agent: name.optional(),
            country: z.string().trim().toUpperCase().length(2).optional(),
            order: z.enum(['newest', 'cameras']).default('newest'),
            before,
            limit: limit(50),
          }),
        },
      },
      ({ query: { before: from, limit: most, order, ...filter } }) =>
        health.incidents(filter, { before: from, limit: most, order }),
    );
    app.get('/incidents/:id', { ...viewers, schema: { tags, params: z.object({ id }) } }, ({ params }) =>
      health.incident(params.id),
    );
    app.get(
      '/placeholders',
      { ...viewers, schema: { tags, summary: "Pictures that hosts show in the place of their cameras' own" } },
      async () => ({ placeholders: await health.placeholders.list() }),
    );
    app.delete(
      '/placeholders/:hash',
      {
        config: { role: 'operator' },
        schema: {
          tags,
          summary: 'This picture is no placeholder, and is not to be learned as one again',
          params: z.object({ hash: z.string().regex(/^[0-9a-f]{8,64}$/, 'must be a hash in hex') }),
        },
      },
      async ({ params }, reply) => {
        await health.placeholders.dismiss(params.hash);
        return reply.status(204).send();
      },
    );
    app.get(
      '/cameras/:id/timeline',
      {
        ...viewers,
        schema: {
          tags,
          summary:
            'How a camera is and was, why, what was tried, and when it is tried next; newest first, and with `since` (ms) what lasted beyond it',
          params: z.object({ id: id.max(2_147_483_647) }),
          querystring: z.object({ before, limit: limit(100), since: z.coerce.number().min(0).optional() }),
        },
      },
      ({ params, query }) => health.timeline(params.id, query),
    );
  };
}
