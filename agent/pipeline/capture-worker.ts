import type { Stretch } from '../../common/protocol/agent-link.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { Cleaner } from '../clean/clean.ts';
import { FragmentFolder } from '../report/fragments.ts';
import type { Attempt } from '../report/fragments.ts';
import { Pictures } from '../report/pictures.ts';
import { EgressRule } from '../sources/egress.ts';
import { Decoders } from '../sources/ffmpeg/decoders.ts';
import { HttpClient } from '../sources/http.ts';
import type { SourceContext } from '../sources/source.ts';
import { CameraPipeline } from './camera-pipeline.ts';
import type { Stages } from './camera-pipeline.ts';
import { CoordinatorClock } from './clocks.ts';
import { Hosts } from './hosts.ts';
import { Pace } from './pace.ts';
import { RemoteClassifier } from './remote-classifier.ts';
import { runStream, takeOne, transportOf } from './transports.ts';
import type { Transport } from './transports.ts';
import type { CameraStart, FromWorker, ToWorker, WorkerSettings } from './messages.ts';
import { Scheduler } from './scheduler.ts';

const NOT_STRETCHED: Stretch = { factor: 1, belowPriority: 0 };

interface Running {
  pipeline: CameraPipeline;
  /** Ends when nothing of the camera runs any more. */
  ended: Promise<unknown>;
}

/**
 * Captures the cameras of the hosts that fall to this thread: schedules them, fetches, cleans, asks for their labels and folds
 * the attempts into fragments until the main thread collects them.
 */
export class CaptureWorker {
  readonly #send: (message: FromWorker) => void;
  readonly #clock = new CoordinatorClock();
  readonly #hosts: Hosts;
  readonly #http: HttpClient;
  readonly #decoders: Decoders;
  readonly #sources: SourceContext;
  readonly #scheduler: Scheduler;
  readonly #classifier: RemoteClassifier;
  readonly #stages: Stages;
  readonly #folder = new FragmentFolder();
  readonly #pictures: Pictures;
  readonly #running = new Map<number, Running>();
  readonly #watched = new Map<number, number>();
  #stretch = NOT_STRETCHED;
  #busySince = performance.eventLoopUtilization();

  constructor(settings: WorkerSettings, send: (message: FromWorker) => void) {
    this.#send = send;
    this.#pictures = new Pictures(settings.pictureBytes);
    this.#classifier = new RemoteClassifier((id, bytes) => send({ type: 'classify', id, bytes }));
    this.#hosts = new Hosts({ clock: this.#clock, dnsServers: settings.dnsServers });
    const { limiter, manners, dns } = this.#hosts;
    const egress = new EgressRule({
      allow: settings.egressAllow,
      lookup: dns.lookup,
      reasonAgainstHost: (host) => manners.reasonAgainstHost(host),
    });
    this.#http = new HttpClient({
      egress,
      limiter,
      manners,
      clock: this.#clock,
      userAgent: settings.userAgent,
      maxBytes: settings.maxBytes,
      deadlineMs: settings.timeoutMs,
    });
    const { maxPixels, maxBytes, userAgent, attemptHeader, fileRoots } = settings;
    this.#decoders = new Decoders({
      clock: this.#clock,
      configured: settings.ffmpeg ?? undefined,
      maxPixels,
      maxBytes,
    });
    this.#sources = {
      http: this.#http,
      clock: this.#clock,
      attemptHeader,
      fileRoots,
      streams: { egress, limiter, manners, decoders: this.#decoders, userAgent },
    };
    this.#scheduler = new Scheduler({
      clock: this.#clock,
      concurrency: settings.concurrency,
      hostConcurrency: (host) => this.#hosts.concurrencyOf(host),
    });
    this.#stages = {
      cleaner: new Cleaner({ maxPixels: settings.maxPixels }),
      classifier: this.#classifier,
      gate: settings.gate,
      clock: this.#clock,
      session: settings.session,
      report: (attempt, picture) => this.#report(attempt, picture),
      random: Math.random,
    };
  }

  handle(message: Exclude<ToWorker, { type: 'close' }>): void {
    switch (message.type) {
      case 'start':
        return message.cameras.forEach((camera) => this.#start(camera));
      case 'stop':
        return message.cameraIds.forEach((cameraId) => this.#stop(cameraId));
      case 'hosts':
        message.gone?.forEach((host) => this.#hosts.forgetBudget(host));
        return message.hosts.forEach((budget) => this.#hosts.setBudget(budget));
      case 'rests':
        return message.rests.forEach((rest) => this.#hosts.learn(rest));
      case 'placeholders':
        return this.#stages.cleaner.placeholders.set(message.hashes);
      case 'takedowns':
        return this.#hosts.setTakedowns(message.takedowns);
      case 'stretch':
        this.#stretch = message.stretch;
        return;
      case 'time':
        this.#clock.offset = message.offset;
        return;
      case 'model':
        this.#classifier.modelVersion = message.version;
        return;
      case 'watch':
        return this.#watch(message.cameraIds, message.seconds);
      case 'capture':
        for (const cameraId of message.cameraIds) this.#running.get(cameraId)?.pipeline.pace.hurry();
        return this.#scheduler.hurry(message.cameraIds);
      case 'collect':
        return this.#collect(message.id);
      case 'picture':
        return this.#send({ type: 'picture', id: message.id, bytes: this.#pictures.get(message.digest) ?? null });
      case 'classified':
        return this.#classifier.answer(message.id, message.result);
    }
  }

  async close(): Promise<void> {
    this.#scheduler.stop();
    const running = [...this.#running.values()];
    for (const { pipeline } of running) pipeline.stop();
    this.#classifier.close();
    await Promise.allSettled(running.map(({ ended }) => ended));
    await this.#decoders.close();
    await this.#http.close();
    this.#hosts.close();
  }

  #start(camera: CameraStart): void {
    const { assignment, memory } = camera;
    const { cameraId, host } = assignment;
    this.#hosts.begin(assignment);
    const pace = new Pace({
      assignment,
      memory: memory?.pace,
      lastAttemptAt: memory?.lastAttemptAt,
      askedMs: () => this.#intervalOf(camera),
      clock: this.#clock,
    });
    const pipeline = new CameraPipeline(camera, pace, this.#stages);
    const transport = this.#transportOf(camera, pipeline);
    const running: Running = { pipeline, ended: Promise.resolve() };
    this.#running.set(cameraId, running);
    if (transport?.kind === 'continuous') {
      running.ended = this.#runStream(transport, pipeline);
      return;
    }
    const fetch = this.#hosts.watched(assignment, transport ? takeOne(transport.source, pipeline.signal) : unusable);
    const run = (): Promise<void> => {
      const attempt = pipeline.attempt(fetch);
      running.ended = attempt;
      return attempt;
    };
    const last = memory?.lastAttemptAt;
    const ago = last === undefined ? undefined : Math.max(0, this.#clock.now() - last);
    this.#scheduler.add(
      {
        ...{ id: cameraId, host, run },
        intervalMs: () => pace.intervalMs(),
        waitMs: () => pace.waitMs() || this.#hosts.waitMs(assignment),
      },
      ago,
    );
  }

  #runStream({ source }: Transport, pipeline: CameraPipeline): Promise<void> {
    const { assignment } = pipeline.camera;
    const { pace } = pipeline;
    return runStream(source, pipeline, {
      breaker: this.#hosts.breaker,
      clock: this.#clock,
      pace,
      waitMs: () => pace.waitMs() || this.#hosts.restMs(assignment),
      judge: (error) => this.#hosts.judge(assignment, error, false),
      mustEnd: () => pace.closedMs() > 0 || this.#hosts.isTakenDown(assignment),
    });
  }

  #transportOf({ assignment }: CameraStart, pipeline: CameraPipeline): Transport | undefined {
    try {
      return transportOf(assignment, this.#sources, () => pipeline.nextAttemptId);
    } catch {
      return undefined;
    }
  }

  /** Answers when nothing of the camera is under way any more: only then may its sequence numbers go on elsewhere. */
  #stop(cameraId: number): void {
    const running = this.#running.get(cameraId);
    if (!running) return this.#send({ type: 'stopped', camera: { cameraId, sequence: 0, memory: null } });
    this.#running.delete(cameraId);
    this.#hosts.end(running.pipeline.camera.assignment);
    this.#scheduler.remove(cameraId);
    this.#watched.delete(cameraId);
    running.pipeline.stop();
    void Promise.resolve(running.ended).finally(() => {
      this.#pictures.forgetCamera(cameraId);
      this.#send({ type: 'stopped', camera: running.pipeline.stop() });
    });
  }

  #intervalOf({ assignment }: CameraStart): number {
    const { factor, belowPriority } = this.#stretch;
    return assignment.intervalMs * (assignment.priority < belowPriority ? factor : 1);
  }

  #report(attempt: Attempt, picture: Buffer | null): void {
    const { cameraId, frameDigest } = attempt;
    if (picture && frameDigest !== null) {
      this.#pictures.put(cameraId, frameDigest, alone(picture));
      this.#showTo(cameraId, frameDigest, picture);
    }
    const replaced = this.#folder.add(attempt);
    if (replaced !== null) this.#pictures.forget(replaced);
  }

  #watch(cameraIds: number[], seconds: number): void {
    const until = this.#clock.monotonic() + seconds * 1_000;
    for (const cameraId of cameraIds) {
      if (!this.#running.has(cameraId)) continue;
      const known = this.#watched.has(cameraId);
      this.#watched.set(cameraId, until);
      const newest = known ? undefined : this.#pictures.newestOf(cameraId);
      if (newest) this.#send({ type: 'latest', cameraId, ...newest });
    }
  }

  #showTo(cameraId: number, digest: string, bytes: Buffer): void {
    const until = this.#watched.get(cameraId);
    if (until === undefined) return;
    if (until < this.#clock.monotonic()) this.#watched.delete(cameraId);
    else this.#send({ type: 'latest', cameraId, digest, bytes });
  }

  #collect(id: number): void {
    const until = performance.eventLoopUtilization();
    const busy = performance.eventLoopUtilization(until, this.#busySince).utilization;
    this.#busySince = until;
    this.#send({
      type: 'collected',
      id,
      fragments: this.#folder.collect(),
      late: this.#scheduler.takeLate(),
      busy,
      hosts: this.#hosts.takeNews(),
    });
  }
}

/** A camera whose URL is of no use still has its attempts, which say so. */
const unusable = (): Promise<never> =>
  Promise.reject(new AppError('SOURCE_URL_INVALID', "The camera's URL cannot be used; correct it."));

/** Bodies are slices of what the socket read: a copy keeps 10 kB from holding on to 64 kB. */
function alone(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= bytes.length * 1.25) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
