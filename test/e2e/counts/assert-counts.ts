import type { RequestRecord } from '../../../scripts/camera-farm/request-log.ts';

/** A row of what the coordinator counted. Instants are ms of the database's clock, which is this machine's. */
export interface CountedAttempt {
  session: string;
  cameraId: number;
  /** The farm's name of the camera. */
  camera: string;
  sequence: number;
  token: number;
  isFrame: boolean;
  /** Of a stream's part. */
  serial: number | null;
}

/** When a session held a camera: its grant of the shard and the camera's membership in the shard, both. */
export interface Holding {
  session: string;
  cameraId: number;
  token: number;
  from: number;
  until: number | null;
}

/** What the tests did to a session. An orderly end is none: it ends grants, and what was in flight then is excused anyway. */
export interface Stop {
  session: string;
  /** `killed`: what it captured after its last batch is lost. `frozen`: it slept until `until`. */
  kind: 'killed' | 'frozen';
  at: number;
  until?: number;
}

export interface Counted {
  attempts: readonly CountedAttempt[];
  holdings: readonly Holding[];
  /** By session, from its batches as they went over the line. */
  reported: ReadonlyMap<string, Reported>;
}

export interface Reported {
  /** The newest instant in any batch. */
  lastAt: number;
  /** The largest error that it admitted for its clock, ms: at the edge of a window nobody can know better. */
  clockErrorMs: number;
}

export interface CountsInput {
  farm: { requests: readonly RequestRecord[] };
  counted: Counted;
  stops: readonly Stop[];
  /** Wall clock, ms: what came later may still be on its way. */
  asOf: number;
}

/** The figures of one comparison, and everything that is wrong in words. */
export interface CountsReport {
  completed: number;
  counted: number;
  problems: string[];
  /** Completed and not counted, by the reason that excuses it. */
  excused: Record<string, number>;
}

/** A request is answered within milliseconds; on a busy machine the agent reads and cleans it some time later. */
const IN_FLIGHT_MS = 3_000;

interface Handed {
  id: string;
  session: string;
  cameraId: number;
  camera: string;
  at: number;
  /** Order among what this session was given of this camera. */
  rank: number;
}

/** Throws with everything that is wrong; see `compareCounts`. */
export function assertCounts(input: CountsInput): CountsReport {
  const report = compareCounts(input);
  if (report.problems.length > 0) {
    const shown = report.problems.slice(0, 20).join('\n');
    throw new Error(
      `${report.problems.length} problems among ${report.counted} counted attempts and ${report.completed} completed answers:\n${shown}`,
    );
  }
  return report;
}

/**
 * Compares what was counted with what the cameras gave, as sets of ids: `session/camera/sequence` of a snapshot, `camera#serial`
 * of a stream's part. Every counted frame was given exactly once and completely, while its session held the camera; nothing is
 * counted twice; and what was given to a holder and is not counted was in flight when a grant ended or a test interfered.
 */
export function compareCounts({ farm, counted, stops, asOf }: CountsInput): CountsReport {
  const completed = farm.requests.filter((one) => one.complete || one.kind === 'not-modified');
  const problems: string[] = [];
  const given = new Map<string, RequestRecord[]>();
  for (const record of completed) given.set(idOf(record), [...(given.get(idOf(record)) ?? []), record]);
  const seen = new Set<string>();
  const holdingsOf = groupBy(counted.holdings, ({ session, cameraId }) => `${session}/${cameraId}`);
  for (const attempt of counted.attempts) {
    const id = idOfCounted(attempt);
    if (seen.has(id)) problems.push(`${id} is counted twice`);
    seen.add(id);
    const errorMs = counted.reported.get(attempt.session)?.clockErrorMs ?? 0;
    if (attempt.isFrame) problems.push(...whyNotGiven(attempt, given.get(id) ?? [], { holdingsOf, errorMs }));
  }
  const { excused, lost } = findLost({ completed, seen, holdingsOf, stops, asOf, reported: counted.reported });
  problems.push(...lost, ...overlaps(counted.holdings));
  return { completed: completed.length, counted: counted.attempts.length, problems, excused };
}

type Holdings = ReadonlyMap<string, readonly Holding[]>;

/** Every counted frame is in the log exactly once, was asked for by this session, and while it held the camera with this token. */
function whyNotGiven(
  attempt: CountedAttempt,
  records: readonly RequestRecord[],
  { holdingsOf, errorMs }: { holdingsOf: Holdings; errorMs: number },
): string[] {
  const id = idOfCounted(attempt);
  const [record] = records;
  if (!record || records.length > 1) return [`${id} is counted, and the log has it ${records.length} times`];
  const [session] = (record.attempt ?? '').split('/');
  if (session !== attempt.session)
    return [`${id} is counted for session ${attempt.session}, but ${session} was given it`];
  const own = holdingsOf.get(`${attempt.session}/${attempt.cameraId}`) ?? [];
  const holds = own.some(
    ({ token, from, until }) =>
      token === attempt.token && record.at >= from - 1 - errorMs && record.at < (until ?? Infinity) + errorMs,
  );
  return holds
    ? []
    : [
        `${id} is counted under token ${attempt.token}, but was fetched at ${record.at} while the session held ${show(own)}`,
      ];
}

interface LossInput {
  completed: readonly RequestRecord[];
  seen: ReadonlySet<string>;
  holdingsOf: Holdings;
  stops: readonly Stop[];
  asOf: number;
  reported: Counted['reported'];
}

function findLost(input: LossInput): { excused: Record<string, number>; lost: string[] } {
  const excused: Record<string, number> = {};
  const lost: string[] = [];
  const chains = groupBy(handedOut(input.completed), ({ session, cameraId }) => `${session}/${cameraId}`);
  for (const [key, chain] of chains) {
    for (const handed of chain) {
      if (input.seen.has(handed.id) || handed.at >= input.asOf) continue;
      const excuse = excuseOf(handed, chain, input.holdingsOf.get(key) ?? [], input);
      if (excuse === undefined) {
        const held = show(input.holdingsOf.get(key) ?? []);
        lost.push(`${handed.id} (${key}) was handed out at ${handed.at} and is not counted; the session held ${held}`);
      } else excused[excuse] = (excused[excuse] ?? 0) + 1;
    }
  }
  return { excused, lost };
}

/** Attempts of a camera follow each other, so at any moment at most one is in flight: the last before it. */
function excuseOf(
  handed: Handed,
  chain: readonly Handed[],
  holdings: readonly Holding[],
  { seen, stops, reported }: LossInput,
): string | undefined {
  const isLastBefore = (moment: number): boolean =>
    handed.at < moment &&
    handed.at >= moment - IN_FLIGHT_MS &&
    !chain.some(({ at, rank }) => rank > handed.rank && at < moment);
  const holding = holdings.find(({ from, until }) => handed.at >= from && handed.at < (until ?? Infinity));
  if (!holding) return 'notHolder';
  const own = stops.filter(({ session }) => session === handed.session);
  for (const { kind, at, until } of own) {
    // A batch holds a camera's attempts in order: what came before a counted one was in it.
    const isBeforeCounted = chain.some(({ id, rank }) => rank > handed.rank && seen.has(id));
    if (
      kind === 'killed' &&
      !isBeforeCounted &&
      handed.at > (reported.get(handed.session)?.lastAt ?? 0) - IN_FLIGHT_MS &&
      handed.at <= at + IN_FLIGHT_MS
    ) {
      return 'afterLastBatch';
    }
    // What a camera sends to a sleeper waits in the socket until it wakes, perhaps after the shard was taken.
    const isAsleep = handed.at >= at && handed.at <= (until ?? Infinity);
    if (kind === 'frozen' && (isAsleep || isLastBefore(at))) return 'inFlightAtFreeze';
  }
  if (holding.until !== null && isLastBefore(holding.until)) return 'inFlightAtLoss';
  return undefined;
}

function handedOut(completed: readonly RequestRecord[]): Handed[] {
  return completed.flatMap((record, rank) => {
    const [session, cameraId] = (record.attempt ?? '').split('/');
    if (session === undefined || cameraId === undefined) return [];
    return [{ id: idOf(record), session, cameraId: Number(cameraId), camera: record.camera, at: record.at, rank }];
  });
}

/** At every moment a camera has at most one owner. */
function overlaps(holdings: readonly Holding[]): string[] {
  const problems: string[] = [];
  for (const [cameraId, own] of groupBy(holdings, (holding) => holding.cameraId)) {
    const sorted = own.toSorted((a, b) => a.from - b.from);
    for (const [index, next] of sorted.entries()) {
      const before = sorted[index - 1];
      if (before && next.from < (before.until ?? Infinity)) {
        problems.push(`camera ${cameraId} has two owners at ${next.from}: ${show([before, next])}`);
      }
    }
  }
  return problems;
}

const idOf = ({ attempt, camera, serial }: RequestRecord): string =>
  serial === undefined ? (attempt ?? '') : `${camera}#${serial}`;

const idOfCounted = ({ session, cameraId, sequence, camera, serial }: CountedAttempt): string =>
  serial === null ? `${session}/${cameraId}/${sequence}` : `${camera}#${serial}`;

const show = (holdings: readonly Holding[]): string =>
  holdings.map(({ token, from, until }) => `token ${token} from ${from} until ${until ?? 'now'}`).join(', ') ||
  'nothing';

function groupBy<T, K>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group) group.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return groups;
}
