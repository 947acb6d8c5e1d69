import type { GrantState } from './agent-link.ts';

/**
 * The decisions about leases, as pure functions: the coordinator calls them with what it read under row locks, the seeded
 * schedules of the tests call them with a model's state. All instants are ms of the database's clock.
 */

/** Why a grant ended. */
export type GrantEnd = 'taken' | 'released' | 'revoked' | 'superseded';
export type OfferReason = 'free' | 'takeover' | 'handover';

/**
 * Coordinators write a heartbeat twice a second; after a gap of this length renewals cannot have worked. Agents wait 5 s for an
 * answer, so that a shorter gap loses none; a plan of a very large fleet alone keeps a busy core from its heartbeat for seconds.
 */
export const HEARTBEAT_GAP_MS = 5_000;

export interface RenewalFacts {
  now: number;
  ttlMs: number;
  /** Last heartbeat of any coordinator. */
  aliveAt: number;
  /** Since when renewals work at all. */
  renewalsWorkSince: number;
}

/**
 * Whether a holder has been silent for a TTL in which it could have renewed. False while the coordinators themselves were away:
 * the first heartbeat after the gap moves `renewalsWorkSince`, which gives every holder a whole TTL.
 */
export function isSilent(lastRenewedAt: number, { now, ttlMs, aliveAt, renewalsWorkSince }: RenewalFacts): boolean {
  if (now - aliveAt > HEARTBEAT_GAP_MS) return false;
  return now - Math.max(lastRenewedAt, renewalsWorkSince) > ttlMs;
}

/** `renewalsWorkSince` after a heartbeat at `now`. */
export function renewalsWorkSinceAfter(now: number, before: { aliveAt: number; renewalsWorkSince: number }): number {
  return now - before.aliveAt > HEARTBEAT_GAP_MS ? now : before.renewalsWorkSince;
}

/** What stands behind an open grant. */
export interface Holder {
  sessionId: string;
  lastRenewedAt: number;
}

/**
 * Why a shard that the planner meant for this session may be offered to it now; `undefined` where it may not: it holds the
 * shard already, or the plan rested on the holder's silence and the holder was heard again.
 */
export function offerReason(
  sessionId: string,
  shard: { holder: Holder | undefined; plannedAsTakeover: boolean },
  facts: RenewalFacts,
): OfferReason | undefined {
  const { holder } = shard;
  if (!holder) return 'free';
  if (holder.sessionId === sessionId) return undefined;
  if (isSilent(holder.lastRenewedAt, facts)) return 'takeover';
  return shard.plannedAsTakeover ? undefined : 'handover';
}

export interface OpenOffer {
  sessionId: string;
  reason: OfferReason;
  lapsesAt: number;
}

/** Whether an acceptance begins a grant; `lapsed` otherwise. To be asked with all rows locked. */
export function decideAccept(
  sessionId: string,
  offer: OpenOffer | undefined,
  holder: Holder | undefined,
  facts: RenewalFacts,
): 'begin' | 'lapsed' {
  if (!offer || offer.sessionId !== sessionId || offer.lapsesAt < facts.now) return 'lapsed';
  // Somebody was heard again, or somebody else took a free shard meanwhile: that holder carries on.
  if (holder && offer.reason !== 'handover' && !isSilent(holder.lastRenewedAt, facts)) return 'lapsed';
  return 'begin';
}

export interface GrantRecord {
  shardId: number;
  sessionId: string;
  from: number;
  until: number | null;
  endReason: GrantEnd | null;
}

/** What a renewal is told about one of the grants that it names. */
export function renewedState(
  sessionId: string,
  named: { shardId: number; token: number },
  found: { grant: GrantRecord; revision: number } | undefined,
): GrantState {
  const { shardId, token } = named;
  if (!found || found.grant.sessionId !== sessionId || found.grant.shardId !== shardId) {
    return { shardId, token, state: 'unknown' };
  }
  const { grant, revision } = found;
  if (grant.until === null) return { shardId, token, state: 'held', revision };
  const state = grant.endReason === 'released' || grant.endReason === null ? 'unknown' : grant.endReason;
  return { shardId, token, state };
}

/**
 * A renewal names all that an agent holds: what it leaves out it does not know of, and the grant ends. Not within the first TTL,
 * because a renewal may have been written before the acceptance was answered.
 */
export const isForgotten = (grantedAt: number, now: number, ttlMs: number): boolean => now - grantedAt > ttlMs;

/** Half open: a boundary belongs to the later owner. `until: null` means: still going on. */
export interface Span {
  from: number;
  until: number | null;
}

const TOKENS_PER_INCARNATION = 2 ** 40;
const MOST_INCARNATIONS_AHEAD = 16;
export const firstTokenOf = (incarnation: number): number => incarnation * TOKENS_PER_INCARNATION + 1;

/**
 * The incarnation that a database must take when an agent knows of a token that this database never gave, i.e. it was restored
 * from a backup; `undefined` where the report cannot be true.
 */
export function incarnationAbove(highestToken: number, incarnation: number): number | undefined {
  const reported = Math.floor(highestToken / TOKENS_PER_INCARNATION);
  const next = Math.max(reported, incarnation) + 1;
  return next > incarnation + MOST_INCARNATIONS_AHEAD ? undefined : next;
}
