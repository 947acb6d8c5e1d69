import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { takedownSchema } from '../../common/domain/takedown.ts';
import type { Takedowns } from './takedowns.ts';

const tags = ['takedowns'];
const shownSchema = takedownSchema.extend({ createdBy: z.string(), createdAt: z.string(), cameras: z.number() });
const addBody = z.object({
  /** A host such as `cams.example.org`, or the beginning of a URL. */
  value: z.string().trim().min(1).max(2_000),
  reason: z.string().trim().max(500).default(''),
});

/** /takedowns: what must not be fetched any more. */
export function takedownRoutes(takedowns: Pick<Takedowns, 'list' | 'add' | 'remove'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/takedowns',
      {
        config: { role: 'viewer' },
        schema: { tags, response: { 200: z.object({ takedowns: z.array(shownSchema) }) } },
      },
      async () => ({ takedowns: await takedowns.list() }),
    );
    app.post(
      '/takedowns',
      {
        config: { role: 'operator' },
        schema: {
          tags,
          summary: 'Nothing of this host, or below this URL, is fetched any more; agents know within 5 s',
          body: addBody,
          response: { 201: shownSchema },
        },
      },
      async (request, reply) => reply.status(201).send(await takedowns.add({ ...request.body, by: whoAsks(request) })),
    );
    app.delete(
      '/takedowns',
      {
        config: { role: 'operator' },
        schema: {
          tags,
          summary: 'Its cameras are captured again',
          querystring: z.object({ value: z.string().trim().min(1).max(2_000) }),
          response: { 200: z.object({ value: z.string(), cameras: z.number() }) },
        },
      },
      (request) => takedowns.remove(request.query.value, whoAsks(request)),
    );
  };
}

const whoAsks = ({ principal }: Pick<FastifyRequest, 'principal'>): string =>
  principal.kind === 'token' ? principal.name : 'nobody';
