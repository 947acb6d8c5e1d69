import { isIll, MEANINGS } from '../../../common/domain/health.ts';
import type { CameraState } from '../../../common/domain/health.ts';
import type { Database } from '../../platform/database/database.ts';
import { noteEvents, readSamples, upkeep, writeHealth } from './health-repository.ts';
import type { Change, Sample } from './health-repository.ts';
import { admit, discharge, mergeBySource, pinEvidence, settle } from './incidents-repository.ts';
import type { Patient } from './incidents-repository.ts';
import { observe } from './rules.ts';
import type { Health } from './rules.ts';
import type { SecondOpinions } from './second-opinion.ts';

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
    const held = await this.#opinions.held(accusedBy(seen));
    const changes = seen.map((change): Change => hold(change, held));
    await this.#database.transaction(async (tx) => {
      await writeHealth(tx, changes);
      const moved = changes.filter(hasMoved);
      if (moved.length === 0) return;
      await discharge(tx);
      await admit(tx, moved.flatMap(patientOf));
      await settle(tx);
    });
    await pinEvidence(this.#database);
    if (samples.length < MOST_SAMPLES) this.#since = now - OVERLAP_MS;
    return {
      looked: samples.length,
      changed: changes.filter(({ health, next }) => health?.state !== next.state).length,
    };
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

/** The agents by whose word cameras would be marked down for reasons that may be the agent's own. */
function accusedBy(seen: readonly Seen[]): Set<string> {
  return new Set(
    seen
      .filter(({ health, held, next, verdict }) => {
        const isNews = held || (next.state === 'offline' && health?.state !== 'offline');
        return isNews && MEANINGS[verdict].perhapsAgent;
      })
      .map(({ agentId }) => agentId),
  );
}

/** A suspected agent's word is not enough: the camera is unknown instead of down. */
function hold(change: Seen, suspects: ReadonlySet<string>): Change {
  const { health, held, next, verdict, agentId } = change;
  const isDown = next.state === 'offline' && MEANINGS[verdict].perhapsAgent;
  const wasDown = health?.state === 'offline' && !held;
  if (!isDown || wasDown || !suspects.has(agentId)) return { ...change, holds: false };
  const since = health?.state === 'unknown' ? health.since : next.since;
  return { ...change, next: { ...next, state: 'unknown', since }, holds: true };
}

const hasMoved = ({ health, held, next, holds, incidentId }: Change): boolean =>
  health?.state !== next.state || held !== holds || (isIll(next.state) && incidentId === null);

function patientOf({ next, holds, verdict, agentId, cameraId, host, source }: Change): Patient[] {
  const state: CameraState = next.state;
  if (!holds && !isIll(state)) return [];
  return [
    {
      ...{ cameraId, verdict, host, source, at: next.since },
      state: holds ? 'unknown' : (state as Patient['state']),
      suspect: holds ? agentId : null,
    },
  ];
}
