import type { Database } from '../../platform/database/database.ts';
import {
  beginSuspicion,
  endSuspicion,
  findingOf,
  isSuspect,
  isTrusted,
  noteConfirmer,
  noteFinding,
  readFigures,
  readOpinion,
  readSuspicions,
} from './guard.ts';
import type { Suspicion } from './guard.ts';

/** What the fleet does for a suspected agent. */
export interface FleetGuard {
  /** Hands one of its shards to another agent; `null` where there is no other. */
  secondOpinion(agentId: string): Promise<{ shardId: number; agentId: string } | null>;
  /** It may get shards again. */
  trust(agentId: string): Promise<void>;
}

/** A handover takes seconds; where nobody could take the shard another agent may have come meanwhile. */
const ASK_AGAIN_MS = 30_000;

/** Agents whose cameras fail together, from suspicion to finding. */
export class SecondOpinions {
  readonly #database: Database;
  readonly #fleet: FleetGuard;

  constructor(database: Database, fleet: FleetGuard) {
    this.#database = database;
    this.#fleet = fleet;
  }

  /**
   * The agents whose findings must not mark a camera down now. `accused`: agents that found cameras down just now.
   */
  async held(accused: ReadonlySet<string>): Promise<Set<string>> {
    const suspicions = new Map((await readSuspicions(this.#database)).map((one) => [one.agentId, one]));
    const asked = [...new Set([...accused, ...suspicions.keys()])];
    const figures = await readFigures(this.#database, asked);
    const held = new Set<string>();
    for (const agentId of asked) {
      const own = figures.get(agentId) ?? { agentId, tried: 0, failing: 0, hosts: 0 };
      const suspicion = suspicions.get(agentId);
      if (suspicion) {
        if (isTrusted(own)) await this.#acquit(agentId);
        else if ((await this.#pursue(suspicion)) !== 'cameras') held.add(agentId);
      } else if (isSuspect(own)) {
        await beginSuspicion(this.#database, own);
        await this.#ask(agentId);
        held.add(agentId);
      }
    }
    return held;
  }

  async #pursue(suspicion: Suspicion): Promise<Suspicion['finding']> {
    const { agentId, shardId, askedAt, finding } = suspicion;
    if (finding !== null) return finding;
    if (shardId === null) {
      const now = await this.#database.clockNow();
      if (askedAt === null || now - askedAt > ASK_AGAIN_MS) await this.#ask(agentId);
      return null;
    }
    const found = findingOf(await readOpinion(this.#database, suspicion));
    if (found === undefined) return null;
    await noteFinding(this.#database, agentId, found);
    // Its cameras fail for everybody: it may have others.
    if (found === 'cameras') await this.#fleet.trust(agentId);
    return found;
  }

  async #ask(agentId: string): Promise<void> {
    await noteConfirmer(this.#database, agentId, await this.#fleet.secondOpinion(agentId));
  }

  async #acquit(agentId: string): Promise<void> {
    await endSuspicion(this.#database, agentId);
    await this.#fleet.trust(agentId);
  }
}
