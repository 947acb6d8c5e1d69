import { join } from 'node:path';
import type { TrainedRun, TrainingReport } from '../common/domain/training.ts';
import type { SignedManifest } from '../common/inference/artifact.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { adjust } from './adjust.ts';
import type { Adjusted } from './adjust.ts';
import type { Dataset } from './dataset/dataset.ts';
import { rowsOf, softmax } from './evaluate/probabilities.ts';
import { exportArtifact } from './export/artifact.ts';
import { goldenPictures } from './export/golden.ts';
import { trainerKey } from './export/key.ts';
import { fuseAndJudge } from './fuse.ts';
import type { Judgement, TrainedPair } from './fuse.ts';
import type { TrainingImages } from './images.ts';
import type { Model } from './model.ts';
import { outOfFold } from './out-of-fold.ts';
import { needsFolds } from './phases.ts';
import type { Progress } from './progress.ts';
import type { TrainOptions } from './request.ts';
import { reportOf } from './report/report.ts';
import { writeReport } from './report/write.ts';
import { interrupted } from './train.ts';
import type { TrainedModels } from './train.ts';

export interface TrainingOutcome {
  report: TrainingReport;
  /** Folder of the signed artifact. */
  artifact: string;
  model: SignedManifest;
}

export interface Trained {
  options: TrainOptions;
  hooks: { clock: Clock; signal: AbortSignal; onStage: (stage: string, done?: number, all?: number) => void };
  dataset: Dataset;
  images: TrainingImages;
  openImages(dataset: Dataset): TrainingImages;
  model: Model;
  progress: Progress;
  trained: TrainedModels;
}

/** Pictures on which trainer and agent are compared: one batch. */
const CHECKED = 32;

/** Adjust, fuse, judge, export, report. */
export async function finish(folder: string, run: Trained): Promise<TrainingOutcome> {
  const { hooks, dataset, images, model, progress } = run;
  const adjusted = await adjust({ ...run, folds: await foldsOf(folder, run) });
  hooks.onStage('fuses and judges');
  const { judged, served } = await judge(run, adjusted);
  if (hooks.signal.aborted) throw interrupted(folder);
  const report = reportOf({ progress, dataset, images, model, judged, adjusted, finishedAt: hooks.clock.now() });
  hooks.onStage('writes the model and its report');
  const artifact = join(folder, 'artifact');
  const signed = await writeModel(artifact, run, { report, judged, adjusted, served });
  await writeReport(folder, report);
  return { report, artifact, model: signed };
}

async function foldsOf(folder: string, run: Trained) {
  if (!needsFolds(run.progress.request.settings)) return undefined;
  await run.images.release();
  return outOfFold({ ...run, folder });
}

type Served = Record<TrainedRun, Float64Array[]>;

/** The verdict on both models, and their scores on the pictures that are compared with the agents' path. */
async function judge(
  { images, model, progress }: Trained,
  { trained, outOfFold: scored }: Adjusted,
): Promise<{ judged: Judgement; served: Served }> {
  const level = model.networks.length;
  const pair: TrainedPair = { m0: await model.open(level, trained.m0), m1: await model.open(level, trained.m1), level };
  try {
    const judged = await fuseAndJudge(images, pair, progress.request.settings.fusion, scored);
    const scores = async (run: TrainedRun) =>
      rowsOf(await images.servedLogits('reference', pair[run], level, CHECKED), images.classes.length).map(softmax);
    return { judged, served: { m0: await scores('m0'), m1: await scores('m1') } };
  } finally {
    await pair.m0.close();
    await pair.m1.close();
  }
}

interface Verdict {
  report: TrainingReport;
  judged: Judgement;
  adjusted: Adjusted;
  served: Served;
}

async function writeModel(
  artifact: string,
  { options, dataset, images, model, progress }: Trained,
  { report, judged, adjusted, served }: Verdict,
): Promise<SignedManifest> {
  const parts = await model.parts(model.networks.length);
  const { m0, m1 } = adjusted.trained;
  return exportArtifact(artifact, {
    name: progress.request.name ?? dataset.name,
    labels: dataset.classes,
    parts,
    heads: { m0: parts.buildHead(m0), m1: parts.buildHead(m1) },
    fusion: {
      rule: judged.choice.kind === 'mean' ? 'mean' : 'eq3',
      ratios: judged.ratios,
      threshold: judged.choice.threshold,
    },
    metrics: metricsOf(judged),
    origin: originOf(report),
    golden: await goldenPictures(dataset),
    check: { pictures: await images.files('reference', CHECKED), ...served },
    key: await trainerKey(options.keyFile),
  });
}

/** On the test part; plain names are the fused model's. */
function metricsOf({ test }: Judgement): Record<string, number> {
  return {
    macroF1: test.fused.macroF1,
    accuracy: test.fused.accuracy,
    weightedF1: test.fused.weightedF1,
    m0MacroF1: test.m0.macroF1,
    m0Accuracy: test.m0.accuracy,
    m1MacroF1: test.m1.macroF1,
    m1Accuracy: test.m1.accuracy,
    meanMacroF1: test.mean.macroF1,
    meanAccuracy: test.mean.accuracy,
    images: test.fused.images,
  };
}

function originOf({ engine, preset, network, weights, seeds, dataset }: TrainingReport): string {
  return (
    `trained by camfleet: preset ${preset}, network ${network}, weights ${weights}; engine ${engine}; ` +
    `seeds ${seeds.m0} (M0) and ${seeds.m1} (M1); dataset ${dataset.name}, SHA-256 ${dataset.digest}; split: ${dataset.split}`
  );
}
