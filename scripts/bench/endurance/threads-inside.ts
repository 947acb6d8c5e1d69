import { Session } from 'node:inspector';
import type { Inside } from './scenario.ts';

interface Looked {
  heap: number;
  external: number;
  timers: number;
  resources: number;
}

/** Evaluated in every thread. Array buffers are part of what is external. */
const LOOK = `(() => {
  const { heapUsed, external } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const timers = resources.filter((name) => name === 'Timeout' || name === 'Immediate').length;
  return { heap: heapUsed, external, timers, resources: resources.length };
})()`;
const writeHeap = (path: string): string => `require('node:v8').writeHeapSnapshot(${JSON.stringify(path)})`;

type Evaluated = { result?: { value?: unknown }; exceptionDetails?: unknown };

/** Asks the main thread and every other thread of this process, by the inspector. */
export class ThreadsInside {
  readonly #session = new Session();
  readonly #threads = new Set<string>();
  readonly #waiting = new Map<number, (result: Evaluated) => void>();
  #next = 1;

  async open(): Promise<void> {
    this.#session.connect();
    this.#session.on('NodeWorker.attachedToWorker', ({ params }) => void this.#threads.add(params.sessionId));
    this.#session.on('NodeWorker.detachedFromWorker', ({ params }) => void this.#threads.delete(params.sessionId));
    this.#session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const { id = 0, result = {} } = JSON.parse(params.message) as { id?: number; result?: Evaluated };
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
    await this.#main('NodeWorker.enable', { waitForDebuggerOnStart: false });
  }

  /** The sum over all threads. */
  async look(): Promise<Inside> {
    const all = (await this.#everywhere(() => LOOK)) as Looked[];
    const sum = (of: keyof Looked): number => all.reduce((total, one) => total + one[of], 0);
    const megabytes = (of: keyof Looked): number => sum(of) / 1e6;
    return {
      heapMb: megabytes('heap'),
      externalMb: megabytes('external'),
      timers: sum('timers'),
      resources: sum('resources'),
    };
  }

  /** A heap snapshot of each thread, for Chromium's memory tab. */
  async writeHeaps(prefix: string): Promise<void> {
    await this.#everywhere((index) => writeHeap(`${prefix}-${index}.heapsnapshot`));
  }

  async #everywhere(expression: (index: number) => string): Promise<unknown[]> {
    const parameters = (index: number) => ({
      ...{ expression: expression(index), returnByValue: true, includeCommandLineAPI: true },
    });
    const main = (await this.#main('Runtime.evaluate', parameters(0))) as Evaluated;
    const others = [...this.#threads].map((thread, index) => this.#thread(thread, parameters(index + 1)));
    return [main, ...(await Promise.all(others))].flatMap(({ result }) => (result?.value ? [result.value] : []));
  }

  #main(method: string, params: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, params, (error, result) => (error ? reject(error) : resolve(result)));
    });
  }

  #thread(sessionId: string, params: object): Promise<Evaluated> {
    const id = this.#next++;
    const answer = new Promise<Evaluated>((resolve) => this.#waiting.set(id, resolve));
    void this.#main('NodeWorker.sendMessageToWorker', {
      sessionId,
      message: JSON.stringify({ id, method: 'Runtime.evaluate', params }),
    });
    return answer;
  }
}
