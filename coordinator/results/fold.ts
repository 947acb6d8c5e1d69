import type { Scores } from '../../common/domain/fragment.ts';
import { OUTCOME } from '../../common/domain/fragment.ts';
import type { Evidence, Verdict } from '../../common/domain/verdict.ts';
import type { Reported } from './memory-text.ts';

/** A run of attempts of one camera with one key, within one UTC day. Instants are ms of the database's clock. */
export interface Span {
  cameraId: number;
  token: number;
  verdict: Verdict;
  label: string | null;
  modelVersion: string | null;
  attempts: number;
  frames: number;
  unchanged: number;
  classified: number;
  gated: number;
  audited: number;
  auditDiffers: number;
  bytes: number;
  firstAt: number;
  lastAt: number;
  scores: Scores | null;
  evidence: Evidence;
  frameDigest: string | null;
}

/** The attempts of a fragment that count, with their clamped instants and their part of the fragment's bytes. */
export interface Counted {
  fragment: Reported;
  at: number[];
  outcomes: number[];
  /** Their places in the fragment. */
  indexes: number[];
  bytes: number;
  /** The fragment's picture, where its attempt counts. */
  frameDigest: string | null;
}

const DAY_MS = 86_400_000;
/** More than any line brings in the minute of a fragment; a larger claim would make sums overflow. */
const MOST_BYTES = 2 ** 40;

export const dayOf = (at: number): number => Math.floor(at / DAY_MS);

/** Keeps the attempts for which `instantOf` gives an instant. */
export function countFragment(fragment: Reported, instantOf: (at: number) => number | undefined): Counted {
  const at: number[] = [];
  const outcomes: number[] = [];
  const indexes: number[] = [];
  let pictureCounts = false;
  for (const [index, outcome] of fragment.outcomes.entries()) {
    const instant = instantOf(fragment.at[index] as number);
    if ((outcome & OUTCOME.frame) !== 0) pictureCounts = instant !== undefined;
    if (instant === undefined) continue;
    at.push(instant);
    outcomes.push(outcome);
    indexes.push(index);
  }
  const bytes = Math.round((Math.min(fragment.bytes, MOST_BYTES) * at.length) / fragment.at.length);
  return { fragment, at, outcomes, indexes, bytes, frameDigest: pictureCounts ? fragment.frameDigest : null };
}

/**
 * Adds counted attempts to the open span of their (camera, token). A change of key and a midnight UTC close it. Folding a
 * fragment in parts gives the same spans as folding it whole.
 */
export function fold(open: Span | undefined, counted: Counted): { open: Span | undefined; closed: Span[] } {
  const closed: Span[] = [];
  let current = open;
  const total = counted.at.length;
  for (let start = 0; start < total;) {
    let end = start + 1;
    while (end < total && dayOf(counted.at[end] as number) === dayOf(counted.at[start] as number)) end++;
    const piece = spanOf(counted, start, end);
    if (current && continues(current, piece)) current = join(current, piece);
    else {
      if (current) closed.push(current);
      current = piece;
    }
    start = end;
  }
  return { open: current, closed };
}

function continues(span: Span, piece: Span): boolean {
  return (
    span.verdict === piece.verdict &&
    span.label === piece.label &&
    span.modelVersion === piece.modelVersion &&
    dayOf(span.firstAt) === dayOf(piece.firstAt)
  );
}

function spanOf(counted: Counted, start: number, end: number): Span {
  const { fragment, at, outcomes, bytes } = counted;
  const instants = at.slice(start, end);
  const count = (bit: number): number => {
    let sum = 0;
    for (let i = start; i < end; i++) if (((outcomes[i] as number) & bit) !== 0) sum++;
    return sum;
  };
  const share = (index: number): number => Math.floor((bytes * index) / at.length);
  return {
    cameraId: fragment.cameraId,
    token: fragment.token,
    verdict: fragment.verdict,
    label: fragment.label,
    modelVersion: fragment.modelVersion,
    attempts: end - start,
    frames: count(OUTCOME.frame),
    unchanged: count(OUTCOME.unchanged),
    classified: count(OUTCOME.classified),
    gated: count(OUTCOME.gated),
    audited: count(OUTCOME.audited),
    auditDiffers: count(OUTCOME.auditDiffers),
    bytes: share(end) - share(start),
    firstAt: Math.min(...instants),
    lastAt: Math.max(...instants),
    scores: fragment.scores,
    evidence: fragment.evidence,
    frameDigest: counted.frameDigest,
  };
}

function join(span: Span, piece: Span): Span {
  return {
    ...span,
    attempts: span.attempts + piece.attempts,
    frames: span.frames + piece.frames,
    unchanged: span.unchanged + piece.unchanged,
    classified: span.classified + piece.classified,
    gated: span.gated + piece.gated,
    audited: span.audited + piece.audited,
    auditDiffers: span.auditDiffers + piece.auditDiffers,
    bytes: span.bytes + piece.bytes,
    firstAt: Math.min(span.firstAt, piece.firstAt),
    lastAt: Math.max(span.lastAt, piece.lastAt),
    scores: piece.scores ?? span.scores,
    evidence: piece.evidence,
    frameDigest: piece.frameDigest ?? span.frameDigest,
  };
}
