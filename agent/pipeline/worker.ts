import { parentPort, workerData } from 'node:worker_threads';
import { CaptureWorker } from './capture-worker.ts';
import type { ToWorker, WorkerSettings } from './messages.ts';

// A capture worker's thread: messages in, messages out.
const port = parentPort!;
const worker = new CaptureWorker(workerData as WorkerSettings, (message) => port.postMessage(message));
port.on('message', (message: ToWorker) => {
  if (message.type !== 'close') return worker.handle(message);
  void worker.close().finally(() => port.close());
});
