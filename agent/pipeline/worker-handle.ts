import type { Worker } from 'node:worker_threads';
import type { HostNews } from '../../common/protocol/agent-link.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import { backoffMs } from '../../common/runtime/retry.ts';
import type { UndatedFragment } from '../report/fragments.ts';
import type { PictureClassifier } from './contracts.ts';
import type { CameraStopped, FromWorker, ToWorker } from './messages.ts';

export interface WorkerHandleOptions {
  classifier?: PictureClassifier | undefined;
  logger: Logger;
  onLatest(cameraId: number, digest: string, bytes: Buffer): void;
  onStopped(camera: CameraStopped): void;
  /** The thread died and a new one has taken its place, which knows no more than the newest message of each kind of `STATE`. */
  onCrashed(): void;
}

type Collected = { fragments: UndatedFragment[]; late: number; busy: number; hosts: HostNews };
const NOTHING: Collected = { fragments: [], late: 0, busy: 0, hosts: { rests: [], addresses: [] } };
// What a new thread has to know of the world; the newest of each kind.
const STATE = new Set<ToWorker['type']>(['stretch', 'time', 'model', 'takedowns', 'placeholders']);

const LONG_LIFE_MS = 60_000;
const RESTART = { firstMs: 100, ceilingMs: 10_000 };

/** A capture thread as seen from the main thread. One that dies is replaced. */
export class WorkerHandle {
  readonly #create: () => Worker;
  readonly #options: WorkerHandleOptions;
  readonly #state = new Map<ToWorker['type'], ToWorker>();
  readonly #collects = new Map<number, (collected: Collected) => void>();
  readonly #pictures = new Map<number, (bytes: Uint8Array | null) => void>();
  #worker: Worker;
  #next = 1;
  #closing = false;
  #crashes = 0;

  constructor(create: () => Worker, options: WorkerHandleOptions) {
    this.#create = create;
    this.#options = options;
    this.#worker = this.#spawn();
  }

  post(message: ToWorker): void {
    if (STATE.has(message.type)) this.#state.set(message.type, message);
    this.#worker.postMessage(message);
  }

  collect(): Promise<Collected> {
    if (this.#closing) return Promise.resolve(NOTHING);
    const id = this.#next++;
    this.post({ type: 'collect', id });
    return new Promise((resolve) => this.#collects.set(id, resolve));
  }

  picture(digest: string): Promise<Uint8Array | null> {
    if (this.#closing) return Promise.resolve(null);
    const id = this.#next++;
    this.post({ type: 'picture', id, digest });
    return new Promise((resolve) => this.#pictures.set(id, resolve));
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const gone = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    this.post({ type: 'close' });
    const late = setTimeout(() => void this.#worker.terminate(), 3_000);
    await gone;
    clearTimeout(late);
    this.#abandonQuestions();
  }

  #replace(): void {
    if (this.#closing) return;
    // What was asked since the end of the old one, nobody heard.
    this.#abandonQuestions();
    this.#worker = this.#spawn();
    for (const message of this.#state.values()) this.#worker.postMessage(message);
    this.#options.onCrashed();
  }

  #spawn(): Worker {
    const began = performance.now();
    const worker = this.#create();
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (error) => this.#options.logger.error({ err: error }, 'a capture thread failed'));
    worker.on('exit', () => {
      if (this.#closing || worker !== this.#worker) return;
      this.#abandonQuestions();
      const lived = performance.now() - began;
      this.#crashes = lived > LONG_LIFE_MS ? 0 : this.#crashes + 1;
      setTimeout(() => this.#replace(), backoffMs(RESTART, this.#crashes)).unref();
    });
    return worker;
  }

  #abandonQuestions(): void {
    for (const resolve of this.#collects.values()) resolve(NOTHING);
    for (const resolve of this.#pictures.values()) resolve(null);
    this.#collects.clear();
    this.#pictures.clear();
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'stopped':
        return this.#options.onStopped(message.camera);
      case 'collected':
        this.#collects.get(message.id)?.(message);
        return void this.#collects.delete(message.id);
      case 'picture':
        this.#pictures.get(message.id)?.(message.bytes);
        return void this.#pictures.delete(message.id);
      case 'latest':
        return this.#options.onLatest(message.cameraId, message.digest, Buffer.from(message.bytes));
      case 'classify':
        return void this.#classify(message.id, message.bytes);
    }
  }

  async #classify(id: number, bytes: Uint8Array): Promise<void> {
    const worker = this.#worker;
    const result = await this.#options.classifier?.classify(bytes).catch(() => null);
    if (worker === this.#worker && !this.#closing) this.post({ type: 'classified', id, result: result ?? null });
  }
}
