import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoordinatorTime } from '../../../agent/leases/time.ts';
import type { Lease } from '../../../agent/leases/keeper.ts';
import { CoordinatorHttp } from '../../../agent/link/coordinator-http.ts';
import { CapturePool } from '../../../agent/pipeline/capture-pool.ts';
import { threadClock } from '../../../agent/pipeline/clocks.ts';
import type { UndatedFragment } from '../../../agent/report/fragments.ts';
import { Outbox } from '../../../agent/report/outbox.ts';
import { Reporter } from '../../../agent/report/reporter.ts';
import type { Grant } from '../../../common/protocol/agent-link.ts';
import { createLogger } from '../../../common/runtime/logger.ts';

/**
 * The agent's own parts, put together as agent.ts does: capture threads, fragments, outbox, reports. Without a coordinator there
 * is no link, so the one grant is made up by the benchmark.
 */
export class AgentParts {
  readonly pool: CapturePool;
  readonly #logger = createLogger({ level: 'warn', base: { app: 'bench agent' } });
  readonly #session = randomUUID();
  readonly #time = new CoordinatorTime();
  readonly #onFragments: (fragments: readonly UndatedFragment[]) => void;
  #dataFolder: string | undefined;
  #outbox: Outbox | undefined;
  #reporter: Reporter | undefined;

  constructor(workers: number, onFragments: (fragments: readonly UndatedFragment[]) => void) {
    this.#onFragments = onFragments;
    // As agent/main.ts sets them by default, but for the loopback addresses.
    this.pool = new CapturePool({
      workers,
      logger: this.#logger,
      settings: {
        session: this.#session,
        attemptHeader: false,
        egressAllow: ['127.0.0.0/8'],
        userAgent: 'camfleet/0.1 (public camera observation)',
        timeoutMs: 10_000,
        maxBytes: 8_000_000,
        maxPixels: 40_000_000,
        gate: { threshold: 4, maxAgeMs: 600_000, auditShare: 0.02 },
        concurrency: 256,
        pictureBytes: 64_000_000,
        fileRoots: [],
      },
    });
  }

  /** Captures the cameras of the grant, and delivers reports to the sink. */
  async start(sink: string, grant: Grant): Promise<void> {
    this.#dataFolder = await mkdtemp(join(tmpdir(), 'camfleet-bench-agent-'));
    const outbox = new Outbox({
      folder: join(this.#dataFolder, 'outbox'),
      session: this.#session,
      maxBytes: 2_000_000_000,
      sender: new CoordinatorHttp({ url: sink }),
      clock: threadClock,
      logger: this.#logger,
      onReceipt: ({ reportMs }) => this.#reporter?.setPeriod(reportMs),
    });
    this.#outbox = outbox;
    this.#reporter = new Reporter({
      collect: async () => {
        const fragments = await this.pool.collect();
        this.#onFragments(fragments);
        return fragments;
      },
      date: (instant) => this.#time.date(instant),
      outbox,
      clock: threadClock,
      logger: this.#logger,
      onFull: (reason) => this.#logger.error({ reason }, 'outbox full'),
      onRoom: () => undefined,
    });
    await outbox.start();
    this.#reporter.start();
    this.anchor();
    const lease: Lease = { shardId: grant.shardId, token: grant.token, signal: new AbortController().signal };
    this.pool.take(lease, grant);
  }

  /** What a renewal's answer does every 5 s. */
  anchor(): void {
    const monotonic = threadClock.monotonic();
    const instant = { monotonic, skew: threadClock.now() - monotonic };
    this.#time.addAnchor(instant, instant, threadClock.now());
    this.pool.setTime(this.#time.offset(instant) as number);
  }

  /** Everything that was captured is counted, written and delivered: reports are part of what is measured. */
  async deliver(): Promise<void> {
    await this.#reporter?.flush();
    await this.#outbox?.flushed(AbortSignal.timeout(30_000));
  }

  async close(): Promise<void> {
    this.#reporter?.stop();
    this.#outbox?.stop();
    await this.pool.close();
    if (this.#dataFolder) await rm(this.#dataFolder, { recursive: true, force: true });
  }
}
