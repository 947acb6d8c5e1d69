import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { modelManifestSchema } from '../../common/domain/model.ts';
import type { Evaluation } from '../../common/domain/training.ts';
import { MANIFEST, writeArtifact } from '../../common/inference/artifact.ts';
import type { Standing } from '../../common/protocol/training.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { sha256 } from '../../common/storage/digest.ts';
import type { TrainerApi } from './api.ts';
import { runChild } from './child.ts';

/** The model in force on the test part of a pulled snapshot; `null` while there is none. */
export async function judgeStanding(
  api: TrainerApi,
  { dataset, models }: { dataset: string; models: string },
  signal: AbortSignal,
): Promise<Standing | null> {
  const version = await api.modelInForce(signal);
  if (version === null) return null;
  const model = join(models, version);
  await fetchModel(api, version, model, signal);
  const outcome = await runChild({ kind: 'judge', dataset, model }, {}, signal);
  if (!('judged' in outcome)) throw new AppError('TRAINING_CRASHED', 'The child gave another answer; this is a bug.');
  return { version, evaluation: outcome.judged satisfies Evaluation };
}

/** A version is the digest of its manifest, and that names the files' digests: nothing else has to be trusted. */
async function fetchModel(api: TrainerApi, version: string, folder: string, signal: AbortSignal): Promise<void> {
  const isThere = await stat(join(folder, MANIFEST)).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  const bytes = await api.modelPart(version, 'manifest', signal);
  if (sha256(bytes) !== version) {
    throw new AppError('MODEL_TAMPERED', `The manifest that came for model ${version.slice(0, 12)} is another one.`);
  }
  const signature = (await api.modelPart(version, 'signature', signal)).toString('utf8');
  const manifest = modelManifestSchema.parse(JSON.parse(bytes.toString('utf8')));
  await writeArtifact(folder, { version, bytes, signature, manifest }, (name) =>
    api.modelPart(version, `files/${name}`, signal),
  );
}
