import { parentPort, workerData } from 'node:worker_threads';
import { codeOf, messageOf } from '../../../common/runtime/errors.ts';
import type { FromThread, ThreadItem, ThreadSettings, ToThread } from './messages.ts';
import { ImagePreparer } from './preparer.ts';

// A preparing thread: jobs in, one after another; their results lie in shared memory.
const port = parentPort!;
const { input, augmentation, seed, cache } = workerData as ThreadSettings;
const loading = ImagePreparer.load(input);
const pictures = new Float32Array(cache);
let last: Promise<void> = Promise.resolve();

port.on('message', (message: ToThread) => {
  last = last.then(() => (message.type === 'close' ? close() : answer(message)));
});

async function answer({ id, items, output }: Extract<ToThread, { type: 'prepare' }>): Promise<void> {
  const reply: FromThread = { id };
  try {
    await prepare(items, new Float32Array(output));
  } catch (error) {
    reply.error = { code: codeOf(error) ?? 'LOADER_FAILED', message: messageOf(error) };
  }
  port.postMessage(reply);
}

async function prepare(items: readonly ThreadItem[], output: Float32Array): Promise<void> {
  const preparer = await loading;
  const { size } = preparer;
  for (const { file, digest, repetition, position, slot, cached } of items) {
    const place = slot === null ? null : pictures.subarray(slot * size, (slot + 1) * size);
    const resized = cached && place ? place : await preparer.resized(file, digest);
    // Another thread may write the same numbers to the same slot; nobody reads it before one of them has answered.
    if (!cached) place?.set(resized);
    const draw = repetition === null ? null : { augmentation, seed, digest, repetition };
    preparer.view(resized, output.subarray(position * size, (position + 1) * size), draw);
  }
}

async function close(): Promise<void> {
  await (await loading).close();
  port.close();
}
