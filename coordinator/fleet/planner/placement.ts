import type { Stretch } from '../../../common/protocol/agent-link.ts';
import type { PlannableAgent } from '../types.ts';
import type { Direction } from './geography.ts';
import { closeness, closenessAtKm, directionOf, distanceKm, middleOf } from './geography.ts';
import { halve } from './grouping.ts';
import type { DraftShard } from './grouping.ts';
import { loadOf } from './stretch.ts';

/** Two agents whose distance differs by less are equally near: one hop more or less on the network. */
const NEAR_BAND_KM = 500;
/** A near agent is preferred up to here; the rest is left for what grows and for those who die. */
const COMFORTABLE = 0.8;
/** A shard moves for balance only if that gains clearly more than it costs. */
const WORTH_MOVING = 1.25;

export interface PlacedShard extends DraftShard {
  agentId: string | null;
  load: number;
  middle: Direction | undefined;
  /** Agents at least this close are as near as its own, or nearly. */
  reach: number;
}

interface Seat {
  agent: PlannableAgent;
  direction: Direction | undefined;
  load: number;
  /** Its share of all work by capacity, attempts a second. */
  fair: number;
  hosts: Map<string, number>;
  shards: Set<PlacedShard>;
}

/** Seats shards on agents; never above anybody's capacity. */
export class Placement {
  readonly shards: PlacedShard[] = [];
  /** Shards whose agent is well but has no room for them any more. */
  displaced = 0;
  readonly #seats = new Map<string, Seat>();
  readonly #seatsOfHost = new Map<string, Set<Seat>>();
  readonly #stretch: Stretch;

  constructor(agents: readonly PlannableAgent[], totalLoad: number, stretch: Stretch) {
    this.#stretch = stretch;
    const capacity = agents.reduce((sum, { takes, capacity: own }) => sum + (takes ? own : 0), 0);
    for (const agent of agents) {
      this.#seats.set(agent.id, {
        agent,
        direction: agent.place ? directionOf(agent.place) : undefined,
        load: 0,
        fair: agent.takes && capacity > 0 ? (totalLoad * agent.capacity) / capacity : 0,
        hosts: new Map(),
        shards: new Set(),
      });
    }
  }

  describe(shard: DraftShard): PlacedShard {
    const load = shard.cameras.reduce((sum, camera) => sum + loadOf(camera, this.#stretch), 0);
    const middle = middleOf(shard.cameras.map(({ place }) => place));
    return { ...shard, agentId: null, load, middle, reach: 1 };
  }

  /** Lets the shard stay where it is if that agent keeps shards and has room. */
  keep(shard: PlacedShard, agentId: string | undefined): boolean {
    const seat = agentId === undefined ? undefined : this.#seats.get(agentId);
    if (!seat?.agent.keeps) return false;
    if (!fits(seat, shard)) {
      this.displaced++;
      return false;
    }
    this.#sit(shard, seat);
    return true;
  }

  /** Finds a seat; a shard too large for any is halved. Returns what fits nowhere, camera by camera. */
  place(shard: PlacedShard): PlacedShard[] {
    const seat = this.#bestSeat(shard);
    if (seat) {
      this.#sit(shard, seat);
      return [];
    }
    const room = Math.max(0, ...[...this.#seats.values()].filter(({ agent }) => agent.takes).map(roomOf));
    const lightest = Math.min(...shard.cameras.map((camera) => loadOf(camera, this.#stretch)));
    if (shard.cameras.length === 1 || lightest > room) {
      this.shards.push(shard);
      return [shard];
    }
    return halve(shard).flatMap((half) => this.place(this.describe(half)));
  }

  #bestSeat(shard: PlacedShard): Seat | undefined {
    const familiar = this.#seatsByHosts(shard);
    let best: { seat: Seat; rank: readonly number[] } | undefined;
    for (const seat of this.#seats.values()) {
      if (!seat.agent.takes || !fits(seat, shard)) continue;
      // Most of its hosts first, then room to spare, then near, then the least loaded.
      const rank = [
        -(familiar.get(seat) ?? 0),
        seat.load + shard.load > seat.agent.capacity * COMFORTABLE ? 1 : 0,
        Math.floor(distanceKm(seat.direction, shard.middle) / NEAR_BAND_KM),
        (seat.load + shard.load - seat.fair) / seat.agent.capacity,
      ];
      if (!best || isBefore(rank, best.rank)) best = { seat, rank };
    }
    return best?.seat;
  }

  /** Who has cameras of how many of the shard's hosts. */
  #seatsByHosts(shard: PlacedShard): Map<Seat, number> {
    const counts = new Map<Seat, number>();
    for (const host of new Set(shard.cameras.map((camera) => camera.host))) {
      for (const seat of this.#seatsOfHost.get(host) ?? []) counts.set(seat, (counts.get(seat) ?? 0) + 1);
    }
    return counts;
  }

  /** Moves shards from those with more than their share to those with less, near takers preferred, fullest givers first. */
  balance(): void {
    const givers = new Set([...this.#seats.values()].filter(canGive));
    const takers = [...this.#seats.values()].filter(({ agent }) => agent.takes).toSorted(byExcess);
    while (givers.size > 0) {
      const giver = [...givers].reduce((a, b) => (excess(b) > excess(a) ? b : a));
      // Takers only fill up: who can give nothing now can give nothing later.
      if (canGive(giver) && this.#giveOne(giver, takers)) takers.sort(byExcess);
      else givers.delete(giver);
    }
  }

  #giveOne(giver: Seat, takers: readonly Seat[]): boolean {
    const lightest = Math.min(...[...giver.shards].map(({ load }) => load));
    for (const taker of takers) {
      // Those that follow have less need.
      if (excess(giver) - excess(taker) <= lightest * WORTH_MOVING) return false;
      const shard = mostMovable(giver, taker);
      if (!shard) continue;
      this.#rise(shard, giver);
      this.#sit(shard, taker);
      return true;
    }
    return false;
  }

  #sit(shard: PlacedShard, seat: Seat): void {
    if (shard.agentId === null) this.shards.push(shard);
    shard.agentId = seat.agent.id;
    shard.reach = closenessAtKm(distanceKm(seat.direction, shard.middle) + NEAR_BAND_KM);
    seat.shards.add(shard);
    seat.load += shard.load;
    for (const { host } of shard.cameras) {
      seat.hosts.set(host, (seat.hosts.get(host) ?? 0) + 1);
      const seats = this.#seatsOfHost.get(host);
      if (seats) seats.add(seat);
      else this.#seatsOfHost.set(host, new Set([seat]));
    }
  }

  #rise(shard: PlacedShard, seat: Seat): void {
    seat.shards.delete(shard);
    seat.load -= shard.load;
    for (const { host } of shard.cameras) {
      const left = (seat.hosts.get(host) ?? 0) - 1;
      if (left > 0) seat.hosts.set(host, left);
      else {
        seat.hosts.delete(host);
        this.#seatsOfHost.get(host)?.delete(seat);
      }
    }
  }
}

/** A cordoned agent keeps what it has. */
const canGive = ({ agent, shards }: Seat): boolean => agent.takes && shards.size > 1;
const roomOf = ({ agent, load }: Seat): number => agent.capacity - load;
const fits = (seat: Seat, { load }: PlacedShard): boolean => load <= roomOf(seat);
const excess = ({ load, fair }: Seat): number => load - fair;
const byExcess = (a: Seat, b: Seat): number => excess(a) - excess(b) || (a.agent.id < b.agent.id ? -1 : 1);

/** The shard nearest to the taker whose move evens things out; none that would go far away from an agent with room. */
function mostMovable(giver: Seat, taker: Seat): PlacedShard | undefined {
  const hasRoom = giver.load <= giver.agent.capacity * COMFORTABLE;
  const difference = excess(giver) - excess(taker);
  let best: { shard: PlacedShard; near: number } | undefined;
  for (const shard of giver.shards) {
    if (difference <= shard.load * WORTH_MOVING || !fits(taker, shard)) continue;
    const near = closeness(taker.direction, shard.middle);
    if (hasRoom && (near < shard.reach || isHostDivided(shard, giver))) continue;
    if (!best || near > best.near) best = { shard, near };
  }
  return best?.shard;
}

/** Whether another shard of the same agent has cameras of one of its hosts: moving it would tear the host apart. */
function isHostDivided(shard: PlacedShard, seat: Seat): boolean {
  const own = new Map<string, number>();
  for (const { host } of shard.cameras) own.set(host, (own.get(host) ?? 0) + 1);
  return [...own].some(([host, count]) => (seat.hosts.get(host) ?? 0) > count);
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0;
    if (value !== other) return value < other;
  }
  return false;
}
