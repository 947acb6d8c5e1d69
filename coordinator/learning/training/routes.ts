import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  claimSchema,
  handBackSchema,
  progressSchema,
  startTrainingSchema,
  trainingFailureSchema,
  trainingResultSchema,
} from '../../../common/protocol/training.ts';
import type { Training } from './training.ts';

const idParams = z.object({ id: z.coerce.number().int().positive() });
const listQuery = z.object({ limit: z.coerce.number().int().min(1).max(200).default(20) });
/** Confusion matrices of 365 classes are some 3 MB. */
const REPORT_LIMIT = 32 * 1_048_576;

/** /api/v1/training: runs for people, claims for trainer processes; common/protocol/training.ts has the story. */
export function trainingRoutes(training: Training): FastifyPluginAsyncZod {
  return async (app) => {
    const schema = { tags: ['training'] };
    const byId = { ...schema, params: idParams };
    app.get(
      '/training/runs',
      { config: { role: 'viewer' }, schema: { ...schema, querystring: listQuery } },
      async ({ query }) => ({ runs: await training.list(query.limit) }),
    );
    app.get('/training/runs/:id', { config: { role: 'viewer' }, schema: byId }, ({ params }) =>
      training.show(params.id),
    );
    app.post(
      '/training/runs',
      {
        config: { role: 'researcher' },
        schema: { ...schema, body: startTrainingSchema, summary: 'Train on a snapshot, or on a new one' },
      },
      async ({ body, principal }, reply) =>
        reply.status(201).send(await training.start(body, principal.kind === 'token' ? principal.name : 'nobody')),
    );
    app.post('/training/runs/:id/cancel', { config: { role: 'researcher' }, schema: byId }, ({ params }) =>
      training.cancel(params.id),
    );
    await app.register(trainerRoutes(training));
  };
}

function trainerRoutes(training: Training): FastifyPluginAsyncZod {
  return async (app) => {
    const schema = { tags: ['trainer'] };
    const byId = { ...schema, params: idParams };
    const config = { role: 'operator' as const };
    app.get('/training/waiting', { config: { role: 'viewer' }, schema }, async () => ({
      waiting: await training.waiting(),
    }));
    app.post('/training/claims', { config, schema: { ...schema, body: claimSchema } }, async ({ body }) => ({
      run: await training.claim(body.trainer),
    }));
    app.put(
      '/training/runs/:id/progress',
      // A heartbeat is nobody's decision, and there are thousands.
      {
        config: { ...config, isHeartbeat: true },
        bodyLimit: REPORT_LIMIT,
        schema: { ...byId, body: progressSchema },
      },
      async ({ params, body }) => ({ goOn: await training.progress(params.id, body) }),
    );
    app.post(
      '/training/runs/:id/result',
      { config, bodyLimit: REPORT_LIMIT, schema: { ...byId, body: trainingResultSchema } },
      ({ params, body }) => training.finish(params.id, body),
    );
    app.post(
      '/training/runs/:id/failure',
      { config, schema: { ...byId, body: trainingFailureSchema } },
      ({ params, body: { error, ...claim } }) => training.fail(params.id, claim, error),
    );
    app.post(
      '/training/runs/:id/hand-back',
      { config, schema: { ...byId, body: handBackSchema } },
      ({ params, body }) => training.handBack(params.id, body),
    );
  };
}
