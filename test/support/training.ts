import type { Dataset } from '../../common/domain/dataset.ts';
import { ratiosOf } from '../../common/domain/dataset.ts';
import type { Evaluation, IterationReport, TrainingReport } from '../../common/domain/training.ts';
import { sha256 } from '../../common/storage/digest.ts';

/** A snapshot of three colours as the API shows it. */
export function datasetOf(name: string, perClass = 10): Dataset {
  const labels = ['red', 'green', 'blue'];
  const counts = { training: perClass, reference: 2, test: 4 };
  const ratios = ratiosOf(labels.map(() => perClass));
  return {
    name,
    createdAt: new Date().toISOString(),
    digest: sha256(`samples of ${perClass}`),
    perCamera: 1,
    classes: labels.map((label, j) => ({ label, split: 'camera', counts, cameras: 5, ratio: ratios[j] ?? 0 })),
    samples: 3 * (perClass + 6),
    cameras: 15,
    bytes: 1_000,
  };
}

export function evaluationOf(macroF1: number, images = 12): Evaluation {
  const perClass = ['red', 'green', 'blue'].map((label) => ({
    label,
    precision: macroF1,
    recall: macroF1,
    f1: macroF1,
    support: images / 3,
  }));
  return {
    images,
    accuracy: macroF1,
    macroF1,
    weightedF1: macroF1,
    supported: { classes: 3, macroF1 },
    perClass,
    confusion: [
      [4, 0, 0],
      [0, 4, 0],
      [0, 0, 4],
    ],
  };
}

export const iterationOf = (iteration: number, run: 'm0' | 'm1' = 'm0'): IterationReport => ({
  run,
  level: 1,
  iteration,
  iterations: 5,
  loss: 1 / iteration,
  macroF1: 0.5,
  accuracy: 0.6,
  f1: [0.5, 0.5, 0.5],
  sampleSizes: [10, 10, 10],
  seconds: 0.1,
  etaSeconds: 5 - iteration,
});

export function reportOf(fused: number): TrainingReport {
  const at = new Date().toISOString();
  const figures = { m0: evaluationOf(fused - 0.1), m1: evaluationOf(fused - 0.05), fused: evaluationOf(fused) };
  return {
    format: 1,
    engine: 'onnxruntime on CPU',
    preset: 'small',
    network: 'basic-cnn',
    weights: 'from scratch',
    seeds: { m0: 1, m1: 2 },
    dataset: { name: 'colours', digest: sha256('colours'), split: 'by camera', classes: ['red', 'green', 'blue'] },
    settings: {},
    counts: { training: [10, 10, 10], reference: [2, 2, 2], test: [4, 4, 4] },
    ratios: ratiosOf([10, 10, 10]),
    iterations: [iterationOf(1)],
    fusion: { rule: 'searched', threshold: 0.3, curve: [] },
    test: { ...figures, mean: evaluationOf(fused) },
    reference: figures,
    seconds: 1,
    startedAt: at,
    finishedAt: at,
    warnings: [],
  };
}
