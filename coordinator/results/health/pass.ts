import { isIll, MEANINGS } from '../../../common/domain/health.ts';
import type { CameraState } from '../../../common/domain/health.ts';
import type { Database } from '../../platform/database/database.ts';
import { noteEvents, readHeld, readSamples, upkeep, writeHealth } from './health-repository.ts';
import type { Change, Sample } from './health-repository.ts';
import { admit, discharge, mergeBySource, pinEvidence, settle } from './incidents-repository.ts';
import type { Patient } from './incidents-repository.ts';
import { decide, LETTERS, observe } from './rules.ts';
import type { Health } from './rules.ts';
import type { Ruling, SecondOpinions } from './second-opinion.ts';

export interface PassResult {
  /** Cameras whose newest attempt might have changed something, and those whose state it changed. */
  looked: number;
  changed: number;
}

/** Bounds the memory of one pass; the next one takes the rest. */
const MOST_SAMPLES = 20_000;
/** A row is seen when its transaction commits, which is later than the instant that it carries. */
const OVERLAP_MS = 5_000;

/** Looks at what changed since the last time. One at a time in the whole system. */
export class HealthPass {
  readonly #database: Database;
  readonly #opinions: SecondOpinions;
  #since = 0;
  #tendedAt = 0;

  constructor(database: Database, opinions: SecondOpinions) {
    this.#database = database;
    this.#opinions = opinions;
  }

  async run(): Promise<PassResult> {
    const now = await this.#database.clockNow();
    const samples = await readSamples(this.#database, this.#since, MOST_SAMPLES);
    const seen = samples.map((sample) => ({ ...sample, next: observe(before(sample), sample) }));
    const ruling = await this.#opinions.rule(accusedBy(seen));
    const waits = (one: Seen): boolean => marksDown(one) && ruling.undecided.has(one.agentId);
    const decided = seen.filter((one) => !waits(one));
    const changes = [...decided, ...(await this.#released(ruling, seen))].map((one) => hold(one, ruling));
    await this.#database.transaction(async (tx) => {
      await writeHealth(tx, changes);
      const moved = changes.filter(hasMoved);
      if (moved.length === 0) return;
      await discharge(tx);
      await admit(tx, moved.flatMap(patientOf));
      await settle(tx);
    });
    await pinEvidence(this.#database);
    // What waits is read again, as if it were new.
    if (samples.length < MOST_SAMPLES && decided.length === seen.length) this.#since = now - OVERLAP_MS;
    return {
      looked: samples.length,
      changed: changes.filter(({ health, next }) => health?.state !== next.state).length,
    };
  }

  /** Cameras that are marked down now without a new attempt: the next one may be an hour away. */
  async #released({ confirmed }: Ruling, seen: readonly Seen[]): Promise<Seen[]> {
    const known = new Set(seen.map(({ cameraId }) => cameraId));
    const held = await readHeld(this.#database, [...confirmed]);
    return held.filter(({ cameraId }) => !known.has(cameraId)).flatMap((sample) => released(sample) ?? []);
  }

  /** What time and operators change: pauses, silence, retirement; and incidents that turn out to have one cause. */
  async upkeep(): Promise<void> {
    const now = await this.#database.clockNow();
    await noteEvents(this.#database, this.#tendedAt);
    this.#tendedAt = now - OVERLAP_MS;
    await this.#database.transaction(async (tx) => {
      await upkeep(tx);
      await mergeBySource(tx);
      await discharge(tx, { retired: true });
      await settle(tx);
    });
  }
}

type Seen = Sample & { next: Change['next'] };

/** What a suspected agent found is worth nothing once a good picture comes. */
function before({ health, held, verdict }: Sample): Health | undefined {
  if (!health) return undefined;
  return held && MEANINGS[verdict].state === 'online' ? { ...health, recent: '' } : health;
}

/** `undefined` where its last samples do not say enough. */
function released(sample: Sample): Seen | undefined {
  const { health } = sample;
  if (!health) return undefined;
  const state = decide(health.state, health.recent);
  return state === health.state ? undefined : { ...sample, next: { ...health, state } };
}

/** The camera would be marked down for a reason that may be its agent's own. */
function marksDown({ health, held, next, verdict }: Seen): boolean {
  if (!MEANINGS[verdict].perhapsAgent || (health?.state === next.state && !held)) return false;
  // Where pages of a gate alternate with silence, the camera answers in no useful way.
  const isUseless = next.state === 'degraded' && !next.recent.slice(-3).includes(LETTERS.online);
  return next.state === 'offline' || isUseless;
}

/** The agents by whose word cameras would be marked down, and since when the latest of these fail. */
function accusedBy(seen: readonly Seen[]): Map<string, number> {
  const accused = new Map<string, number>();
  for (const one of seen) {
    if (!marksDown(one) && !(one.held && MEANINGS[one.verdict].perhapsAgent)) continue;
    const since = Math.max(one.next.turnedAt, one.verdictSince);
    accused.set(one.agentId, Math.max(accused.get(one.agentId) ?? 0, since));
  }
  return accused;
}

/** A suspected agent's word is not enough: the camera is unknown instead of down. */
function hold(one: Seen, { held, alone }: Ruling): Change {
  const { health, next, agentId } = one;
  if (!marksDown(one) || !held.has(agentId)) return { ...one, holds: false, alone: alone.has(agentId) };
  const since = health?.state === 'unknown' ? health.since : next.since;
  return { ...one, next: { ...next, state: 'unknown', since }, holds: true, alone: false };
}

const hasMoved = ({ health, held, next, holds, incidentId }: Change): boolean =>
  health?.state !== next.state || held !== holds || (isIll(next.state) && incidentId === null);

function patientOf({ next, holds, alone, verdict, agentId, cameraId, host, source }: Change): Patient[] {
  const state: CameraState = next.state;
  if (!holds && !isIll(state)) return [];
  return [
    {
      ...{ cameraId, verdict, host, source, alone, at: next.since },
      state: holds ? 'unknown' : (state as Patient['state']),
      suspect: holds ? agentId : null,
    },
  ];
}
