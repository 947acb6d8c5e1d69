import type { CameraMemory, Fragment, Scores } from '../../common/domain/fragment.ts';
import { MAX_ATTEMPTS_PER_FRAGMENT } from '../../common/domain/fragment.ts';
import type { CapturedAt } from '../../common/domain/frame.ts';
import type { Evidence, Verdict } from '../../common/domain/verdict.ts';

const MAX_SPAN_MS = 60_000;
/** Instants this far apart in wall minus monotonic clock lie in different stretches of time and need anchors of their own. */
const STRETCH_MS = 1_000;

/** One attempt with its verdict, not yet dated. */
export interface Attempt {
  cameraId: number;
  token: number;
  sequence: number;
  /** Monotonic ms at which the last byte arrived, and wall minus monotonic clock then. */
  monotonic: number;
  skew: number;
  verdict: Verdict;
  label: string | null;
  modelVersion: string | null;
  /** Bits of OUTCOME. */
  outcome: number;
  serial?: number;
  bytes: number;
  latencyMs?: number;
  capturedAt?: CapturedAt;
  evidence: Evidence;
  frameDigest: string | null;
  /** Of the picture that `frameDigest` names. */
  sceneLabel?: string;
  width?: number;
  height?: number;
  scores: Scores | null;
  memory: CameraMemory;
}

/** A fragment whose instants are still monotonic ms. */
export interface UndatedFragment extends Omit<Fragment, 'at' | 'latencyMs'> {
  monotonic: number[];
  skew: number;
  latencies: number[];
}

/**
 * Folds attempts into fragments: one camera, token and key, sequence numbers without a gap, at most 60 s or 256 attempts.
 * Nothing is lost and nothing changes places; fragments are handed over in the order in which they began.
 */
export class FragmentFolder {
  readonly #open = new Map<number, UndatedFragment>();
  #closed: UndatedFragment[] = [];

  /** Returns the digest of the picture that this attempt replaces in an open fragment: nobody will ask for it any more. */
  add(attempt: Attempt): string | null {
    const open = this.#open.get(attempt.cameraId);
    if (open && continues(open, attempt)) {
      const replaced = open.frameDigest !== attempt.frameDigest ? open.frameDigest : null;
      extend(open, attempt);
      return attempt.frameDigest === null ? null : replaced;
    }
    if (open) this.#closed.push(open);
    this.#open.delete(attempt.cameraId);
    this.#open.set(attempt.cameraId, begin(attempt));
    return null;
  }

  /** Everything since the last call. Open fragments end here: a batch holds what was captured until it was made. */
  collect(): UndatedFragment[] {
    const all = [...this.#closed, ...this.#open.values()];
    this.#closed = [];
    this.#open.clear();
    return all;
  }
}

function continues(open: UndatedFragment, attempt: Attempt): boolean {
  const count = open.monotonic.length;
  return (
    open.token === attempt.token &&
    open.verdict === attempt.verdict &&
    open.label === attempt.label &&
    open.modelVersion === attempt.modelVersion &&
    count < MAX_ATTEMPTS_PER_FRAGMENT &&
    open.firstSequence + count === attempt.sequence &&
    attempt.monotonic - (open.monotonic[0] as number) <= MAX_SPAN_MS &&
    Math.abs(open.skew - attempt.skew) <= STRETCH_MS &&
    (open.serials === undefined) === (attempt.serial === undefined)
  );
}

function begin(attempt: Attempt): UndatedFragment {
  const { monotonic, sequence, outcome, serial, latencyMs, ...rest } = attempt;
  return {
    ...rest,
    firstSequence: sequence,
    monotonic: [monotonic],
    outcomes: [outcome],
    latencies: latencyMs === undefined ? [] : [latencyMs],
    ...(serial !== undefined && { serials: [serial] }),
  };
}

function extend(open: UndatedFragment, attempt: Attempt): void {
  open.monotonic.push(attempt.monotonic);
  open.outcomes.push(attempt.outcome);
  if (attempt.serial !== undefined) open.serials?.push(attempt.serial);
  if (attempt.latencyMs !== undefined) open.latencies.push(attempt.latencyMs);
  open.bytes += attempt.bytes;
  open.evidence = attempt.evidence;
  open.memory = attempt.memory;
  if (attempt.frameDigest !== null && (attempt.sceneLabel !== undefined || attempt.frameDigest !== open.frameDigest)) {
    // A label belongs to one picture: it goes when another takes its place.
    if (attempt.sceneLabel === undefined) delete open.sceneLabel;
    else open.sceneLabel = attempt.sceneLabel;
  }
  open.frameDigest = attempt.frameDigest ?? open.frameDigest;
  open.scores = attempt.scores ?? open.scores;
  if (attempt.capturedAt) open.capturedAt = attempt.capturedAt;
  if (attempt.width !== undefined) open.width = attempt.width;
  if (attempt.height !== undefined) open.height = attempt.height;
}

/** `date` turns a monotonic instant into coordinator time, or says that its stretch has no anchor yet. */
export function dateFragment(
  fragment: UndatedFragment,
  date: (instant: { monotonic: number; skew: number }) => { at: number; errorMs: number } | undefined,
): { fragment: Fragment; errorMs: number } | undefined {
  const { monotonic, skew, latencies, ...rest } = fragment;
  const dated = monotonic.map((instant) => date({ monotonic: instant, skew }));
  const first = dated[0];
  if (!first) return undefined;
  return {
    fragment: {
      ...rest,
      at: dated.map((one) => (one ?? first).at),
      ...(latencies.length > 0 && { latencyMs: median(latencies) }),
    },
    errorMs: first.errorMs,
  };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round((sorted[sorted.length >> 1] as number) * 10) / 10;
}
