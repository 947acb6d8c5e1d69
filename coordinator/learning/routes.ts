import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { publishArtifactSchema } from '../../common/protocol/training.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { ObjectStore } from '../../common/storage/object-store.ts';
import type { Models } from './models/models.ts';

export interface ModelRoutesParts {
  models: Pick<Models, 'list' | 'show' | 'import' | 'publish' | 'promote' | 'manifest' | 'file'>;
  /** Where uploads lie. */
  store: Pick<ObjectStore, 'get' | 'delete'>;
}

const versionParams = z.object({ version: z.string().regex(/^[0-9a-f]{8,64}$/, 'must be 8 to 64 hex digits') });
const fileParams = versionParams.extend({ name: z.string().max(100) });
const importBody = z.object({
  name: z.string().trim().min(1).max(100),
  /** Key of an upload: the ONNX file. */
  onnxUpload: z.string().regex(/^uploads\/[0-9a-f-]{36}$/, 'must be the key that POST /uploads gave'),
  labels: z.array(z.string().min(1).max(200)).min(2).max(100_000),
  preprocessing: z.object({ scale: z.number(), offset: z.number() }).optional(),
});
/** 100,000 labels of some 30 bytes. */
const LABELS_LIMIT = 8 * 1_048_576;
/** Sixteen golden frames of some 4 MB, as base64. */
const MANIFEST_LIMIT = 96 * 1_048_576;
export const SIGNATURE_HEADER = 'x-camfleet-signature';

/** The model registry for people (/models) and for agents (/agent/models). */
export function modelRoutes({ models, store }: ModelRoutesParts): FastifyPluginAsyncZod {
  return async (app) => {
    const tags = ['models'];
    app.get('/models', { config: { role: 'viewer' }, schema: { tags } }, async () => ({ models: await models.list() }));
    app.get('/models/:version', { config: { role: 'viewer' }, schema: { tags, params: versionParams } }, ({ params }) =>
      models.show(params.version),
    );
    app.post(
      '/models',
      {
        config: { role: 'operator' },
        bodyLimit: LABELS_LIMIT,
        schema: { tags, body: importBody, summary: 'Make a signed artifact of an uploaded ONNX classifier' },
      },
      async ({ body: { onnxUpload, ...network } }, reply) => {
        const model = await models.import({ ...network, onnx: await store.get(onnxUpload) });
        await store.delete(onnxUpload);
        return reply.status(201).send(model);
      },
    );
    app.post(
      '/models/artifacts',
      {
        config: { role: 'operator' },
        bodyLimit: MANIFEST_LIMIT,
        schema: { tags, body: publishArtifactSchema, summary: 'Publish a finished, signed artifact' },
      },
      async ({ body: { files, manifest, ...signed } }, reply) => {
        const model = await models.publish({ ...signed, manifest: Buffer.from(manifest, 'base64') }, (name) => {
          const key = files[name];
          if (key !== undefined) return store.get(key);
          throw new AppError('MODEL_INVALID', `The manifest names ${name}, but no upload was given for it.`);
        });
        for (const key of Object.values(files)) await store.delete(key);
        return reply.status(201).send(model);
      },
    );
    app.post(
      '/models/:version/promote',
      { config: { role: 'operator' }, schema: { tags, params: versionParams, summary: 'Put in force' } },
      ({ params }) => models.promote(params.version),
    );
    readArtifacts(app, models);
  };
}

/** Manifest, signature and files: for agents, and for researchers and trainers who compare models. */
function readArtifacts(app: Parameters<FastifyPluginAsyncZod>[0], models: ModelRoutesParts['models']): void {
  for (const [prefix, role] of [
    ['/agent/models', 'agent'],
    ['/models', 'researcher'],
  ] as const) {
    const config = { role };
    const tags = [role === 'agent' ? 'agent' : 'models'];
    const schema = { tags, params: versionParams };
    app.get(`${prefix}/:version/manifest`, { config, schema }, async ({ params }, reply) => {
      const { bytes, signature } = await models.manifest(params.version);
      return reply.type('application/json').header(SIGNATURE_HEADER, signature).send(bytes);
    });
    app.get(`${prefix}/:version/signature`, { config, schema }, async ({ params }, reply) =>
      reply.type('text/plain').send((await models.manifest(params.version)).signature),
    );
    app.get(
      `${prefix}/:version/files/:name`,
      { config, schema: { tags, params: fileParams } },
      async ({ params }, reply) =>
        reply.type('application/octet-stream').send(await models.file(params.version, params.name)),
    );
  }
}
