import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { datasetSchema, sampleSchema } from '../../../common/domain/dataset.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { DatasetLoader } from './loader.ts';
import { fileExists, insideFolder } from './paths.ts';

const pulledSchema = datasetSchema.omit({ samples: true }).extend({
  samples: z.array(sampleSchema.extend({ file: insideFolder })),
});

/** What `camfleet datasets pull` writes: dataset.json beside the images. Its parts are fixed for every later model. */
export const snapshot: DatasetLoader = {
  form: 'a pulled snapshot (dataset.json beside folders of images)',
  recognises: ({ folder }) => fileExists(join(folder, 'dataset.json')),
  async list({ folder }) {
    const file = join(folder, 'dataset.json');
    const pulled = parsed(file, await readFile(file, 'utf8'));
    const cutByTime = pulled.classes.flatMap(({ label, split }) => (split === 'time' ? [label] : []));
    return {
      name: pulled.name,
      digest: pulled.digest,
      classes: pulled.classes.map(({ label }) => label),
      images: pulled.samples.map((sample) => ({
        file: sample.file,
        label: sample.label,
        part: sample.part,
        digest: sample.digest,
        group: String(sample.cameraId),
        time: sample.fetchedAt,
      })),
      cutByTime: new Set(cutByTime),
      refuseNearDuplicates: false,
      splitRule:
        'by camera, each part fixed once by the fleet' +
        (cutByTime.length > 0 ? `; by time with a gap: ${cutByTime.join(', ')}` : ''),
    };
  },
};

function parsed(file: string, text: string): z.infer<typeof pulledSchema> {
  try {
    return pulledSchema.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new AppError(
      'DATASET_INVALID',
      `${file} is not what "camfleet datasets pull" writes; pull again. ${reason}`,
      {
        cause: error,
      },
    );
  }
}
