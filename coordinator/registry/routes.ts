import type { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { CameraMemory, PaceMemory } from '../../common/domain/fragment.ts';
import { cameraStates } from '../../common/domain/health.ts';
import { refreshOf, staleAfterMs } from '../../common/domain/refresh.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { redact } from '../../common/runtime/redact.ts';
import { mayAct } from '../platform/http/access.ts';
import type { Principal } from '../platform/http/access.ts';
import { cameraChangeSchema, cameraInputSchema, cameraSchema } from './camera.ts';
import type { Camera } from './camera.ts';
import { formatOfType, importFormats } from './import/entries.ts';
import { filterOf, filterQuerySchema, isNarrow } from './query.ts';
import type { Registry } from './registry.ts';

const MOST_UPLOAD_BYTES = 4 * 1024 ** 3;
/** An upload that stands still holds a transaction open. */
const STALL_MS = 120_000;

const tags = ['cameras'];
const idParams = z.object({ id: z.coerce.number().int().positive().max(2_147_483_647) });
const idsBody = z.object({ ids: z.array(z.number().int().positive()).min(1).max(10_000) });
const changed = z.object({ changed: z.number().int() });
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const listQuery = filterQuerySchema.extend({
  /** The `next` of the page before. */
  after: z.coerce.number().int().nonnegative().default(0),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  /** Counts all that match, too; and by state of health, whatever state is asked for. */
  count: flag.default(false),
  states: flag.default(false),
});
const importQuery = z.object({
  format: z.enum(importFormats).optional(),
  source: z.string().trim().min(1).max(100).optional(),
  sync: flag.default(false),
  mostRejections: z.coerce.number().int().min(0).max(100_000).default(100),
});
const rejection = z.object({ line: z.number(), reason: z.string() });
const reportSchema = z.object({
  read: z.number(),
  added: z.number(),
  changed: z.number(),
  unchanged: z.number(),
  rejected: z.number(),
  retired: z.number(),
  rejections: z.array(rejection),
  notes: z.array(rejection),
});

/** What agents remember of cameras. */
export type Memories = (ids: number[]) => Promise<ReadonlyMap<number, CameraMemory>>;
const NO_MEMORIES: Memories = () => Promise.resolve(new Map());

/** How often a camera is tried, as its agent said with its last report. */
const paceSchema = z.object({
  /** ISO 8601; of a camera that nobody tried, `null`. */
  nextDueAt: z.string().nullable(),
  failuresInARow: z.number(),
  /** How often it makes a picture, ms; at most that where each look found a new one. */
  learnedRefreshMs: z.number().nullable(),
  /** A picture older than this is stale, ms. */
  staleAfterMs: z.number(),
});

function paceOf(intervalMs: number, pace: PaceMemory | undefined): z.infer<typeof paceSchema> {
  const learned = refreshOf(pace?.refresh);
  return {
    nextDueAt: pace ? new Date(pace.nextDueAt).toISOString() : null,
    failuresInARow: pace?.failures ?? 0,
    learnedRefreshMs: learned ?? null,
    staleAfterMs: staleAfterMs(intervalMs, learned),
  };
}

const ADDRESS_FIELDS = [
  'snapshotUrl',
  'streamUrl',
  'snapshotPath',
  'videoPath',
  'referenceUrl',
  'sourceCameraId',
] as const;

/** Passwords and keys in a camera's own address (`?user=…&pwd=…`) are for those only who may change it. */
function shownTo<C extends Camera>(camera: C, principal: Principal): C {
  if (principal.kind === 'token' && mayAct(principal.role, 'operator')) return camera;
  const hidden = ADDRESS_FIELDS.map((field) => [field, camera[field] === null ? null : redact(camera[field])]);
  return { ...camera, ...(Object.fromEntries(hidden) as Partial<C>) };
}

/** /cameras: everything that people and programs do with cameras. */
export function registryRoutes(registry: Registry, memories: Memories = NO_MEMORIES): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(readRoutes(registry, memories));
    await app.register(changeRoutes(registry));
    await app.register(lifecycleRoutes(registry));
    await app.register(importRoute(registry));
  };
}

const readRoutes =
  (registry: Registry, memories: Memories): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/cameras',
      {
        config: { role: 'viewer' },
        schema: {
          tags,
          summary: 'Cameras that match, a page at a time in the order of ids',
          querystring: listQuery,
          response: {
            200: z.object({
              cameras: z.array(cameraSchema),
              next: z.number().nullable(),
              count: z.number().optional(),
              states: z.partialRecord(z.enum(cameraStates), z.number()).optional(),
            }),
          },
        },
      },
      async ({ query: { after, limit, count, states, ...query }, principal }) => {
        const filter = filterOf(query);
        const page = await registry.list(filter, { after, limit });
        return {
          ...page,
          cameras: page.cameras.map((camera) => shownTo(camera, principal)),
          ...(count && { count: await registry.count(filter) }),
          ...(states && { states: await registry.countStates({ ...filter, state: undefined }) }),
        };
      },
    );
    app.get(
      '/cameras/:id',
      {
        config: { role: 'viewer' },
        schema: { tags, params: idParams, response: { 200: cameraSchema.extend(paceSchema.shape) } },
      },
      async ({ params: { id }, principal }) => {
        const camera = await registry.get(id);
        return { ...shownTo(camera, principal), ...paceOf(camera.intervalMs, (await memories([id])).get(id)?.pace) };
      },
    );
  };

const changeRoutes =
  (registry: Registry): FastifyPluginAsyncZod =>
  async (app) => {
    app.post(
      '/cameras',
      {
        config: { role: 'operator' },
        schema: {
          tags,
          summary: 'Add a camera',
          // The service makes the camera out of it, with all its transformations: here it is only checked.
          body: cameraInputSchema,
          response: { 201: cameraSchema },
        },
      },
      async ({ body }, reply) => reply.status(201).send(await registry.add(body)),
    );
    app.patch(
      '/cameras/:id',
      {
        config: { role: 'operator' },
        schema: { tags, params: idParams, body: cameraChangeSchema, response: { 200: cameraSchema } },
      },
      async ({ params: { id }, body }) => {
        await registry.set({ ids: [id], lifecycle: (await registry.get(id)).lifecycle }, body);
        return registry.get(id);
      },
    );
    app.patch(
      '/cameras',
      {
        config: { role: 'operator' },
        schema: {
          tags,
          summary:
            'Set interval, hours, priority or tags of all cameras that match; `all=true` where no condition is given',
          querystring: filterQuerySchema.extend({ all: flag.default(false) }),
          body: cameraChangeSchema,
          response: { 200: changed.extend({ withoutZone: z.number().optional() }) },
        },
      },
      async ({ query: { all, ...query }, body }) => {
        const filter = filterOf(query);
        if (!all && !isNarrow(filter)) {
          throw new AppError(
            'CAMERA_QUERY',
            'No condition is given: that would change every camera. Add all=true to mean it.',
          );
        }
        return registry.change(filter, body);
      },
    );
  };

const lifecycleRoutes =
  (registry: Registry): FastifyPluginAsyncZod =>
  async (app) => {
    const moves = {
      pause: (ids: number[]) => registry.pause(ids),
      resume: (ids: number[]) => registry.resume(ids),
      remove: (ids: number[]) => registry.remove(ids),
    };
    for (const [name, move] of Object.entries(moves)) {
      app.post(
        `/cameras/:id/${name}`,
        { config: { role: 'operator' }, schema: { tags, params: idParams, response: { 200: cameraSchema } } },
        async ({ params: { id } }) => {
          await move([id]);
          return registry.get(id);
        },
      );
      app.post(
        `/cameras/${name}`,
        { config: { role: 'operator' }, schema: { tags, body: idsBody, response: { 200: changed } } },
        async ({ body }) => ({ changed: await move(body.ids) }),
      );
    }
  };

const importRoute =
  (registry: Registry): FastifyPluginAsyncZod =>
  async (app) => {
    // Streamed, whatever its type: a file of a million cameras never stands in memory.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    app.post(
      '/cameras/import',
      {
        config: { role: 'operator' },
        bodyLimit: MOST_UPLOAD_BYTES,
        schema: {
          tags,
          summary: 'Import CSV, JSON, JSON Lines or GeoJSON (the body): all good rows, or none where it breaks off',
          querystring: importQuery,
          response: { 200: reportSchema },
        },
      },
      async ({ query, body, headers }, reply) => {
        if (!body) throw new AppError('IMPORT_EMPTY_INVALID', 'The request has no body; send the file as it is.');
        const payload = body as Readable;
        const format = query.format ?? formatOfType(headers['content-type']);
        try {
          return await registry.import(untilStalled(payload), {
            sync: query.sync,
            mostRejections: query.mostRejections,
            ...(query.source !== undefined && { source: query.source }),
            ...(format && { format }),
            signal: goneSignal(reply),
          });
        } catch (error) {
          // A client that is still sending would see a broken connection instead of the reason.
          await drain(payload);
          throw error;
        }
      },
    );
  };

async function* untilStalled(payload: Readable): AsyncGenerator<Uint8Array> {
  const stalled = setTimeout(
    () =>
      payload.destroy(
        new AppError('IMPORT_FILE_INVALID', `The upload stood still for ${STALL_MS / 1_000} s; nothing was imported.`),
      ),
    STALL_MS,
  );
  let size = 0;
  try {
    for await (const chunk of payload.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      stalled.refresh();
      if ((size += chunk.length) > MOST_UPLOAD_BYTES) {
        throw new AppError('IMPORT_TOO_LARGE', `The file is larger than ${MOST_UPLOAD_BYTES} bytes; split it.`);
      }
      yield chunk;
    }
  } finally {
    clearTimeout(stalled);
  }
}

/** Aborts when the client goes away before it has its answer. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished)
      gone.abort(new AppError('IMPORT_FILE_INVALID', 'The client went away; nothing was imported.'));
  });
  return gone.signal;
}

async function drain(payload: Readable): Promise<void> {
  if (payload.readableEnded || payload.destroyed) return;
  await new Promise<void>((done) => {
    const late = setTimeout(done, STALL_MS);
    payload
      .once('close', () => done())
      .once('end', () => done())
      .once('error', () => done());
    payload.resume();
    late.unref();
  });
}
