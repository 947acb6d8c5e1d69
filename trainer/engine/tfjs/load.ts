import { createRequire } from 'node:module';
import util from 'node:util';
import type * as TensorFlow from '@tensorflow/tfjs-core';
import { AppError, codeOf, messageOf } from '../../../common/runtime/errors.ts';

/** The functions of TensorFlow.js. */
export type Tf = typeof TensorFlow;

export interface Tfjs {
  tf: Tf;
  /** npm package that it came from, and its version. */
  package: string;
  version: string;
  /** Of the native library. */
  tensorflow: string;
  device: 'gpu' | 'cpu';
}

/** In the order in which they are tried; the second is the same for machines without NVIDIA's libraries. */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

export interface LoadOptions {
  /** Threads of TensorFlow's pool on a CPU; default: all cores. A process has one pool, and its first load decides. */
  threads?: number | undefined;
  /** How a package is loaded; another one in tests. */
  require?: (name: string) => unknown;
}

/** Loads the native TensorFlow.js that is installed. Throws `TFJS_UNAVAILABLE` with what it needs. */
export async function loadTfjs({ threads, require = createRequire(import.meta.url) }: LoadOptions): Promise<Tfjs> {
  prepareProcess(threads);
  const failures: unknown[] = [];
  for (const name of PACKAGES) {
    try {
      return await ready(name, require(name) as Tf & { version: Record<string, string> });
    } catch (error) {
      failures.push(error);
    }
  }
  throw unavailable(failures);
}

/** What must be so before the native library starts. */
function prepareProcess(threads: number | undefined): void {
  // It logs every instruction set that it found, otherwise.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  // Without it TensorFlow takes all memory of a GPU at once, and ONNX Runtime beside it gets none.
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
  if (threads !== undefined) process.env['TF_NUM_INTRAOP_THREADS'] ??= String(threads);
  // tfjs-node 4.22 calls two functions that Node 23 took out or warns about.
  const old = util as unknown as Record<string, unknown>;
  old['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined;
  old['isArray'] = Array.isArray;
}

async function ready(name: string, tf: Tf & { version: Record<string, string> }): Promise<Tfjs> {
  await tf.ready();
  const backend = tf.backend() as unknown as { binding?: { TF_Version: string }; isUsingGpuDevice?: boolean };
  if (tf.getBackend() !== 'tensorflow' || backend.binding === undefined) {
    throw new Error(`${name} started the backend "${tf.getBackend()}" in place of "tensorflow"`);
  }
  return {
    tf,
    package: name,
    version: tf.version['tfjs-node'] ?? tf.version['tfjs-core'] ?? 'unknown',
    tensorflow: backend.binding.TF_Version,
    device: backend.isUsingGpuDevice === true ? 'gpu' : 'cpu',
  };
}

function unavailable(failures: readonly unknown[]): AppError {
  // That a package is not installed tells less than why an installed one does not start.
  const cause = failures.find((error) => codeOf(error) !== 'MODULE_NOT_FOUND') ?? failures[0];
  const [reason] = messageOf(cause).split('\n');
  return new AppError(
    'TFJS_UNAVAILABLE',
    `The tfjs-node-gpu engine needs ${PACKAGES[0]} with its native TensorFlow library, which did not load: ${reason} ` +
      'Install a Python wheel (`pip install tensorflow`) and run `npm run link-tensorflow -- --python FILE`, or train with ' +
      'the onnxruntime engine.',
    { cause },
  );
}
