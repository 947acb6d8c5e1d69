import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importNetwork } from '../../../common/inference/import-network.ts';
import { ModelRunner, selfTest } from '../../../common/inference/model-runner.ts';
import { codeOf, messageOf } from '../../../common/runtime/errors.ts';
import type { ChildAnswer, ChildRequest } from './build.ts';

// Runs in a process of its own: a network that crashes ONNX Runtime must not take the coordinator with it.
const [requestPath, folder] = process.argv.slice(2) as [string, string];

async function answer(request: ChildRequest): Promise<ChildAnswer> {
  if (request.kind === 'prove') {
    const runner = await ModelRunner.load(folder, request.manifest, { threads: 1 });
    await selfTest(runner).finally(() => runner.close());
    return { proved: true };
  }
  const { onnxPath, ...network } = request.network;
  const { manifest, files } = await importNetwork({ ...network, onnx: await readFile(onnxPath) });
  for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
  return { manifest };
}

try {
  process.send?.(await answer(JSON.parse(await readFile(requestPath, 'utf8')) as ChildRequest));
} catch (error) {
  process.send?.({
    error: { code: codeOf(error) ?? 'MODEL_INVALID', message: messageOf(error) },
  } satisfies ChildAnswer);
}
process.disconnect?.();
