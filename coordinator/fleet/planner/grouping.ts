import type { PlannableCamera } from '../types.ts';
import { spatialOrder } from './geography.ts';

/** A shard while it is planned. `id: null` is one to be made. */
export interface DraftShard {
  id: number | null;
  cameras: PlannableCamera[];
}

export const SMALLEST = 10;
export const LARGEST = 300;
const SHARDS_PER_AGENT = 4;

/** Cameras a shard should have: four shards an agent let a joining agent take a share without splitting anything. */
export function shardSize(cameras: number, agents: number): number {
  return Math.min(LARGEST, Math.max(SMALLEST, Math.ceil(cameras / (SHARDS_PER_AGENT * Math.max(1, agents)))));
}

/**
 * Puts every camera into exactly one shard. Shards that exist stay as they are, within wide limits; new cameras join their
 * host's shard, then one that is open and not full; what is left makes new shards of whole hosts and neighbours.
 */
export function groupCameras(
  cameras: readonly PlannableCamera[],
  shardOf: ReadonlyMap<number, number>,
  size: number,
  isOpen: (shardId: number) => boolean,
): DraftShard[] {
  const shards = new Map<number, DraftShard>();
  const homeless: PlannableCamera[] = [];
  for (const camera of cameras) {
    const id = shardOf.get(camera.id);
    if (id === undefined) homeless.push(camera);
    else shardFor(shards, id).cameras.push(camera);
  }
  dissolveCrumbs(shards, homeless, { size, cameras: cameras.length, isOpen });
  const rest = joinHosts(shards, homeless);
  const open = [...shards.values()].filter(({ id }) => id !== null && isOpen(id));
  const fresh = fillOpen(open, hostGroups(rest), size);
  return [...shards.values()].flatMap((shard) => splitOversized(shard, size)).concat(makeShards(fresh, size));
}

function shardFor(shards: Map<number, DraftShard>, id: number): DraftShard {
  const shard = shards.get(id) ?? { id, cameras: [] };
  shards.set(id, shard);
  return shard;
}

/** Only when there are more than twice as many shards as wanted: the cameras of the smallest look for a new shard. */
function dissolveCrumbs(
  shards: Map<number, DraftShard>,
  homeless: PlannableCamera[],
  { size, cameras, isOpen }: { size: number; cameras: number; isOpen: (shardId: number) => boolean },
): void {
  const surplus = shards.size - Math.max(2, (2 * cameras) / size);
  if (surplus <= 0) return;
  const crumbs = [...shards.values()].filter(({ id, cameras: own }) => own.length < size / 4 && isOpen(Number(id)));
  crumbs.sort((a, b) => a.cameras.length - b.cameras.length || Number(a.id) - Number(b.id));
  for (const { id, cameras: freed } of crumbs.slice(0, Math.floor(surplus))) {
    shards.delete(Number(id));
    homeless.push(...freed);
  }
}

/** Cameras whose host has a shard with room go there; returns the others. */
function joinHosts(shards: ReadonlyMap<number, DraftShard>, homeless: readonly PlannableCamera[]): PlannableCamera[] {
  if (homeless.length === 0) return [];
  const wanted = new Set(homeless.map(({ host }) => host));
  const shardsOfHost = new Map<string, DraftShard[]>();
  for (const shard of shards.values()) {
    for (const host of new Set(shard.cameras.map((camera) => camera.host))) {
      if (!wanted.has(host)) continue;
      const list = shardsOfHost.get(host);
      if (list) list.push(shard);
      else shardsOfHost.set(host, [shard]);
    }
  }
  return homeless.filter((camera) => {
    const home = shardsOfHost.get(camera.host)?.find((shard) => shard.cameras.length < LARGEST);
    home?.cameras.push(camera);
    return home === undefined;
  });
}

/** Cameras by host, at most a shard full each, neighbours beside each other. */
export function hostGroups(cameras: readonly PlannableCamera[]): PlannableCamera[][] {
  const hosts = new Map<string, PlannableCamera[]>();
  for (const camera of cameras) {
    const group = hosts.get(camera.host);
    if (group) group.push(camera);
    else hosts.set(camera.host, [camera]);
  }
  return [...hosts.values()]
    .map((group) => ({ group, order: spatialOrder(group[0]?.place ?? null) }))
    .sort((a, b) => a.order - b.order || (a.group[0]?.id ?? 0) - (b.group[0]?.id ?? 0))
    .flatMap(({ group }) => chunks(group, LARGEST));
}

/** Tops up shards that have room, best neighbours first; returns the groups that found none. */
function fillOpen(shards: readonly DraftShard[], groups: PlannableCamera[][], size: number): PlannableCamera[][] {
  const open = shards
    .filter(({ cameras }) => cameras.length < size)
    .map((shard) => ({ shard, order: spatialOrder(shard.cameras[0]?.place ?? null) }));
  if (open.length === 0) return groups;
  return groups.filter((group) => {
    const order = spatialOrder(group[0]?.place ?? null);
    let best: (typeof open)[number] | undefined;
    for (const candidate of open) {
      if (candidate.shard.cameras.length + group.length > size) continue;
      if (!best || Math.abs(candidate.order - order) < Math.abs(best.order - order)) best = candidate;
    }
    best?.shard.cameras.push(...group);
    return best === undefined;
  });
}

/** A shard of more than twice the wanted size keeps its first part; the others become shards of their own. */
function splitOversized(shard: DraftShard, size: number): DraftShard[] {
  if (shard.cameras.length <= Math.min(2 * size, LARGEST)) return [shard];
  const parts = makeShards(hostGroups(shard.cameras), size);
  const largest = parts.reduce((a, b) => (b.cameras.length > a.cameras.length ? b : a));
  return parts.map((part) => (part === largest ? { ...part, id: shard.id } : part));
}

/** Whole groups in their order; a group larger than the size is a shard by itself. */
function makeShards(groups: readonly PlannableCamera[][], size: number): DraftShard[] {
  const shards: DraftShard[] = [];
  let current: PlannableCamera[] = [];
  for (const group of groups) {
    if (current.length > 0 && current.length + group.length > size) {
      shards.push({ id: null, cameras: current });
      current = [];
    }
    current = current.concat(group);
  }
  if (current.length > 0) shards.push({ id: null, cameras: current });
  return shards;
}

/** Two halves, by whole hosts where there are several. */
export function halve({ id, cameras }: DraftShard): [DraftShard, DraftShard] {
  const groups = hostGroups(cameras);
  const units = groups.length > 1 ? groups : cameras.map((camera) => [camera]);
  const first: PlannableCamera[] = [];
  let used = 0;
  while (used < units.length - 1 && (used === 0 || first.length < cameras.length / 2))
    first.push(...(units[used++] ?? []));
  return [
    { id, cameras: first },
    { id: null, cameras: units.slice(used).flat() },
  ];
}

function chunks<T>(items: readonly T[], length: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += length) parts.push(items.slice(start, start + length));
  return parts;
}
