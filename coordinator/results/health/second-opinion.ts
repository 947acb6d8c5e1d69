import type { Database } from '../../platform/database/database.ts';
import {
  ALONE_MINUTES,
  beginSuspicion,
  endSuspicion,
  findingOf,
  isSuspect,
  isTrusted,
  isUndecided,
  noteConfirmer,
  noteFinding,
  readFigures,
  readOpinion,
  readSuspicions,
} from './guard.ts';
import type { AgentFigures, Finding, Suspicion } from './guard.ts';

/** What the fleet does for a suspected agent. */
export interface FleetGuard {
  /** Hands one of its shards to another agent; `null` where there is no other. */
  secondOpinion(agentId: string): Promise<{ shardId: number; agentId: string } | null>;
  /** It may get shards again. */
  trust(agentId: string): Promise<void>;
}

/** What is to be done with cameras that their agent finds down. */
export interface Ruling {
  /** Of these agents: the cameras are not marked down. */
  held: Set<string>;
  /** Of these: nothing is decided yet, because too few of the other cameras were tried. */
  undecided: Set<string>;
  /** Of these: what they found is so, without another agent that could confirm it. */
  alone: Set<string>;
  /** Of these: cameras that were held are marked down now, as they are found down by others, or for long enough. */
  confirmed: Set<string>;
}

/** A handover takes seconds; where nobody could take the shard another agent may have come meanwhile. */
const ASK_AGAIN_MS = 30_000;
/** Also how long a camera that is asked often waits for the attempts at others. */
const ALONE_MS = ALONE_MINUTES * 60_000;

/** Agents whose cameras fail together, from suspicion to finding. */
export class SecondOpinions {
  readonly #database: Database;
  readonly #fleet: FleetGuard;
  /** Since when agents are undecided, ms. */
  readonly #undecided = new Map<string, number>();

  constructor(database: Database, fleet: FleetGuard) {
    this.#database = database;
    this.#fleet = fleet;
  }

  /** `accused`: agents that found cameras down just now, and since when these fail, ms. */
  async rule(accused: ReadonlyMap<string, number>): Promise<Ruling> {
    const suspicions = new Map((await readSuspicions(this.#database)).map((one) => [one.agentId, one]));
    const since = new Map([...accused, ...[...suspicions].map(([id, one]): [string, number] => [id, one.since])]);
    const ruling: Ruling = { held: new Set(), undecided: new Set(), alone: new Set(), confirmed: new Set() };
    for (const agentId of this.#undecided.keys()) if (!since.has(agentId)) this.#undecided.delete(agentId);
    if (since.size === 0) return ruling;
    const figures = await readFigures(this.#database, since);
    const now = await this.#database.clockNow();
    for (const agentId of since.keys()) {
      const own = figures.get(agentId) ?? { agentId, failing: 0, hosts: 0, answering: 0, untried: 0, possibleHosts: 0 };
      const suspicion = suspicions.get(agentId);
      if (suspicion) await this.#ruleSuspect(suspicion, own, now, ruling);
      else await this.#ruleOther(own, now, ruling);
    }
    return ruling;
  }

  async #ruleSuspect(suspicion: Suspicion, own: AgentFigures, now: number, ruling: Ruling): Promise<void> {
    const { agentId } = suspicion;
    if (isTrusted(own)) return this.#acquit(agentId);
    const { finding, confirmer } = await this.#pursue(suspicion, now);
    if (finding !== 'cameras') return void ruling.held.add(agentId);
    ruling.confirmed.add(agentId);
    if (confirmer === null) ruling.alone.add(agentId);
  }

  async #ruleOther(own: AgentFigures, now: number, { held, undecided }: Ruling): Promise<void> {
    const { agentId } = own;
    if (isSuspect(own)) {
      this.#undecided.delete(agentId);
      await beginSuspicion(this.#database, own);
      await this.#ask(agentId);
      held.add(agentId);
      return;
    }
    const waitsSince = this.#undecided.get(agentId) ?? now;
    if (!isUndecided(own) || now - waitsSince > ALONE_MS) return void this.#undecided.delete(agentId);
    this.#undecided.set(agentId, waitsSince);
    undecided.add(agentId);
  }

  async #pursue(suspicion: Suspicion, now: number): Promise<Pick<Suspicion, 'finding' | 'confirmer'>> {
    const { agentId, shardId, askedAt, finding, confirmer, since } = suspicion;
    if (finding !== null) return { finding, confirmer };
    const found = shardId === null ? undefined : findingOf(await readOpinion(this.#database, suspicion));
    if (found !== undefined) {
      await this.#note(agentId, found);
      return { finding: found, confirmer };
    }
    if (now - since > ALONE_MS) {
      // Nobody else, or somebody who does not look either.
      await noteConfirmer(this.#database, agentId, null);
      await this.#note(agentId, 'cameras');
      return { finding: 'cameras', confirmer: null };
    }
    if (shardId === null && (askedAt === null || now - askedAt > ASK_AGAIN_MS)) await this.#ask(agentId);
    return { finding: null, confirmer };
  }

  async #note(agentId: string, finding: Finding): Promise<void> {
    await noteFinding(this.#database, agentId, finding);
    // Its cameras fail for everybody: it may have others.
    if (finding === 'cameras') await this.#fleet.trust(agentId);
  }

  async #ask(agentId: string): Promise<void> {
    await noteConfirmer(this.#database, agentId, await this.#fleet.secondOpinion(agentId));
  }

  async #acquit(agentId: string): Promise<void> {
    await endSuspicion(this.#database, agentId);
    await this.#fleet.trust(agentId);
  }
}
