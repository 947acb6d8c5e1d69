import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { datasetSchema, sampleSchema } from '../../common/domain/dataset.ts';
import { argMax, fusedScores, modelManifestSchema } from '../../common/domain/model.ts';
import type { ModelManifest } from '../../common/domain/model.ts';
import type { Evaluation } from '../../common/domain/training.ts';
import { MANIFEST } from '../../common/inference/artifact.ts';
import { ModelRunner } from '../../common/inference/model-runner.ts';
import type { HeadScores } from '../../common/inference/model-runner.ts';
import { evaluate } from '../evaluate/metrics.ts';

const pulledSchema = datasetSchema
  .omit({ samples: true })
  .extend({ samples: sampleSchema.extend({ file: z.string() }).array() });

/** A model on the test part of a pulled snapshot, as agents would decide. Pictures that cannot be decoded are left out. */
export async function judge(dataset: string, model: string): Promise<Evaluation> {
  const { classes, samples } = pulledSchema.parse(JSON.parse(await readFile(join(dataset, 'dataset.json'), 'utf8')));
  const manifest = modelManifestSchema.parse(JSON.parse(await readFile(join(model, MANIFEST), 'utf8')));
  const labels = classes.map(({ label }) => label);
  const truth: number[] = [];
  const predicted: number[] = [];
  const runner = await ModelRunner.load(model, manifest, { threads: 1 });
  try {
    for (const { part, label, file } of samples) {
      if (part !== 'test') continue;
      const picture = await readFile(join(dataset, file));
      const [scores] = await runner.classify([picture]).catch(() => [] as HeadScores[]);
      if (!scores) continue;
      truth.push(labels.indexOf(label));
      predicted.push(labels.indexOf(decide(manifest, scores)));
    }
  } finally {
    await runner.close();
  }
  return evaluateOn(labels, truth, predicted);
}

function decide({ labels, fusion }: ModelManifest, scores: HeadScores): string {
  return labels[argMax(fusedScores(scores, fusion))] as string;
}

/** Over the snapshot's classes. A label that the snapshot does not have (−1) is a miss, and no class of its own. */
export function evaluateOn(
  labels: readonly string[],
  truth: readonly number[],
  predicted: readonly number[],
): Evaluation {
  const strange = labels.length;
  const all = evaluate(
    [...labels, 'any other'],
    truth,
    predicted.map((label) => (label < 0 ? strange : label)),
  );
  const perClass = all.perClass.slice(0, strange);
  return {
    ...all,
    perClass,
    macroF1: perClass.reduce((sum, { f1 }) => sum + f1, 0) / Math.max(1, perClass.length),
    confusion: all.confusion.slice(0, strange),
  };
}
