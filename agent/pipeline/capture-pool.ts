import { availableParallelism } from 'node:os';
import type { CameraMemory } from '../../common/domain/fragment.ts';
import type { Takedown } from '../../common/domain/takedown.ts';
import type { Assignment, Grant, HostBudget, HostRest, ShardDelta, Stretch } from '../../common/protocol/agent-link.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import { startThread } from '../../common/runtime/thread.ts';
import type { Lease, ShardHolder } from '../leases/keeper.ts';
import type { UndatedFragment } from '../report/fragments.ts';
import { threadClock } from './clocks.ts';
import { HostNewsBox, KnownRests } from './host-news.ts';
import { HostShares } from './host-shares.ts';
import type { ChangedBudgets } from './host-shares.ts';
import type { CameraStart, CameraStopped, WorkerSettings } from './messages.ts';
import { WorkerHandle } from './worker-handle.ts';
import type { PictureClassifier } from './contracts.ts';

export interface CapturePoolOptions {
  /** Threads; 0 takes all cores. */
  workers: number;
  settings: WorkerSettings;
  classifier?: PictureClassifier;
  logger: Logger;
}

interface Held {
  lease: Lease;
  assignment: Assignment;
  worker: number;
  /** Its URL is new: what is remembered of the old one (ETag, digest) says nothing about it. */
  moved: boolean;
}

/** A worker that died may have used numbers that nobody heard of. */
const GAP_AFTER_CRASH = 1_000_000;

/**
 * The capture workers as one holder of shards. A camera belongs to the worker of its host, so that a host's limits are kept in
 * one place; the main thread knows who runs what and never touches a picture.
 */
export class CapturePool implements ShardHolder {
  readonly #options: CapturePoolOptions;
  readonly #workers: WorkerHandle[];
  readonly #held = new Map<number, Held>();
  /** Cameras whose last attempt is being awaited, with what comes after it. */
  readonly #stopping = new Map<number, Held | null>();
  readonly #sequences = new Map<number, number>();
  readonly #memories = new Map<number, CameraMemory>();
  readonly #shares = new HostShares();
  #timeOffset: number | undefined;
  readonly #rests = new KnownRests(() =>
    this.#timeOffset === undefined ? threadClock.now() : threadClock.monotonic() + this.#timeOffset,
  );
  /** What the threads found out about hosts. */
  readonly hostNews = new HostNewsBox();
  /** Told of cameras that begin here. */
  onAssigned: (assignments: readonly Assignment[]) => void = () => {};
  #counts = { attempts: 0, late: 0, busy: 0 };
  /** Told of the newest picture of a camera that somebody watches. */
  onLatest: (cameraId: number, digest: string, bytes: Buffer) => void = () => {};

  constructor(options: CapturePoolOptions) {
    this.#options = options;
    const count = options.workers > 0 ? options.workers : availableParallelism();
    this.#workers = Array.from({ length: count }, (_, index) => this.#spawn(index));
  }

  /** Cameras that are captured now. */
  get cameras(): number {
    return this.#held.size;
  }

  take(lease: Lease, grant: Grant): void {
    this.#setHosts(lease.shardId, grant.hosts);
    lease.signal.addEventListener('abort', () => this.#leave(lease), { once: true });
    this.#start(lease, grant.cameras);
  }

  change(lease: Lease, delta: ShardDelta): void {
    this.#setHosts(lease.shardId, delta.hosts);
    const ours = (cameraId: number) => this.#held.get(cameraId)?.lease === lease;
    this.#stop(delta.remove.filter(ours));
    this.#start(
      lease,
      delta.upsert.filter(({ cameraId }) => ours(cameraId)),
    );
  }

  begin(lease: Lease, delta: ShardDelta): void {
    this.#start(
      lease,
      delta.upsert.filter(({ cameraId }) => this.#held.get(cameraId)?.lease !== lease),
    );
  }

  stretch(stretch: Stretch): void {
    for (const worker of this.#workers) worker.post({ type: 'stretch', stretch });
  }

  /** What other agents found out about hosts. */
  learnRests(rests: HostRest[]): void {
    this.#rests.add(rests);
    for (const [index, worker] of this.#workers.entries()) {
      const mine = rests.filter(({ host }) => workerOf(host, this.#workers.length) === index);
      if (mine.length > 0) worker.post({ type: 'rests', rests: mine });
    }
  }

  setTakedowns(takedowns: Takedown[]): void {
    for (const worker of this.#workers) worker.post({ type: 'takedowns', takedowns });
  }

  /** Perceptual hashes of cards that hosts show in the place of their cameras' pictures. */
  setPlaceholders(hashes: string[]): void {
    for (const worker of this.#workers) worker.post({ type: 'placeholders', hashes });
  }

  /** Coordinator's time minus monotonic clock, ms. */
  setTime(offset: number): void {
    this.#timeOffset = offset;
    for (const worker of this.#workers) worker.post({ type: 'time', offset });
  }

  setModel(version: string | null): void {
    for (const worker of this.#workers) worker.post({ type: 'model', version });
  }

  watch(cameraIds: number[], seconds: number): void {
    for (const worker of this.#workers) worker.post({ type: 'watch', cameraIds, seconds });
  }

  /** Gives these cameras their turn now; those of other agents are passed over. */
  captureNow(cameraIds: readonly number[]): void {
    for (const [index, worker] of this.#workers.entries()) {
      const mine = cameraIds.filter((cameraId) => this.#held.get(cameraId)?.worker === index);
      if (mine.length > 0) worker.post({ type: 'capture', cameraIds: mine });
    }
  }

  /** All fragments since the last call. */
  async collect(): Promise<UndatedFragment[]> {
    const answers = await Promise.all(this.#workers.map((worker) => worker.collect()));
    for (const { late, busy, hosts } of answers) {
      this.hostNews.add(hosts);
      this.#rests.add(hosts.rests);
      this.#counts.late += late;
      this.#counts.busy = Math.max(this.#counts.busy, busy);
    }
    const fragments = answers.flatMap(({ fragments }) => fragments);
    for (const { cameraId, firstSequence, monotonic } of fragments) {
      this.#counts.attempts += monotonic.length;
      const next = firstSequence + monotonic.length;
      if (next > (this.#sequences.get(cameraId) ?? 0)) this.#sequences.set(cameraId, next);
    }
    return fragments;
  }

  /** Attempts, late cameras and the load of the busiest thread (0 to 1) since the last call. */
  takeCounts(): { attempts: number; late: number; busy: number; cameras: number } {
    const counts = { ...this.#counts, cameras: this.#held.size };
    this.#counts = { attempts: 0, late: 0, busy: 0 };
    return counts;
  }

  /** Bytes of a picture that a worker still remembers. */
  async picture(digest: string): Promise<Buffer | null> {
    for (const worker of this.#workers) {
      const bytes = await worker.picture(digest);
      if (bytes) return Buffer.from(bytes);
    }
    return null;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }

  #spawn(index: number): WorkerHandle {
    const { settings, classifier, logger } = this.#options;
    return new WorkerHandle(() => startThread(import.meta.url, './worker', settings), {
      classifier,
      logger,
      onLatest: (cameraId, digest, bytes) => this.onLatest(cameraId, digest, bytes),
      onStopped: (camera) => this.#stopped(camera),
      onCrashed: () => this.#restart(index),
    });
  }

  #start(lease: Lease, assignments: readonly Assignment[]): void {
    const starts: Held[] = [];
    if (assignments.length > 0) this.onAssigned(assignments);
    for (const assignment of assignments) {
      const { cameraId } = assignment;
      const running = this.#held.get(cameraId);
      const moved = running !== undefined && running.assignment.source.url !== assignment.source.url;
      const next = { lease, assignment, worker: workerOf(assignment.host, this.#workers.length), moved };
      if (running) this.#stop([cameraId]);
      this.#held.set(cameraId, next);
      if (this.#stopping.has(cameraId)) this.#stopping.set(cameraId, next);
      else starts.push(next);
    }
    this.#post(starts);
  }

  #post(starts: readonly Held[]): void {
    for (const [index, worker] of this.#workers.entries()) {
      const cameras = starts.filter((held) => held.worker === index).map((held) => this.#startOf(held));
      if (cameras.length > 0) worker.post({ type: 'start', cameras });
    }
  }

  #startOf({ lease, assignment, moved }: Held): CameraStart {
    const known = this.#memories.get(assignment.cameraId);
    this.#memories.delete(assignment.cameraId);
    const given = assignment.memory;
    const newer = known && known.lastAttemptAt > (given?.lastAttemptAt ?? -Infinity) ? known : given;
    const memory = moved ? null : newer;
    const sequence = this.#sequences.get(assignment.cameraId) ?? 0;
    return { shardId: lease.shardId, token: lease.token, assignment, memory, sequence };
  }

  #stop(cameraIds: readonly number[]): void {
    for (const [index, worker] of this.#workers.entries()) {
      const mine = cameraIds.filter((cameraId) => this.#held.get(cameraId)?.worker === index);
      const running = mine.filter((cameraId) => !this.#stopping.has(cameraId));
      for (const cameraId of mine) {
        this.#held.delete(cameraId);
        this.#stopping.set(cameraId, null);
      }
      if (running.length > 0) worker.post({ type: 'stop', cameraIds: running });
    }
  }

  #stopped({ cameraId, sequence, memory }: CameraStopped): void {
    this.#sequences.set(cameraId, Math.max(sequence, this.#sequences.get(cameraId) ?? 0));
    if (memory) this.#memories.set(cameraId, memory);
    const next = this.#stopping.get(cameraId);
    this.#stopping.delete(cameraId);
    if (next) this.#post([next]);
    else this.#memories.delete(cameraId);
  }

  #leave(lease: Lease): void {
    this.#stop([...this.#held].filter(([, held]) => held.lease === lease).map(([cameraId]) => cameraId));
    this.#tellHosts(this.#shares.remove(lease.shardId));
  }

  #setHosts(shardId: number, hosts: readonly HostBudget[]): void {
    this.#tellHosts(this.#shares.set(shardId, hosts));
  }

  #tellHosts(changed: ChangedBudgets): void {
    for (const [index, worker] of this.#workers.entries()) {
      const isMine = (host: string): boolean => workerOf(host, this.#workers.length) === index;
      const hosts = changed.left.filter(({ host }) => isMine(host));
      const gone = changed.gone.filter(isMine);
      if (hosts.length + gone.length > 0) worker.post({ type: 'hosts', hosts, gone });
    }
  }

  #restart(index: number): void {
    // The new thread knows of no host; the others hear what they know.
    this.#tellHosts({ left: this.#shares.all(), gone: [] });
    for (const [cameraId, next] of [...this.#stopping]) {
      this.#sequences.set(cameraId, (this.#sequences.get(cameraId) ?? 0) + GAP_AFTER_CRASH);
      this.#stopping.delete(cameraId);
      if (next && next.worker !== index) this.#post([next]);
    }
    const cameras = [...this.#held.values()].filter(({ worker }) => worker === index);
    for (const { assignment } of cameras) {
      const { cameraId } = assignment;
      this.#sequences.set(cameraId, (this.#sequences.get(cameraId) ?? 0) + GAP_AFTER_CRASH);
    }
    // All of them: a redirect may have led to a host of another thread.
    this.#workers[index]?.post({ type: 'rests', rests: this.#rests.present() });
    this.#post(cameras);
  }
}

/** FNV-1a over the host's name. */
function workerOf(host: string, workers: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < host.length; i++) hash = Math.imul(hash ^ host.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % workers;
}
