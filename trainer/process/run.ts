import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pullDataset } from '../../common/dataset/pull.ts';
import type { TrainingReport } from '../../common/domain/training.ts';
import { MANIFEST, filesOf, readArtifact } from '../../common/inference/artifact.ts';
import type { Standing, TrainingOrder, TrainingRun } from '../../common/protocol/training.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { AppError, codeOf, messageOf } from '../../common/runtime/errors.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import { trainerKey } from '../export/key.ts';
import type { TrainerApi } from './api.ts';
import { runChild } from './child.ts';
import { Heartbeat } from './heartbeat.ts';
import { judgeStanding } from './standing.ts';

export interface RunParts {
  api: TrainerApi;
  /** Named in claims. */
  trainer: string;
  folder: string;
  /** Where backbones are that runs may ask for. */
  backbones: string;
  /** Aborts when this process is to end. */
  signal: AbortSignal;
  logger: Logger;
}

export type RunOutcome = 'succeeded' | 'failed' | 'handed back' | 'lost';

/** Cleaning up after a stop may not hold up the end of the process for long. */
const GOODBYE_MS = 10_000;

/** One claimed run from its snapshot to its published model, or to the reason why not. Never rejects. */
export async function work(order: TrainingOrder, parts: RunParts): Promise<RunOutcome> {
  const { api, trainer, signal, logger } = parts;
  const claim = { trainer, attempt: order.attempt };
  const heartbeat = new Heartbeat('pulls the snapshot', {
    send: (news, over) => api.progress(order.id, { ...claim, ...news }, over),
    clock: systemClock,
    logger,
  });
  const either = AbortSignal.any([signal, heartbeat.lost]);
  try {
    const run = await trainAndPublish(order, parts, heartbeat, either);
    logger.info({ run: run.id, model: run.modelVersion, decision: run.decision }, 'training run succeeded');
    await forget(order, parts);
    return 'succeeded';
  } catch (error) {
    await heartbeat.stop();
    return await explain(order, parts, { error, wasLost: codeOf(heartbeat.lost.reason) });
  } finally {
    await heartbeat.stop();
  }
}

async function trainAndPublish(
  order: TrainingOrder,
  parts: RunParts,
  heartbeat: Heartbeat,
  signal: AbortSignal,
): Promise<TrainingRun> {
  const { api, trainer } = parts;
  const folders = foldersOf(parts, order);
  await mkdir(folders.run, { recursive: true });
  await pullDataset(api.datasets(signal), order.dataset, folders.dataset, { signal });
  const outcome = await runChild(
    {
      kind: 'train',
      dataset: folders.dataset,
      folder: folders.run,
      backbones: parts.backbones,
      settings: order.settings,
      keyFile: folders.key,
      modelName: order.dataset,
    },
    { iteration: (report) => heartbeat.iteration(report), note: (note) => heartbeat.note(note) },
    signal,
  );
  if (!('trained' in outcome)) throw new AppError('TRAINING_CRASHED', 'The child gave another answer; this is a bug.');
  const { artifact, report } = outcome.trained;
  heartbeat.note('compares with the model in force');
  const standing = await standingOf(parts, folders, signal);
  heartbeat.note('publishes the model');
  const modelVersion = await publish(api, artifact, folders.key, signal);
  return finish(parts, order, { trainer, attempt: order.attempt, modelVersion, report, standing }, signal);
}

const finish = (
  { api }: RunParts,
  order: TrainingOrder,
  result: { trainer: string; attempt: number; modelVersion: string; report: TrainingReport; standing: Standing | null },
  signal: AbortSignal,
): Promise<TrainingRun> => api.result(order.id, result, signal);

/** A model that cannot be judged is no reason to lose the one that was just trained. */
async function standingOf(
  { api, logger }: RunParts,
  folders: { dataset: string; models: string },
  signal: AbortSignal,
): Promise<Standing | null> {
  try {
    return await judgeStanding(api, folders, signal);
  } catch (error) {
    signal.throwIfAborted();
    logger.warn({ err: error }, 'the model in force could not be judged');
    return null;
  }
}

async function publish(api: TrainerApi, artifact: string, keyFile: string, signal: AbortSignal): Promise<string> {
  const key = await trainerKey(keyFile);
  const { manifest, signature } = await readArtifact(artifact, key.publicKey);
  const files: Record<string, string> = {};
  for (const { name } of filesOf(manifest)) files[name] = await api.upload(join(artifact, name), signal);
  const bytes = await readFile(join(artifact, MANIFEST));
  const published = await api.publish(
    { manifest: bytes.toString('base64'), signature, publicKey: key.publicKey, files },
    signal,
  );
  return published.version;
}

/** Tells the coordinator what became of the run, as far as it still is ours. */
async function explain(
  order: TrainingOrder,
  parts: RunParts,
  { error, wasLost }: { error: unknown; wasLost: string | undefined },
): Promise<RunOutcome> {
  const { api, trainer, signal, logger } = parts;
  const claim = { trainer, attempt: order.attempt };
  const goodbye = AbortSignal.timeout(GOODBYE_MS);
  if (wasLost === 'TRAINING_CLAIM_LOST') {
    logger.warn({ run: order.id }, 'the claim was lost');
    return 'lost';
  }
  try {
    if (signal.aborted) {
      await api.handBack(order.id, claim, goodbye);
      logger.info({ run: order.id }, 'run handed back; its checkpoint stays here');
      return 'handed back';
    }
    await api.failure(order.id, claim, messageOf(error), goodbye);
    await forget(order, parts);
  } catch (failure) {
    // The coordinator takes the claim away when it hears nothing.
    logger.warn({ run: order.id, code: codeOf(failure) }, 'the end of the run was not delivered');
  }
  if (wasLost === undefined) logger.error({ run: order.id, err: error }, 'training run failed');
  return 'failed';
}

/** The coordinator has the model, the snapshot and the report; a checkpoint serves nobody any more. */
async function forget(order: TrainingOrder, parts: RunParts): Promise<void> {
  const { run, dataset } = foldersOf(parts, order);
  for (const folder of [run, dataset]) await rm(folder, { recursive: true, force: true });
}

function foldersOf({ folder }: RunParts, { id, dataset }: TrainingOrder) {
  return {
    run: join(folder, 'runs', String(id)),
    dataset: join(folder, 'datasets', dataset),
    models: join(folder, 'models'),
    key: join(folder, 'keys', 'trainer.pem'),
  };
}
