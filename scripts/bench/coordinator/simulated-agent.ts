import { randomUUID } from 'node:crypto';
import { LeaseKeeper } from '../../../agent/leases/keeper.ts';
import type { KeeperLink, Lease, ShardHolder } from '../../../agent/leases/keeper.ts';
import { CoordinatorTime } from '../../../agent/leases/time.ts';
import type { Instant } from '../../../agent/leases/time.ts';
import type { CoordinatorHttp } from '../../../agent/link/coordinator-http.ts';
import type { Identity } from '../../../agent/link/identity.ts';
import { CoordinatorLink } from '../../../agent/link/link.ts';
import type { Fragment } from '../../../common/domain/fragment.ts';
import type { Assignment, Welcome } from '../../../common/protocol/agent-link.ts';
import { receiptSchema } from '../../../common/protocol/rest.ts';
import type { Receipt } from '../../../common/protocol/rest.ts';
import { systemClock } from '../../../common/runtime/clock.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { CameraLives, MODEL_VERSION } from './camera-life.ts';
import type { Recorder } from './recorder.ts';

/** Attempts a second: room for some three times the cameras that are its share. */
const CAPACITY = 5;

interface Held {
  lease: Lease;
  intervalMs: number;
  /** Monotonic ms. */
  due: number;
}

/**
 * An agent without cameras: link, leases and clock are the real ones, what the attempts come to is made up. Its batches wait in
 * memory instead of an outbox.
 */
export class SimulatedAgent implements ShardHolder {
  readonly #number: number;
  readonly #http: CoordinatorHttp;
  readonly #recorder: Recorder;
  readonly #session = randomUUID();
  readonly #time = new CoordinatorTime();
  readonly #link: CoordinatorLink;
  readonly #keeper: LeaseKeeper;
  readonly #cameras = new Map<number, Held>();
  readonly #lives = new CameraLives();
  readonly #pictures = new Map<string, Buffer>();
  #seq = 1;
  #undelivered: { bytes: Buffer; attempts: number } | undefined;
  #reportMs = 5_000;
  #timer: NodeJS.Timeout | undefined;
  #isDead = false;

  constructor(number: number, identity: Identity, http: CoordinatorHttp, recorder: Recorder) {
    this.#number = number;
    this.#http = http;
    this.#recorder = recorder;
    const common = { clock: systemClock, logger: silentLogger };
    const hello = () => ({
      ...{
        name: identity.name,
        version: '0.0.0',
        capacity: CAPACITY,
        probe: [],
        highestToken: this.#keeper.highestToken,
      },
      held: this.#keeper.held,
    });
    this.#link = new CoordinatorLink({ ...common, identity, sessionId: this.#session, http, hello });
    this.#keeper = new LeaseKeeper({
      ...common,
      link: timed(this.#link, recorder),
      holder: this,
      time: this.#time,
      status: () => ({
        capacity: CAPACITY,
        rate: this.#cameras.size / 60,
        late: 0,
        modelVersion: MODEL_VERSION,
        outboxBatches: 0,
      }),
    });
  }

  /** Resolves when the coordinator has said welcome. */
  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#link.on('ready', (welcome, { sentAt, receivedAt }) => {
        this.#welcome(welcome, sentAt, receivedAt);
        resolve();
      });
      this.#link.on('final', (code, message) => reject(new Error(`${code}: ${message}`)));
      this.#link.connect();
    });
  }

  /** As after kill -9: the connection ends, nothing is said. Returns its cameras. */
  die(): number[] {
    const cameras = [...this.#cameras.keys()];
    this.#isDead = true;
    clearTimeout(this.#timer);
    this.#link.close();
    this.#keeper.stop('stopped');
    return cameras;
  }

  take(lease: Lease, { cameras }: { cameras: Assignment[] }): void {
    lease.signal.addEventListener('abort', () => this.#leave(lease), { once: true });
    this.#start(lease, cameras);
  }

  change(lease: Lease, { remove }: { remove: number[] }): void {
    for (const cameraId of remove) if (this.#cameras.get(cameraId)?.lease === lease) this.#drop(cameraId);
  }

  begin(lease: Lease, { upsert }: { upsert: Assignment[] }): void {
    this.#start(lease, upsert);
  }

  stretch(): void {}

  #welcome(welcome: Welcome, sentAt: number, receivedAt: number): void {
    const { skew } = instant();
    this.#time.addAnchor({ monotonic: sentAt, skew }, { monotonic: receivedAt, skew }, welcome.now);
    this.#reportMs = welcome.reportMs;
    this.#keeper.welcome(welcome);
    this.#timer ??= setTimeout(() => void this.#report(), Math.random() * this.#reportMs);
  }

  /** First attempts are spread over the interval: the even load of a fleet that has run for a while. */
  #start(lease: Lease, assignments: readonly Assignment[]): void {
    for (const { cameraId, intervalMs } of assignments) {
      const due = systemClock.monotonic() + Math.random() * intervalMs;
      this.#cameras.set(cameraId, { lease, intervalMs, due });
      this.#recorder.accepted(cameraId, this.#number);
    }
  }

  #leave(lease: Lease): void {
    for (const [cameraId, held] of this.#cameras) if (held.lease === lease) this.#drop(cameraId);
  }

  #drop(cameraId: number): void {
    this.#cameras.delete(cameraId);
    this.#recorder.left(cameraId, this.#number);
  }

  async #report(): Promise<void> {
    const began = systemClock.monotonic();
    this.#undelivered ??= this.#collect();
    if (this.#undelivered && (await this.#deliver(this.#undelivered))) this.#undelivered = undefined;
    if (this.#isDead) return;
    const wait = Math.max(0, began + this.#reportMs - systemClock.monotonic());
    this.#timer = setTimeout(() => void this.#report(), wait);
  }

  #collect(): { bytes: Buffer; attempts: number } | undefined {
    const fragments: Fragment[] = [];
    const { monotonic: now, skew } = instant();
    for (const [cameraId, held] of this.#cameras) {
      if (held.due > now) continue;
      const at = this.#time.date({ monotonic: held.due, skew })?.at;
      held.due += held.intervalMs;
      if (at === undefined) continue;
      const { fragment, picture } = this.#lives.attempt(cameraId, held.lease.token, at);
      if (picture) this.#pictures.set(fragment.frameDigest as string, picture);
      fragments.push(fragment);
    }
    if (fragments.length === 0) return undefined;
    const batch = { session: this.#session, seq: this.#seq, clockErrorMs: 1, fragments };
    return { bytes: Buffer.from(JSON.stringify(batch)), attempts: fragments.length };
  }

  async #deliver({ bytes, attempts }: { bytes: Buffer; attempts: number }): Promise<boolean> {
    const began = performance.now();
    try {
      const { body } = await this.#http.postBatch(bytes, sha256(bytes));
      const receipt = receiptSchema.parse(body);
      if (this.#isDead) return false;
      const counted = receipt.fragments.reduce((sum, fragment) => sum + fragment.counted, 0);
      this.#recorder.reported(performance.now() - began, attempts, counted);
      this.#seq++;
      this.#reportMs = receipt.reportMs;
      await this.#send(receipt.wanted);
      return true;
    } catch {
      if (!this.#isDead) this.#recorder.failed();
      return false;
    }
  }

  async #send(wanted: Receipt['wanted']): Promise<void> {
    for (const { digest } of wanted) {
      const bytes = this.#pictures.get(digest);
      if (bytes && (await this.#http.putFrame(digest, bytes)).status < 300) this.#recorder.pictureSent();
    }
    this.#pictures.clear();
  }
}

function timed(link: CoordinatorLink, recorder: Recorder): KeeperLink {
  return {
    get isReady() {
      return link.isReady;
    },
    call: async (event, request) => {
      const began = performance.now();
      const answer = await link.call(event, request);
      if (event === 'lease:renew') recorder.renewed(performance.now() - began);
      if (!answer.ok && answer.error.code === 'NO_ANSWER') recorder.failed();
      return answer;
    },
  };
}

function instant(): Instant {
  const monotonic = systemClock.monotonic();
  return { monotonic, skew: systemClock.now() - monotonic };
}
