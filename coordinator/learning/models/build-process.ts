import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importNetwork } from '../../../common/inference/import-network.ts';
import { codeOf, messageOf } from '../../../common/runtime/errors.ts';

// Runs in a process of its own: a network that crashes ONNX Runtime must not take the coordinator with it.
const [requestPath, folder] = process.argv.slice(2) as [string, string];
try {
  const request = JSON.parse(await readFile(requestPath, 'utf8')) as {
    name: string;
    onnxPath: string;
    labels: string[];
    preprocessing?: { scale: number; offset: number };
  };
  const { onnxPath, ...rest } = request;
  const { manifest, files } = await importNetwork({ ...rest, onnx: await readFile(onnxPath) });
  for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
  process.send?.({ manifest });
} catch (error) {
  process.send?.({ error: { code: codeOf(error) ?? 'MODEL_INVALID', message: messageOf(error) } });
}
process.disconnect?.();
