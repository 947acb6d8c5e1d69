import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

/**
 * A thread that runs the module `name` beside its caller, from sources and from the build alike. From sources it has to register
 * its loader itself: threads do not inherit it on Node 20.
 *
 * @param caller its `import.meta.url`
 * @param name without ending, e.g. `./worker`
 */
export function startThread(caller: string, name: string, workerData: unknown): Worker {
  const fromSources = caller.endsWith('.ts');
  const module = new URL(`${name}${fromSources ? '.ts' : '.js'}`, caller);
  if (!fromSources) return new Worker(module, { workerData });
  // `require` finds the CommonJS twin, which cannot register in a thread.
  const twin = createRequire(import.meta.url).resolve('tsx/esm/api');
  const loader = pathToFileURL(twin.replace(/\.cjs$/, '.mjs')).href;
  const program = `import('${loader}').then(({ register }) => { register(); return import('${module.href}'); })`;
  return new Worker(program, { eval: true, execArgv: [], workerData });
}
