import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cleaner } from '../../../agent/clean/clean.ts';
import { validatorsOf } from '../../../agent/clean/habits.ts';
import { takeOne } from '../../../agent/pipeline/transports.ts';
import { EgressRule } from '../../../agent/sources/egress.ts';
import { verdictOfSourceError } from '../../../agent/sources/errors.ts';
import { HostLimiter } from '../../../agent/sources/host-limiter.ts';
import { HttpClient } from '../../../agent/sources/http.ts';
import { createSource } from '../../../agent/sources/kinds.ts';
import type { CleanMemory, EncodedFrame } from '../../../common/domain/frame.ts';
import type { Judgement } from '../../../common/domain/verdict.ts';
import { systemClock } from '../../../common/runtime/clock.ts';
import { startFarm } from '../../../scripts/camera-farm/farm.ts';
import type { Farm } from '../../../scripts/camera-farm/farm.ts';
import { FAULTS, FAULT_NAMES, fits } from '../../../scripts/camera-farm/faults.ts';
import type { FaultName } from '../../../scripts/camera-farm/faults.ts';

const KINDS = ['snapshot', 'mjpeg'] as const;
const MINUTE_MS = 60_000;
/** Long enough for a picture on a busy machine, short enough for the eight cameras that time out. */
const PATIENCE_MS = 3_000;
/** Cameras at a time: the farm draws their first pictures in this very process. */
const LANES = 8;

/** A freeze shows after ten minutes at the earliest. */
function attemptsFor(name: FaultName): number {
  if (FAULTS[name].verdict === 'timeout') return 1;
  return name === 'frozen' || name === 'stale-last-modified' ? 20 : 6;
}

/** What the agent made of one attempt. */
interface Seen extends Judgement {
  frame?: EncodedFrame;
}

/** One camera as the agent sees it: the real source, the real cleaner, a minute between two attempts. */
class Watched {
  readonly #fetch: (memory: CleanMemory) => Promise<EncodedFrame>;
  readonly #cleaner: Cleaner;
  memory: CleanMemory = {};
  #minutes = 0;

  constructor(farm: Farm, id: string, http: HttpClient, cleaner: Cleaner) {
    const url = farm.urlOf(id);
    const transport = url.endsWith('.mjpg') ? 'mjpeg' : 'snapshot';
    const source = createSource({ transport, url }, { http, clock: systemClock, stallMs: PATIENCE_MS });
    const take = takeOne(source, new AbortController().signal);
    this.#fetch = (memory) => take(validatorsOf(memory));
    this.#cleaner = cleaner;
  }

  async attempt(): Promise<Seen> {
    try {
      const frame = await this.#fetch(this.memory);
      frame.fetchedAt += MINUTE_MS * this.#minutes++;
      const { verdict, evidence, memory } = await this.#cleaner.clean(frame, this.memory);
      this.memory = memory;
      return { verdict: verdict === 'duplicate' ? 'good' : verdict, evidence, frame };
    } catch (error) {
      return verdictOfSourceError(error);
    }
  }
}

describe('cameras with every fault of the farm', () => {
  let farm: Farm;
  let http: HttpClient;
  const cameras = KINDS.flatMap((kind) =>
    FAULT_NAMES.filter((name) => fits(name, kind)).map((name) => ({ kind, name })),
  );
  const cleaner = new Cleaner();
  const seen = new Map<string, Seen[]>();

  beforeAll(async () => {
    // Enough cameras of each kind for every fault; the farm decides by its seed which is which.
    const size = { width: 160, height: 120 };
    farm = await startFarm({ cameras: 120, mjpegShare: 0.5, ...size, changeEverySeconds: 0, partsPerSecond: 30 });
    http = new HttpClient({
      egress: new EgressRule({ allow: ['127.0.0.0/8'] }),
      limiter: new HostLimiter({ clock: systemClock, concurrency: 10, minDelayMs: 0 }),
      clock: systemClock,
      userAgent: 'camfleet-test',
      maxBytes: 500_000,
      deadlineMs: PATIENCE_MS,
    });
    const free = new Map(KINDS.map((kind) => [kind, farm.population.filter((camera) => camera.kind === kind)]));
    const left = cameras.map((camera) => ({ ...camera, id: free.get(camera.kind)!.shift()!.id }));
    await Promise.all(
      Array.from({ length: LANES }, async () => {
        for (let next = left.shift(); next; next = left.shift()) await watch(next);
      }),
    );
  });

  async function watch({ kind, name, id }: { kind: string; name: FaultName; id: string }): Promise<void> {
    const watched = new Watched(farm, id, http, cleaner);
    const attempts: Seen[] = [];
    // Healthy long enough for habits.
    for (let i = 0; i < 5; i++) expect((await watched.attempt()).verdict).toBe('good');
    farm.setFault(id, name);
    for (let i = 0; i < attemptsFor(name); i++) attempts.push(await watched.attempt());
    seen.set(`${kind} ${name}`, attempts);
    farm.setFault(id, null);
    expect(`${name} mended: ${(await watched.attempt()).verdict}`).toBe(`${name} mended: good`);
  }

  afterAll(async () => {
    await http.close();
    await farm.stop();
  });

  test.each(cameras)('$kind, $name: the verdict that the table expects, every time', ({ kind, name }) => {
    const { verdict, atFirst } = FAULTS[name];
    const attempts = seen.get(`${kind} ${name}`)!;
    const allowed = atFirst === undefined ? [verdict] : [verdict, atFirst];
    const wrong = attempts.filter((one) => !allowed.includes(one.verdict));
    expect(wrong.map((one) => `${one.verdict} ${JSON.stringify(one.evidence)}`)).toEqual([]);
    if (name === 'frozen') expect(attempts.at(-1)!.verdict).toBe('frozen');
  });

  test('a camera that confirms an old date is found out, and asked for its picture from then on', () => {
    const attempts = seen.get('snapshot stale-last-modified')!;
    expect(attempts.slice(1, 5).every(({ frame }) => frame?.notModified)).toBe(true);
    expect(attempts.slice(-3).every(({ frame, evidence }) => frame?.bytes && evidence['repeats'] === undefined)).toBe(
      true,
    );
  });

  test.each(KINDS)('a clock that jumps dates no picture: %s', (kind) => {
    for (const { frame } of seen.get(`${kind} clock-jump`)!) {
      const age = systemClock.now() - frame!.capturedAt!.at;
      expect(age).toBeGreaterThanOrEqual(0);
      expect(age).toBeLessThan(5 * MINUTE_MS);
    }
  });

  test('every evidence is short and holds no credentials', () => {
    for (const attempts of seen.values())
      for (const { evidence } of attempts) expect(JSON.stringify(evidence).length).toBeLessThan(400);
  });

  test('nothing is left open but connections that may be used again', () => {
    expect(http.stats.busy).toBe(0);
  });
});
