import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { datasetName } from '../../../common/domain/dataset.ts';
import type { Principal } from '../../platform/http/access.ts';
import type { Datasets } from './datasets.ts';

export interface DatasetRoutesParts {
  datasets: Datasets;
  /** Ids of the cameras that a text search or a filter of `GET /cameras` finds. */
  camerasMatching(query: Record<string, string>): Promise<number[]>;
}

const tags = ['datasets'];
const nameParams = z.object({ name: z.string().max(100) });
const limit = z.coerce.number().int().min(1).max(5_000).default(1_000);
const cameraQuery = z.record(z.string(), z.string().max(500)).optional();
const createBody = z.strictObject({
  name: datasetName,
  perCamera: z.number().int().min(1).max(10_000).default(1),
  classes: z.array(z.string().min(1).max(100)).min(1).max(10_000).optional(),
  /** Conditions of `GET /cameras`, such as `{ "country": "US" }`. */
  query: cameraQuery,
  /** ms. */
  since: z.number().optional(),
  until: z.number().optional(),
});

/** /datasets: immutable snapshots of labelled frames. */
export function datasetRoutes(parts: DatasetRoutesParts): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(readRoutes(parts));
    await app.register(createRoutes(parts));
  };
}

const readRoutes =
  ({ datasets }: DatasetRoutesParts): FastifyPluginAsyncZod =>
  async (app) => {
    const viewers = { config: { role: 'viewer' as const } };
    app.get('/datasets', { ...viewers, schema: { tags } }, async () => ({ datasets: await datasets.list() }));
    app.get('/datasets/:name', { ...viewers, schema: { tags, params: nameParams } }, ({ params }) =>
      datasets.get(params.name),
    );
    app.get(
      '/datasets/:name/samples',
      {
        ...viewers,
        schema: {
          tags,
          params: nameParams,
          querystring: z.object({ after: z.coerce.number().int().min(-1).default(-1), limit }),
          summary: 'In order, a page after a position',
        },
      },
      ({ params, query }) => datasets.samples(params.name, query),
    );
    app.get(
      '/datasets/:name/cameras',
      {
        ...viewers,
        schema: {
          tags,
          params: nameParams,
          querystring: z.object({ after: z.coerce.number().int().min(0).default(0), limit }),
          summary: 'Facts of the cameras as they were then',
        },
      },
      ({ params, query }) => datasets.cameras(params.name, query),
    );
  };

const createRoutes =
  ({ datasets, camerasMatching }: DatasetRoutesParts): FastifyPluginAsyncZod =>
  async (app) => {
    const researchers = { config: { role: 'researcher' as const } };
    app.post(
      '/datasets',
      { ...researchers, schema: { tags, body: createBody, summary: 'Make an immutable snapshot of labelled frames' } },
      async ({ principal, body: { query, ...request } }, reply) => {
        const cameraIds = query && (await camerasMatching(query));
        return reply.status(201).send(await datasets.create({ ...request, cameraIds }, nameOf(principal)));
      },
    );
    app.post(
      '/captures',
      {
        ...researchers,
        schema: {
          tags,
          body: z.strictObject({ query: cameraQuery }),
          summary: 'Take a fresh frame of every active camera',
        },
      },
      async ({ body: { query } }, reply) => {
        const cameraIds = query && (await camerasMatching(query));
        return reply.status(202).send(await datasets.captures.ask(cameraIds));
      },
    );
    app.get(
      '/captures',
      {
        config: { role: 'viewer' },
        schema: { tags, querystring: z.object({ askedAt: z.coerce.number() }), summary: 'How many of them came' },
      },
      ({ query }) => datasets.captures.progress(query.askedAt),
    );
  };

const nameOf = (principal: Principal): string => (principal.kind === 'token' ? principal.name : 'nobody');
