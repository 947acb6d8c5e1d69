import { fork } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ModelManifest } from '../../../common/domain/model.ts';
import { AppError } from '../../../common/runtime/errors.ts';

export interface NetworkToImport {
  name: string;
  onnx: Buffer;
  labels: string[];
  preprocessing?: { scale: number; offset: number } | undefined;
}

/** What the child is asked: to make an artifact of a network, or to run an artifact on its golden frames. */
export type ChildRequest =
  | { kind: 'import'; network: Omit<NetworkToImport, 'onnx'> & { onnxPath: string } }
  | { kind: 'prove'; manifest: ModelManifest };

export type ChildAnswer = { manifest: ModelManifest } | { proved: true } | { error: { code: string; message: string } };

const FROM_SOURCES = import.meta.url.endsWith('.ts');
const CHILD = fileURLToPath(new URL(FROM_SOURCES ? './build-process.ts' : './build-process.js', import.meta.url));
// A network of 200 MB takes some 10 s on one slow core.
const TIMEOUT_MS = 120_000;

/** Manifest and files of an imported network, made in a child process. @throws AppError MODEL_INVALID, MODEL_LABELS_MISMATCH */
export function buildModel(network: NetworkToImport): Promise<{ manifest: ModelManifest; files: Map<string, Buffer> }> {
  return inFolder(async (folder) => {
    const { onnx, ...rest } = network;
    const onnxPath = join(folder, 'network');
    await writeFile(onnxPath, onnx);
    const answer = await askChild(folder, { kind: 'import', network: { ...rest, onnxPath } });
    if (!('manifest' in answer)) throw unexpected();
    const files = new Map<string, Buffer>();
    for (const name of Object.keys(answer.manifest.files)) files.set(name, await readFile(join(folder, name)));
    return { manifest: answer.manifest, files };
  });
}

/**
 * Runs a finished artifact on its golden frames in a child process.
 *
 * @throws AppError MODEL_SELF_TEST_FAILED, MODEL_UNLOADABLE, MODEL_INVALID
 */
export function proveModel(manifest: ModelManifest, files: ReadonlyMap<string, Buffer>): Promise<void> {
  return inFolder(async (folder) => {
    for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
    await askChild(folder, { kind: 'prove', manifest });
  });
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'camfleet-model-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function askChild(folder: string, request: ChildRequest): Promise<Exclude<ChildAnswer, { error: unknown }>> {
  const requestPath = join(folder, 'request.json');
  await writeFile(requestPath, JSON.stringify(request));
  const answer = await runChild(requestPath, folder);
  if (!('error' in answer)) return answer;
  // What the file is like is the sender's affair, not a failure of ours.
  throw new AppError(answer.error.code, answer.error.message, { details: { status: 400 } });
}

function runChild(requestPath: string, folder: string): Promise<ChildAnswer> {
  return new Promise((resolve, reject) => {
    const child = fork(CHILD, [requestPath, folder], {
      execArgv: FROM_SOURCES ? ['--import', 'tsx'] : [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let answer: ChildAnswer | undefined;
    child.on('message', (message: ChildAnswer) => (answer = message));
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (answer) resolve(answer);
      else
        reject(
          new AppError(
            'MODEL_INVALID',
            `Trying the network ended with ${signal ?? `exit code ${code}`}; check its file.`,
          ),
        );
    });
  });
}

const unexpected = (): AppError =>
  new AppError('MODEL_CHILD_ANSWER', 'The child gave another answer than was asked for; this is a bug.');
