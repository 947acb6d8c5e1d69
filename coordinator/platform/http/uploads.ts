import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { ObjectStore } from '../../../common/storage/object-store.ts';

/** A registry of 1,000,000 cameras as CSV has some 250 MB; the largest image classifiers in use have less. */
const MOST_BYTES = 512 * 1_048_576;

/** POST /api/v1/uploads: any bytes, kept under a key that a later request (import of cameras, of a model) names. */
export function uploadRoutes(store: ObjectStore): FastifyPluginAsyncZod {
  return async (app) => {
    rawBodies(app);
    app.post(
      '/uploads',
      { config: { role: 'operator' }, bodyLimit: MOST_BYTES, schema: { tags: ['uploads'], summary: 'Body: the file' } },
      async (request, reply) => {
        const bytes = request.body as Buffer;
        const key = `uploads/${randomUUID()}`;
        await store.put(key, bytes);
        return reply.status(201).send({ upload: key, bytes: bytes.length });
      },
    );
  };
}

/** Within this scope a body is the bytes that arrived, whatever its type. */
export function rawBodies(app: Parameters<FastifyPluginAsyncZod>[0]): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}
