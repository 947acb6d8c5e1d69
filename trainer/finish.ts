import { join } from 'node:path';
import type { TrainingReport } from '../common/domain/training.ts';
import type { SignedManifest } from '../common/inference/artifact.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Dataset } from './dataset/dataset.ts';
import type { Parameters } from './engine/network.ts';
import { exportArtifact } from './export/artifact.ts';
import { goldenPictures } from './export/golden.ts';
import { buildHead } from './export/parts.ts';
import { trainerKey } from './export/key.ts';
import { fuseAndJudge } from './fuse.ts';
import type { Judgement } from './fuse.ts';
import type { Images } from './images.ts';
import type { Model } from './model.ts';
import type { Progress } from './progress.ts';
import type { TrainOptions } from './request.ts';
import { reportOf } from './report/report.ts';
import { writeReport } from './report/write.ts';
import { interrupted } from './train.ts';

export interface TrainingOutcome {
  report: TrainingReport;
  /** Folder of the signed artifact. */
  artifact: string;
  model: SignedManifest;
}

export interface Trained {
  options: TrainOptions;
  hooks: { clock: Clock; signal: AbortSignal; onStage: (stage: string) => void };
  dataset: Dataset;
  images: Images;
  model: Model;
  progress: Progress;
  trained: { m0: Parameters; m1: Parameters };
}

/** Pictures on which trainer and agent are compared: one batch. */
const CHECKED = 32;

/** Fuse, judge, export, report. */
export async function finish(folder: string, run: Trained): Promise<TrainingOutcome> {
  const { options, hooks, dataset, images, model, progress, trained } = run;
  hooks.onStage('fuses and judges');
  const pair = { m0: await model.open(trained.m0), m1: await model.open(trained.m1) };
  const judged = await fuseAndJudge(images, pair, progress.request.settings.fusion).finally(async () => {
    await pair.m0.close();
    await pair.m1.close();
  });
  if (hooks.signal.aborted) throw interrupted(folder);
  const report = reportOf({ progress, dataset, images, model, judged, finishedAt: hooks.clock.now() });
  hooks.onStage('writes the model and its report');
  const artifact = join(folder, 'artifact');
  const signed = await exportArtifact(artifact, {
    name: progress.request.name ?? dataset.name,
    labels: dataset.classes,
    input: progress.request.settings.input,
    heads: { m0: buildHead(model.network, trained.m0), m1: buildHead(model.network, trained.m1) },
    fusion: { ratios: judged.ratios, threshold: judged.choice.threshold },
    metrics: metricsOf(judged),
    origin: originOf(report),
    golden: await goldenPictures(dataset),
    check: {
      pictures: await images.files('reference', CHECKED),
      m0: judged.referenceScores.m0,
      m1: judged.referenceScores.m1,
    },
    key: await trainerKey(options.keyFile),
  });
  await writeReport(folder, report);
  return { report, artifact, model: signed };
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
