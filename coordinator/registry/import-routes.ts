import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { importFormats } from './import/entries.ts';

/** What an import in the background needs to know; also the parameters of its job. */
export const backgroundImportSchema = z.object({
  /** Key that POST /uploads gave. */
  objectKey: z.string().regex(/^uploads\/[0-9a-f-]{36}$/, 'must be the key that POST /uploads gave'),
  fileName: z.string().trim().min(1).max(200),
  format: z.enum(importFormats).optional(),
  /** Source of rows that name none. */
  source: z.string().trim().min(1).max(100).optional(),
  sync: z.boolean().default(false),
});
export type BackgroundImport = z.output<typeof backgroundImportSchema>;

export interface ImportJobs {
  enqueue(kind: 'cameras.import', params: BackgroundImport): Promise<{ id: number }>;
}

/** POST /cameras/imports: imports an uploaded file as a job, which goes on when whoever asked has gone away. */
export function backgroundImportRoutes(jobs: ImportJobs): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/cameras/imports',
      {
        config: { role: 'operator' },
        schema: {
          tags: ['cameras'],
          body: backgroundImportSchema,
          summary: 'Import an uploaded file as a job; its result is the report of the import',
        },
      },
      async ({ body }, reply) => reply.status(202).send(await jobs.enqueue('cameras.import', body)),
    );
  };
}
