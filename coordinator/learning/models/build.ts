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

const FROM_SOURCES = import.meta.url.endsWith('.ts');
const CHILD = fileURLToPath(new URL(FROM_SOURCES ? './build-process.ts' : './build-process.js', import.meta.url));
// A network of 200 MB takes some 10 s on one slow core.
const TIMEOUT_MS = 120_000;

type Answer = { manifest: ModelManifest } | { error: { code: string; message: string } };

/** Manifest and files of an imported network, made in a child process. @throws AppError MODEL_INVALID, MODEL_LABELS_MISMATCH */
export async function buildModel(
  network: NetworkToImport,
): Promise<{ manifest: ModelManifest; files: Map<string, Buffer> }> {
  const folder = await mkdtemp(join(tmpdir(), 'camfleet-model-'));
  try {
    const onnxPath = join(folder, 'network');
    await writeFile(onnxPath, network.onnx);
    await writeFile(join(folder, 'request.json'), JSON.stringify({ ...network, onnx: undefined, onnxPath }));
    const answer = await askChild(join(folder, 'request.json'), folder);
    if ('error' in answer) throw new AppError(answer.error.code, answer.error.message);
    const files = new Map<string, Buffer>();
    for (const name of Object.keys(answer.manifest.files)) files.set(name, await readFile(join(folder, name)));
    return { manifest: answer.manifest, files };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function askChild(requestPath: string, folder: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = fork(CHILD, [requestPath, folder], {
      execArgv: FROM_SOURCES ? ['--import', 'tsx'] : [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let answer: Answer | undefined;
    child.on('message', (message: Answer) => (answer = message));
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
