import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { WorkerSettings } from './messages.ts';

const FROM_SOURCES = import.meta.url.endsWith('.ts');
const WORKER = new URL(FROM_SOURCES ? './worker.ts' : './worker.js', import.meta.url);

/** A capture thread. From sources it has to register its loader itself: threads do not inherit it on Node 20. */
export function startCaptureThread(settings: WorkerSettings): Worker {
  if (!FROM_SOURCES) return new Worker(WORKER, { workerData: settings });
  // `require` finds the CommonJS twin, which cannot register in a thread.
  const twin = createRequire(import.meta.url).resolve('tsx/esm/api');
  const loader = pathToFileURL(twin.replace(/\.cjs$/, '.mjs')).href;
  const program = `import('${loader}').then(({ register }) => { register(); return import('${WORKER.href}'); })`;
  return new Worker(program, { eval: true, execArgv: [], workerData: settings });
}
