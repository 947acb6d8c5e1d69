import { AppError, EXIT } from '../common/runtime/errors.ts';
import type { TrainEngine } from './engine/engine.ts';

/** Engines by name, loaded when asked for: the second one is an optional package. */
const ENGINES: Readonly<Record<string, (threads: number) => Promise<TrainEngine>>> = {
  onnxruntime: async () => new (await import('./engine/onnxruntime/engine.ts')).OrtEngine(),
  'tfjs-node-gpu': async (threads) => (await import('./engine/tfjs/tfjs-engine.ts')).TfjsEngine.load({ threads }),
};

export const ENGINE_NAMES = Object.keys(ENGINES);

/** @throws AppError `ENGINE_UNKNOWN`, `TFJS_UNAVAILABLE` */
export async function openEngine(name: string, threads: number): Promise<TrainEngine> {
  const load = Object.hasOwn(ENGINES, name) ? ENGINES[name] : undefined;
  if (load) return load(threads);
  throw new AppError('ENGINE_UNKNOWN', `There is no engine "${name}"; choose one of: ${ENGINE_NAMES.join(', ')}.`, {
    details: { exit: EXIT.usage },
  });
}
