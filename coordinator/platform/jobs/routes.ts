import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { jobStates } from './job-queue.ts';
import type { JobQueue } from './job-queue.ts';
import type { JobKinds } from './kinds.ts';

const idParams = z.object({ id: z.coerce.number().int().positive() });
const listQuery = z.object({
  state: z.enum(jobStates).optional(),
  kind: z.string().max(60).optional(),
  before: z.coerce.number().int().positive().optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});

/** /api/v1/jobs: what is seldom and long, newest first. */
export function jobRoutes(jobs: Pick<JobQueue<JobKinds>, 'list' | 'get' | 'retry' | 'cancel'>): FastifyPluginAsyncZod {
  return async (app) => {
    const schema = { tags: ['jobs'] };
    app.get(
      '/jobs',
      { config: { role: 'viewer' }, schema: { ...schema, querystring: listQuery } },
      async ({ query }) => {
        const { before, ...filter } = query;
        const found = await jobs.list({ ...filter, beforeId: before });
        return { jobs: found, next: found.length === query.limit ? (found.at(-1)?.id ?? null) : null };
      },
    );
    app.get('/jobs/:id', { config: { role: 'viewer' }, schema: { ...schema, params: idParams } }, ({ params }) =>
      jobs.get(params.id),
    );
    app.post(
      '/jobs/:id/retry',
      { config: { role: 'operator' }, schema: { ...schema, params: idParams } },
      ({ params }) => jobs.retry(params.id),
    );
    app.post(
      '/jobs/:id/cancel',
      { config: { role: 'operator' }, schema: { ...schema, params: idParams } },
      ({ params }) => jobs.cancel(params.id),
    );
  };
}
