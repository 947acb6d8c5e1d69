import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../../../common/runtime/errors.ts';
import { DIGEST_PATTERN } from '../../../common/storage/digest.ts';
import type { Principal } from '../../platform/http/access.ts';
import { rawBodies } from '../../platform/http/uploads.ts';
import { formatOfType, importFormats } from '../../registry/import/entries.ts';
import type { Labels } from './labels.ts';

/** A million rows of digest and label. */
const MOST_BYTES = 128 * 1_048_576;

const tags = ['labels'];
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const importQuery = z.object({
  format: z.enum(importFormats).optional(),
  /** IANA name: of times without offset. */
  timeZone: z.string().min(1).max(60).optional(),
  mostRejections: z.coerce.number().int().min(0).max(100_000).default(100),
});
const listQuery = z.object({
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(5_000).default(1_000),
  label: z.string().min(1).max(100).optional(),
  camera: z.coerce.number().int().positive().max(2_147_483_647).optional(),
  history: flag.default(false),
});
const missingQuery = z.object({
  after: z.string().max(64).default(''),
  limit: z.coerce.number().int().min(1).max(5_000).default(1_000),
  /** Fetched from then on, ms. */
  since: z.coerce.number().optional(),
});
const digestParams = z.object({ digest: z.string().regex(DIGEST_PATTERN, 'must be a SHA-256 in hex') });

/** /labels: what frames show, as people or trusted cameras say. */
export function labelRoutes(labels: Labels): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(importRoute(labels));
    app.get(
      '/labels/classes',
      { config: { role: 'viewer' }, schema: { tags, summary: 'Frames and cameras of each class' } },
      () => labels.counts(),
    );
    app.get(
      '/labels',
      {
        config: { role: 'researcher' },
        schema: { tags, querystring: listQuery, summary: 'Labels with who gave them, a page in the order of ids' },
      },
      ({ query: { label, camera, ...page } }) =>
        labels.list({
          ...page,
          ...(label !== undefined && { label }),
          ...(camera !== undefined && { cameraId: camera }),
        }),
    );
    app.get(
      '/labels/missing',
      {
        config: { role: 'researcher' },
        schema: {
          tags,
          querystring: missingQuery,
          summary: 'Good kept frames without label, a page in the order of digests',
        },
      },
      ({ query: { since, ...page } }) => labels.unlabelled({ ...page, ...(since !== undefined && { since }) }),
    );
    app.put(
      '/labels/:digest',
      {
        config: { role: 'researcher' },
        schema: {
          tags,
          params: digestParams,
          body: z.strictObject({ label: z.string().max(400) }),
          summary: 'Label a frame',
        },
      },
      async ({ principal, params: { digest }, body: { label } }) => {
        await labels.set(digest, label, nameOf(principal));
        return { digest, label };
      },
    );
  };
}

const importRoute =
  (labels: Labels): FastifyPluginAsyncZod =>
  async (app) => {
    rawBodies(app);
    app.post(
      '/labels/import',
      {
        config: { role: 'researcher' },
        bodyLimit: MOST_BYTES,
        schema: {
          tags,
          querystring: importQuery,
          summary: 'Import CSV or JSON Lines (the body): digest and label, or camera, time and label; all good rows',
        },
      },
      ({ principal, query: { format = undefined, timeZone, mostRejections }, body, headers }) => {
        if (!Buffer.isBuffer(body)) {
          throw new AppError('IMPORT_EMPTY_INVALID', 'The request has no body; send the file as it is.');
        }
        const type = format ?? formatOfType(headers['content-type']);
        return labels.import(Readable.from([body]), `import by ${nameOf(principal)}`, {
          mostRejections,
          ...(type && { format: type }),
          ...(timeZone !== undefined && { timeZone }),
        });
      },
    );
  };

const nameOf = (principal: Principal): string => (principal.kind === 'token' ? principal.name : 'nobody');
