import type { Stretch } from '../../../common/protocol/agent-link.ts';
import type { PlannableAgent, PlannableCamera } from '../types.ts';
import { groupCameras, shardSize } from './grouping.ts';
import type { DraftShard } from './grouping.ts';
import { Placement } from './placement.ts';
import type { PlacedShard } from './placement.ts';
import { loadOf, NO_STRETCH, raise, stretchFor } from './stretch.ts';

export interface CurrentShards {
  /** Camera → shard, where it is or is on its way to. */
  shardOf: ReadonlyMap<number, number>;
  /** Shard → agent that has it or shall get it. */
  agentOf: ReadonlyMap<number, string>;
  /** In force now. */
  stretch?: Stretch;
}

export interface PlannedShard {
  /** `null`: to be made. */
  id: number | null;
  agentId: string | null;
  cameraIds: number[];
  /** Attempts a second without stretching. */
  load: number;
}

export interface Plan {
  shards: PlannedShard[];
  stretch: Stretch;
  /** Cameras that nobody has room for, and cameras slower than asked. */
  unassigned: number;
  slowed: number;
  /** Attempts a second: what is asked, and what the agents can take. */
  demand: number;
  capacity: number;
  /** What to add, in words; `null` where nothing is missing. */
  advice: string | null;
}

/** A factor of 1.05 a step: enough steps to slow everything down to a tenth of what the sum of capacities allows. */
const MOST_RAISES = 48;
/** How much slower than needed cameras may stay. */
const MOST_SLACK = 1.5;
/** Where capacity is short, a remainder on each agent is too small for any camera. */
const USABLE = 0.98;

/**
 * Puts every camera into exactly one shard and every shard on an agent that has room for it. Moves as little as it can, keeps a
 * host's cameras together as far as capacity allows, prefers near agents, and stretches intervals where capacity is short.
 */
export function planFleet(
  cameras: readonly PlannableCamera[],
  agents: readonly PlannableAgent[],
  current: CurrentShards,
): Plan {
  const takers = agents.filter(({ takes }) => takes);
  const full = new Set(agents.filter(({ takes }) => !takes).map(({ id }) => id));
  const isOpen = (id: number): boolean => !full.has(current.agentOf.get(id) ?? '');
  const drafts = groupCameras(cameras, current.shardOf, shardSize(cameras.length, takers.length), isOpen);
  const capacity = usableCapacity(agents, drafts, current);
  const demand = cameras.reduce((sum, camera) => sum + loadOf(camera, NO_STRETCH), 0);
  let stretch = stretchFor(cameras, demand > capacity ? capacity * USABLE : capacity);
  let placed = placeAll(drafts, agents, current, stretch);
  if ((placed.left.length > 0 || placed.displaced > 0) && isLittleMore(current.stretch, stretch)) {
    const asBefore = placeAll(drafts, agents, current, current.stretch);
    if (asBefore.left.length === 0) [stretch, placed] = [current.stretch, asBefore];
  }
  for (let raises = 0; placed.left.length > 0 && capacity > 0 && raises < MOST_RAISES; raises++) {
    stretch = raise(stretch);
    placed = placeAll(drafts, agents, current, stretch);
  }
  const unassigned = placed.left.reduce((sum, { cameras: left }) => sum + left.length, 0);
  const slowed = cameras.filter((camera) => loadOf(camera, stretch) < loadOf(camera, NO_STRETCH)).length;
  return {
    shards: placed.shards.map(({ id, agentId, cameras: own }) => ({
      id,
      agentId,
      cameraIds: own.map((camera) => camera.id),
      load: own.reduce((sum, camera) => sum + loadOf(camera, NO_STRETCH), 0),
    })),
    stretch,
    unassigned,
    slowed,
    demand,
    capacity,
    advice: adviceFor({ demand, capacity, short: unassigned + slowed, agents: takers.length }),
  };
}

/** A fleet that is packed to the brim goes on as it is rather than moving cameras about for a slightly smaller factor. */
function isLittleMore(before: Stretch | undefined, least: Stretch): before is Stretch {
  if (!before || before.belowPriority < least.belowPriority) return false;
  return before.factor >= least.factor && before.factor <= least.factor * MOST_SLACK;
}

/** Capacity of those who may get shards, and of those who may only keep what they have as far as they use it. */
function usableCapacity(
  agents: readonly PlannableAgent[],
  drafts: readonly DraftShard[],
  current: CurrentShards,
): number {
  const kept = new Map<string, number>();
  for (const { id, cameras } of drafts) {
    const agentId = id === null ? undefined : current.agentOf.get(id);
    if (agentId === undefined) continue;
    kept.set(
      agentId,
      cameras.reduce((sum, camera) => sum + loadOf(camera, NO_STRETCH), kept.get(agentId) ?? 0),
    );
  }
  return agents.reduce((sum, { id, takes, keeps, capacity }) => {
    if (takes) return sum + capacity;
    return keeps ? sum + Math.min(capacity, kept.get(id) ?? 0) : sum;
  }, 0);
}

function placeAll(
  drafts: readonly DraftShard[],
  agents: readonly PlannableAgent[],
  { agentOf }: CurrentShards,
  stretch: Stretch,
): { shards: PlacedShard[]; left: PlacedShard[]; displaced: number } {
  const total = drafts.reduce((sum, { cameras }) => sum + cameras.reduce((own, c) => own + loadOf(c, stretch), 0), 0);
  const placement = new Placement(agents, total, stretch);
  const described = drafts.map((draft) => placement.describe(draft));
  // Large ones first: small ones find room in what is left.
  const byLoad = described.toSorted((a, b) => b.load - a.load || (a.cameras[0]?.id ?? 0) - (b.cameras[0]?.id ?? 0));
  const homeless = byLoad.filter(
    (shard) => !placement.keep(shard, shard.id === null ? undefined : agentOf.get(shard.id)),
  );
  const left = homeless.flatMap((shard) => placement.place(shard));
  placement.balance();
  return { shards: placement.shards, left, displaced: placement.displaced };
}

function adviceFor(facts: { demand: number; capacity: number; short: number; agents: number }): string | null {
  const { demand, capacity, short, agents } = facts;
  if (short === 0) return null;
  if (agents === 0) return `No agent takes cameras: add one that can do ${demand.toFixed(1)} attempts a second.`;
  const missing = Math.max(demand - capacity, demand * 0.02);
  const more = Math.max(1, Math.ceil(missing / (capacity / agents)));
  return `Capacity is short by ${missing.toFixed(1)} attempts a second: add ${more} agent${more === 1 ? '' : 's'} like the present ones, or ask for longer intervals.`;
}
