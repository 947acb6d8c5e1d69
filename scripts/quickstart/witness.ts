import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { RequestRecord } from '../camera-farm/request-log.ts';

/** When `session/camera` held the camera, ms. */
export interface HolderWindow {
  holder: string;
  from: number;
  until: number | null;
}

/** Ids of what the farm handed out, as the agent's header or the part's serial names them. */
export interface Evidence {
  /** Completed answers by id; more than one is a fault of the farm's clients. */
  complete: Map<string, number>;
  /** Of those, the ones that ended well before the agents were told to stop: none of them may be missing, if its agent held the camera then (ms). */
  due: Map<string, number>;
}

/** What was in flight when the agents were told to stop may be lost. */
const IN_FLIGHT_MS = 2_000;

export async function readFarmLog(file: string, stoppedAt: number): Promise<Evidence> {
  const evidence: Evidence = { complete: new Map(), due: new Map() };
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const record = JSON.parse(line) as RequestRecord;
    const id = idOf(record);
    // A 304 has no body that could be incomplete.
    if (id === undefined || !(record.complete || record.kind === 'not-modified')) continue;
    evidence.complete.set(id, (evidence.complete.get(id) ?? 0) + 1);
    // Of a stream an agent takes a part now and then, and what a faulty camera answers need not be a frame.
    const isFrame = record.serial === undefined && record.kind !== 'fault';
    if (isFrame && record.at < stoppedAt - IN_FLIGHT_MS) evidence.due.set(id, record.at);
  }
  return evidence;
}

/** A snapshot by its request's `session/camera/sequence`, a part of a stream by `farm camera#serial`. */
const idOf = ({ attempt, serial, camera }: RequestRecord): string | undefined =>
  serial === undefined ? (attempt ?? undefined) : `${camera}#${serial}`;

/** What the coordinator counted, in the farm's words: `session/camera/s<serial>` becomes `farm camera#serial`. */
export function inFarmWords(
  counted: readonly string[],
  evidence: Evidence,
  farmIdOf: ReadonlyMap<number, string>,
): string[] {
  // What sessions of earlier runs counted stands in an earlier log.
  const sessions = new Set([...evidence.complete.keys()].filter((id) => id.includes('/')).map(sessionOf));
  return counted
    .filter((id) => sessions.has(sessionOf(id)))
    .map((id) => {
      const [, camera, serial] = /\/(\d+)\/s(\d+)$/.exec(id) ?? [];
      return serial === undefined ? id : `${farmIdOf.get(Number(camera)) ?? camera}#${serial}`;
    });
}

/** `lost`: handed out and not counted. `doubled`: counted twice, or counted without having been handed out. */
export function compare(
  evidence: Evidence,
  counted: readonly string[],
  windows: readonly HolderWindow[],
): { lost: string[]; doubled: string[] } {
  const seen = new Map<string, number>();
  for (const id of counted) seen.set(id, (seen.get(id) ?? 0) + 1);
  const doubled = [...seen].filter(([id, times]) => times > (evidence.complete.get(id) ?? 0)).map(([id]) => id);
  const lost = [...evidence.due].filter(([id, at]) => !seen.has(id) && wasHolder(id, at, windows)).map(([id]) => id);
  return { lost, doubled };
}

/** What an agent fetched at the very end of its lease, or after it, is not its to report: the next holder fetches again. */
const wasHolder = (id: string, at: number, windows: readonly HolderWindow[]): boolean =>
  windows.some(
    ({ holder, from, until }) => id.startsWith(`${holder}/`) && from <= at && (until ?? Infinity) - IN_FLIGHT_MS > at,
  );

const sessionOf = (id: string): string => id.slice(0, id.indexOf('/'));
