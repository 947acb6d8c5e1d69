import { Session } from 'node:inspector';
import type { Profiler } from 'node:inspector';

/** Where one thread's CPU time went. */
export interface ThreadProfile {
  thread: string;
  /** Milliseconds in which it was not idle. */
  busyMs: number;
  top: { name: string; where: string; share: number }[];
}

const TOP = 25;

/** The sampling profiler in the main thread and in every capture thread. */
export class Profiling {
  readonly #session = new Session();
  readonly #threads = new Map<string, string>();
  readonly #waiting = new Map<string, (result: unknown) => void>();
  #next = 1;

  async start(): Promise<void> {
    const session = this.#session;
    session.connect();
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      this.#threads.set(params.sessionId, `thread ${this.#threads.size + 1}`);
    });
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const { id, result } = JSON.parse(params.message) as { id?: number; result?: unknown };
      this.#waiting.get(`${params.sessionId} ${id}`)?.(result);
    });
    await this.#main('NodeWorker.enable', { waitForDebuggerOnStart: false });
    for (const method of ['Profiler.enable', 'Profiler.start']) {
      await this.#main(method);
      for (const thread of this.#threads.keys()) await this.#worker(thread, method);
    }
  }

  async end(): Promise<ThreadProfile[]> {
    const main = (await this.#main('Profiler.stop')) as { profile: Profiler.Profile };
    const profiles = [summary('main thread', main.profile)];
    for (const [thread, name] of this.#threads) {
      const { profile } = (await this.#worker(thread, 'Profiler.stop')) as { profile: Profiler.Profile };
      profiles.push(summary(name, profile));
    }
    this.#session.disconnect();
    // The TypeScript loader has threads of its own, in which nothing of ours runs.
    return profiles.filter(({ top }) => top.some(({ where }) => where.startsWith('agent/')));
  }

  #main(method: string, params: object = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, params, (error, result) => (error ? reject(error) : resolve(result)));
    });
  }

  #worker(sessionId: string, method: string): Promise<unknown> {
    const id = this.#next++;
    const answer = new Promise((resolve) => this.#waiting.set(`${sessionId} ${id}`, resolve));
    void this.#main('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify({ id, method }) });
    return answer;
  }
}

/** Self times by function; what the loader's source maps hide is named by its file. */
function summary(thread: string, { nodes, samples = [], timeDeltas = [] }: Profiler.Profile): ThreadProfile {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const self = new Map<string, number>();
  let busy = 0;
  for (const [index, id] of samples.entries()) {
    const frame = byId.get(id);
    // The profiler's own share is hidden in `dispatch`.
    if (!frame || frame.functionName === '(idle)' || frame.functionName === 'dispatch') continue;
    const micros = timeDeltas[index] ?? 0;
    busy += micros;
    const key = `${frame.functionName || '(anonymous)'}\n${placeOf(frame.url)}`;
    self.set(key, (self.get(key) ?? 0) + micros);
  }
  const top = [...self]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, TOP)
    .map(([key, micros]) => {
      const [name = '', where = ''] = key.split('\n');
      return { name, where, share: micros / busy };
    });
  return { thread, busyMs: busy / 1_000, top };
}

const placeOf = (url: string): string => url.replace(/^.*\/(?=(agent|common|node_modules)\/)/, '').replace(/\?.*$/, '');
