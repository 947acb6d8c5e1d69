import {
  decideAccept,
  isForgotten,
  isSilent,
  offerReason,
  renewalsWorkSinceAfter,
  renewedState,
} from '../../../../common/protocol/lease-rules.ts';
import type {
  GrantEnd,
  GrantRecord,
  Holder,
  OfferReason,
  OpenOffer,
  RenewalFacts,
} from '../../../../common/protocol/lease-rules.ts';
import { countedAt, stretchesOf } from '../../../../coordinator/results/window.ts';
import type { GrantState } from '../../../../common/protocol/agent-link.ts';

export const TTL_MS = 15_000;
export const OFFER_MS = 3_000;

export interface ModelGrant extends GrantRecord {
  token: number;
  agent: string;
  offerId: number;
  reason: OfferReason;
  acknowledged: number;
}

interface ModelShard {
  target: string | null;
  takeover: boolean;
  revision: number;
}

interface ModelSession {
  agent: string;
  lastRenewedAt: number;
  superseded: boolean;
  draining: boolean;
}

interface ModelOffer extends OpenOffer {
  offerId: number;
}

export interface Stretch {
  camera: number;
  shard: number;
  from: number;
  until: number | null;
}

/**
 * The coordinator's tables and transactions as plain objects. Each method is one transaction, so they are serialised as the row
 * locks do it; every decision is production's own function, except that a heartbeat's is repeated in SQL (fleet-loop.ts), whose
 * outages test/integration/fleet/leases.test.ts has. Cameras are `10 · shard + 0…2` at the beginning.
 */
export class ModelCoordinator {
  readonly grants: ModelGrant[] = [];
  readonly shards = new Map<number, ModelShard>();
  readonly memberships: Stretch[] = [];
  readonly moves = new Map<number, { to: number; revision: number }>();
  readonly sessions = new Map<string, ModelSession>();
  readonly #offers = new Map<number, ModelOffer>();
  #alive = { aliveAt: 0, renewalsWorkSince: 0 };
  #next = 1;

  constructor(shards: number) {
    for (let id = 1; id <= shards; id++) {
      this.shards.set(id, { target: null, takeover: false, revision: 1 });
      for (let n = 0; n < 3; n++) this.moves.set(10 * id + n, { to: id, revision: 1 });
    }
  }

  heartbeat(now: number): void {
    this.#alive = { aliveAt: now, renewalsWorkSince: renewalsWorkSinceAfter(now, this.#alive) };
  }

  start(now: number): void {
    this.#alive = { aliveAt: now, renewalsWorkSince: now };
  }

  #facts(now: number): RenewalFacts {
    return { now, ttlMs: TTL_MS, ...this.#alive };
  }

  open(shard: number): ModelGrant | undefined {
    return this.grants.find((grant) => grant.shardId === shard && grant.until === null);
  }

  #holder(shard: number): Holder | undefined {
    const grant = this.open(shard);
    return (
      grant && { sessionId: grant.sessionId, lastRenewedAt: this.sessions.get(grant.sessionId)?.lastRenewedAt ?? 0 }
    );
  }

  #current(session: string): ModelSession | undefined {
    const found = this.sessions.get(session);
    return found?.superseded === false ? found : undefined;
  }

  #end(grant: ModelGrant, now: number, reason: GrantEnd): void {
    Object.assign(grant, { until: now + 1, endReason: reason });
  }

  hello(agent: string, session: string, now: number): boolean {
    if (this.sessions.get(session)?.superseded === true) return false;
    for (const [id, other] of this.sessions) {
      if (other.agent !== agent || id === session || other.superseded) continue;
      other.superseded = true;
      for (const grant of this.grants)
        if (grant.sessionId === id && grant.until === null) this.#end(grant, now, 'superseded');
    }
    this.sessions.set(session, { agent, lastRenewedAt: now, superseded: false, draining: false });
    return true;
  }

  renew(
    session: string,
    named: { shardId: number; token: number; revision: number }[],
    now: number,
    draining: boolean,
  ): { grants: GrantState[]; work: boolean } | undefined {
    const found = this.sessions.get(session);
    if (!found) return undefined;
    if (found.superseded) return { grants: named.map((one) => ({ ...one, state: 'superseded' })), work: false };
    Object.assign(found, { lastRenewedAt: now, draining });
    const tokens = new Set(named.map(({ token }) => token));
    for (const grant of this.grants) {
      const isOmitted = grant.sessionId === session && grant.until === null && !tokens.has(grant.token);
      if (isOmitted && isForgotten(grant.from, now, TTL_MS)) this.#end(grant, now, 'released');
    }
    for (const one of named) this.acknowledge(session, one, now);
    const grants = named.map((one) => {
      const grant = this.grants.find(({ token }) => token === one.token);
      return renewedState(session, one, grant && { grant, revision: this.shards.get(grant.shardId)?.revision ?? 0 });
    });
    return { grants, work: [...this.#waiting(found.agent, session)].length > 0 };
  }

  *#waiting(agent: string, session: string): Generator<[number, ModelShard]> {
    for (const [id, shard] of this.shards) {
      if (shard.target === agent && this.open(id)?.sessionId !== session) yield [id, shard];
    }
  }

  request(session: string, now: number): { offerId: number; shardId: number }[] {
    const own = this.#current(session);
    if (!own) return [];
    const offers = [];
    for (const [shardId, shard] of this.#waiting(own.agent, session)) {
      const holder = this.#holder(shardId);
      const reason = offerReason(session, { holder, plannedAsTakeover: shard.takeover }, this.#facts(now));
      const before = this.#offers.get(shardId);
      const isTaken = before && before.sessionId !== session && before.lapsesAt >= now;
      if (!reason || isTaken) continue;
      const offerId = before?.sessionId === session ? before.offerId : this.#next++;
      this.#offers.set(shardId, { offerId, sessionId: session, reason, lapsesAt: now + OFFER_MS });
      offers.push({ offerId, shardId });
    }
    return offers;
  }

  accept(
    session: string,
    { offerId, shardId }: { offerId: number; shardId: number },
    now: number,
  ): ModelGrant | undefined {
    const again = this.grants.find((grant) => grant.offerId === offerId && grant.sessionId === session);
    if (again?.until === null) return again;
    const own = this.#current(session);
    if (!own) return undefined;
    const stored = this.#offers.get(shardId);
    const offer = stored?.offerId === offerId ? stored : undefined;
    if (!offer || decideAccept(session, offer, this.#holder(shardId), this.#facts(now)) === 'lapsed') return undefined;
    const old = this.open(shardId);
    if (old) this.#end(old, now, 'taken');
    this.#join(shardId, now, Infinity);
    const grant = { token: this.#next++, shardId, agent: own.agent, sessionId: session, offerId, from: now + 1 };
    const begun: ModelGrant = {
      ...grant,
      reason: offer.reason,
      acknowledged: this.shards.get(shardId)?.revision ?? 0,
      until: null,
      endReason: null,
    };
    this.grants.push(begun);
    this.#offers.delete(shardId);
    return begun;
  }

  release(session: string, tokens: number[], now: number): void {
    for (const grant of this.grants) {
      if (grant.sessionId !== session || !tokens.includes(grant.token) || grant.until !== null) continue;
      this.#end(grant, now, 'released');
      const shard = this.shards.get(grant.shardId);
      if (shard) shard.target = null;
    }
  }

  acknowledge(session: string, one: { shardId: number; token: number; revision: number }, now: number): void {
    const grant = this.open(one.shardId);
    if (grant?.token !== one.token || grant.sessionId !== session) return;
    grant.acknowledged = Math.max(grant.acknowledged, one.revision);
    this.#join(one.shardId, now, one.revision);
  }

  #join(shard: number, now: number, upTo: number): void {
    for (const [camera, move] of this.moves) {
      if (move.to !== shard || move.revision > upTo) continue;
      this.moves.delete(camera);
      const old = this.memberships.find((one) => one.camera === camera && one.until === null);
      if (old) {
        old.until = now + 1;
        this.#bump(old.shard);
      }
      this.memberships.push({ camera, shard, from: now + 1, until: null });
    }
  }

  #bump(shard: number): number {
    const found = this.shards.get(shard);
    return found ? ++found.revision : 0;
  }

  /** The planner's part: an even spread over those who are heard, and now and then a camera that shall change its shard. */
  plan(now: number, random: () => number): void {
    const facts = this.#facts(now);
    const well = [...this.sessions.values()].filter((one) => !one.superseded && !isSilent(one.lastRenewedAt, facts));
    const takers = well
      .filter(({ draining }) => !draining)
      .map(({ agent }) => agent)
      .toSorted();
    const isHeard = (agent: string): boolean => takers.includes(agent);
    const counts = new Map(takers.map((agent) => [agent, 0]));
    const most = Math.ceil(this.shards.size / Math.max(1, takers.length));
    const homeless = [...this.shards].filter(([id, shard]) => {
      const holder = this.open(id)?.agent;
      const agent = shard.takeover && holder !== undefined && isHeard(holder) ? holder : (shard.target ?? holder);
      if (agent === undefined || !isHeard(agent) || (counts.get(agent) ?? 0) >= most) return true;
      this.#aim(shard, agent, holder, well);
      counts.set(agent, (counts.get(agent) ?? 0) + 1);
      return false;
    });
    for (const [id, shard] of homeless) {
      const agent = takers.toSorted((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0))[0];
      this.#aim(shard, agent ?? null, this.open(id)?.agent, well);
      if (agent !== undefined) counts.set(agent, (counts.get(agent) ?? 0) + 1);
    }
    if (random() < 0.2) this.#moveCamera(random);
  }

  #aim(shard: ModelShard, agent: string | null, holder: string | undefined, well: readonly ModelSession[]): void {
    shard.target = agent;
    shard.takeover = holder !== undefined && !well.some((one) => one.agent === holder);
  }

  #moveCamera(random: () => number): void {
    const settled = this.memberships.filter(({ camera, until }) => until === null && !this.moves.has(camera));
    const one = settled[Math.floor(random() * settled.length)];
    const to = 1 + Math.floor(random() * this.shards.size);
    if (one && one.shard !== to) this.moves.set(one.camera, { to, revision: this.#bump(to) });
  }

  /** Whether intake would count this: production's own rule. */
  counts(agent: string, session: string, token: number, camera: number, at: number): boolean {
    const grant = this.grants.find((one) => one.token === token);
    if (!grant || grant.agent !== agent || grant.sessionId !== session) return false;
    const own = this.memberships.filter((one) => one.camera === camera && one.shard === grant.shardId);
    const stretches = stretchesOf({ ...grant, agentId: agent }, own);
    return countedAt(at, stretches, { clockErrorMs: 0, arrivedAt: Infinity }) === at;
  }
}
