import { join } from 'node:path';
import { AppError, codeOf, messageOf } from '../../common/runtime/errors.ts';
import { findBackbone } from '../backbone/folder.ts';
import { train } from '../main.ts';
import type { ChildMessage, ChildRequest } from './child.ts';
import { judge } from './judge.ts';

// Runs beside the trainer's own process, so that the heartbeat goes on whatever happens here.
const stopping = new AbortController();
const say = (message: ChildMessage): void => void process.send?.(message);
const stop = (): void => stopping.abort(new AppError('TRAINING_STOPPED', 'The trainer stops; the checkpoint is kept.'));

async function answer(request: ChildRequest): Promise<ChildMessage> {
  if (request.kind === 'judge') return { judged: await judge(request.dataset, request.model) };
  const { dataset, folder, backbones, settings, keyFile, modelName } = request;
  const out = join(folder, 'out');
  const { backbone: which } = settings;
  const backbone = which === undefined ? undefined : (await findBackbone(backbones, which)).folder;
  const result = await train(
    { dataset, out, keyFile, name: modelName, resume: 'if-possible', ...settings, backbone },
    {
      onIteration: (iteration) => say({ iteration }),
      onStage: (stage, done, all) => say({ note: all === undefined ? stage : `${stage} (${done ?? 0} of ${all})` }),
      signal: stopping.signal,
    },
  );
  return { trained: { artifact: result.artifact, report: result.report } };
}

process.once('message', (request: ChildRequest) => {
  process.on('message', stop);
  answer(request)
    .catch((error: unknown): ChildMessage => ({
      failed: { code: codeOf(error) ?? 'TRAINING_FAILED', message: messageOf(error) },
    }))
    .then((message) => process.send?.(message, () => process.exit()))
    .catch(() => process.exit(1));
});
// The trainer's process died: whatever comes out of this would reach nobody, but a checkpoint serves the next claim.
process.once('disconnect', () => {
  stop();
  setTimeout(() => process.exit(1), 20_000).unref();
});
