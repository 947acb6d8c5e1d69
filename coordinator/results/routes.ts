import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { DIGEST_HEADER } from '../../common/protocol/rest.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { DIGEST_PATTERN, sha256 } from '../../common/storage/digest.ts';
import type { Principal } from '../platform/http/access.ts';
import { rawBodies } from '../platform/http/uploads.ts';
import type { Sender } from './intake.ts';
import type { Results } from './results.ts';

export interface ResultRoutesParts {
  results: Pick<Results, 'intake' | 'frames' | 'latest' | 'queries'>;
  /** The camera for which a receipt asked for this picture. */
  wantedFor(digest: string): Promise<number | undefined>;
  /** Ids `session/camera/sequence` of counted frames, and who held what when; only where the witness is on. */
  countedAttempts: (() => Promise<{ ids: string[]; windows: unknown[] }>) | undefined;
}

/** 20,000 fragments with their memories. */
const BATCH_LIMIT = 64 * 1_048_576;
/** More than agents fetch by default. */
const PICTURE_LIMIT = 32 * 1_048_576;

const cameraParams = z.object({ id: z.coerce.number().int().positive().max(2_147_483_647) });
const digestParams = z.object({ digest: z.string().regex(DIGEST_PATTERN, 'must be a SHA-256 in hex') });
const limit = z.coerce.number().int().min(1).max(500).default(50);

/** What agents hand in, and what people ask about it. */
export function resultRoutes(parts: ResultRoutesParts): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(reportRoutes(parts));
    await app.register(pictureRoutes(parts));
    await app.register(spanRoutes(parts));
  };
}

/** Bodies are the outbox's bytes: the digest is taken of what arrived, before anything is parsed. */
function reportRoutes({ results: { intake, frames, latest }, wantedFor }: ResultRoutesParts): FastifyPluginAsyncZod {
  return async (app) => {
    rawBodies(app);
    const tags = ['agent'];
    const agents = { config: { role: 'agent' as const } };
    app.post(
      '/agent/batches',
      { ...agents, bodyLimit: BATCH_LIMIT, schema: { tags, summary: 'Body: a batch; answer: its receipt' } },
      ({ principal, body, headers }) => intake.accept(senderOf(principal), bytesOf(body), one(headers[DIGEST_HEADER])),
    );
    app.put(
      '/agent/frames/:digest',
      { ...agents, bodyLimit: PICTURE_LIMIT, schema: { tags, params: digestParams, summary: 'A picture to keep' } },
      async ({ params: { digest }, body }) => ({
        outcome: await frames.store(digest, (await wantedFor(digest)) ?? 0, bytesOf(body)),
      }),
    );
    app.put(
      '/agent/latest/:id',
      { ...agents, bodyLimit: PICTURE_LIMIT, schema: { tags, params: cameraParams, summary: 'Of a watched camera' } },
      async ({ params, body, headers }) => {
        const bytes = bytesOf(body);
        if (sha256(bytes) !== one(headers[DIGEST_HEADER])) {
          throw new AppError('FRAME_DIGEST', 'The picture is not the one that the digest names; send it again.');
        }
        return { taken: latest.put(params.id, bytes, Date.now()) };
      },
    );
  };
}

function pictureRoutes({ results: { frames, latest } }: ResultRoutesParts): FastifyPluginAsyncZod {
  return async (app) => {
    const tags = ['results'];
    const viewers = { config: { role: 'viewer' as const } };
    app.get('/frames/:digest', { ...viewers, schema: { tags, params: digestParams } }, async ({ params }, reply) =>
      sendPicture(reply.header('cache-control', 'private, max-age=86400, immutable'), await frames.read(params.digest)),
    );
    for (const path of ['/cameras/:id/frame', '/cameras/:id/latest']) {
      const summary = 'Newest picture: as it came where somebody watches, else the newest that was kept';
      app.get(
        path,
        { ...viewers, schema: { tags, params: cameraParams, summary } },
        async ({ params: { id } }, reply) => {
          const [kept] = await frames.ofCamera(id, { limit: 1 });
          const live = latest.get(id);
          if (live && live.at >= (kept?.at ?? 0)) return sendPicture(fetchedAt(reply, live.at), live.bytes);
          if (kept) return sendPicture(fetchedAt(reply, kept.at), await frames.read(kept.digest));
          throw new AppError('FRAME_NOT_FOUND', `No picture of camera ${id} is kept.`);
        },
      );
    }
    app.get(
      '/cameras/:id/frames',
      {
        ...viewers,
        schema: { tags, params: cameraParams, querystring: z.object({ limit, before: z.coerce.number().optional() }) },
      },
      async ({ params, query: { limit: most, before } }) => ({
        frames: await frames.ofCamera(params.id, { limit: most, ...(before !== undefined && { before }) }),
      }),
    );
  };
}

function spanRoutes({ results: { queries }, countedAttempts }: ResultRoutesParts): FastifyPluginAsyncZod {
  const page = z.object({
    limit,
    beforeAt: z.coerce.number().optional(),
    beforeId: z.coerce.number().int().optional(),
  });
  return async (app) => {
    const tags = ['results'];
    app.get(
      '/cameras/:id/spans',
      {
        config: { role: 'viewer' },
        schema: { tags, params: cameraParams, querystring: page, summary: 'Newest first' },
      },
      async ({ params, query: { limit: most, beforeAt, beforeId } }) => {
        const before =
          beforeAt !== undefined && beforeId !== undefined ? { firstAt: beforeAt, id: beforeId } : undefined;
        const spans = await queries.spansOf(params.id, { limit: most, ...(before && { before }) });
        const last = spans.length === most ? spans.at(-1) : undefined;
        return { spans, next: last ? { beforeAt: last.firstAt, beforeId: last.id } : null };
      },
    );
    if (countedAttempts) {
      app.get('/counted-attempts', { config: { role: 'viewer' }, schema: { hide: true } }, () => countedAttempts());
    }
  };
}

/** The agent behind a request; its route has the role `agent`. */
function senderOf(principal: Principal): Sender {
  if (principal.kind !== 'agent') throw new AppError('FORBIDDEN', 'Only agents may report.');
  return principal;
}

const bytesOf = (body: unknown): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));
const one = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;
const fetchedAt = (reply: FastifyReply, at: number): FastifyReply =>
  reply.header('x-camfleet-fetched-at', new Date(at).toISOString()).header('cache-control', 'no-store');

const MAGIC: readonly [string, string][] = [
  ['ffd8ff', 'image/jpeg'],
  ['89504e47', 'image/png'],
  ['47494638', 'image/gif'],
  ['52494646', 'image/webp'],
  ['424d', 'image/bmp'],
];

/** Cameras are strangers: what does not begin like a picture is not handed to a browser as anything that it would run. */
function sendPicture(reply: FastifyReply, bytes: Buffer): FastifyReply {
  const start = bytes.subarray(0, 4).toString('hex');
  const type = MAGIC.find(([magic]) => start.startsWith(magic))?.[1] ?? 'application/octet-stream';
  return reply.type(type).send(bytes);
}
