import { OUTCOME } from '../../common/domain/fragment.ts';
import type { Receipt } from '../../common/protocol/rest.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { statement } from '../platform/database/queries.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { fold } from './fold.ts';
import type { Counted, Span } from './fold.ts';
import { judge, readWindows } from './judge.ts';
import type { Judged, Submission } from './judge.ts';
import type { Reported } from './memory-text.ts';
import { newsOf } from './news.ts';
import { offerBatches, saveReceipts } from './session-repository.ts';
import type { Offered } from './session-repository.ts';
import { readOpenSpans, writeSpans } from './span-repository.ts';
import { writeCameraNews } from './state-repository.ts';
import { chooseWanted } from './wants.ts';
import type { WantedFrame } from './wants.ts';
import type { WindowService } from './window.ts';
import { writeWitness } from './witness.ts';

export interface ApplyOptions {
  window: WindowService;
  reportMs: number;
  witness: boolean;
  /** Whether new pictures may be asked for. */
  keepsFrames: boolean;
  /** Least time between two regular samples of a camera, ms; 0 or absent takes none. */
  sampleMs?: number;
  traffic: { sent: number; stored: number };
}

/**
 * Applies batches of different sessions in the caller's transaction. The result has a receipt or the reason for refusal for each,
 * in the same order. Locks in this order: sessions, grants, open spans (see writeSpans), states.
 */
export async function applyBatches(
  tx: Queryable,
  submissions: readonly Submission[],
  options: ApplyOptions,
): Promise<(Receipt | AppError)[]> {
  const offered = await offerBatches(tx, submissions);
  const isNew = (index: number): boolean =>
    offered[index]?.mark === submissions[index]?.seq && offered[index]?.earlier === undefined;
  const fresh = submissions.filter((_, index) => isNew(index));
  const receipts = await count(tx, fresh, options);
  return submissions.map(
    (submission, index) => receipts.get(submission) ?? answerAgain(submission, offered[index] as Offered),
  );
}

function answerAgain({ digest, seq }: Submission, { mark, earlier }: Offered): Receipt | AppError {
  if (earlier?.digest === digest) return earlier.receipt;
  const expected = mark + 1;
  const why = earlier ? 'another batch with this number was counted' : `this session is at ${mark}`;
  return new AppError('BATCH_OUT_OF_ORDER', `Batch ${seq} cannot be counted: ${why}. Send number ${expected}.`, {
    details: { status: 409, expected },
  });
}

async function count(
  tx: Queryable,
  fresh: readonly Submission[],
  options: ApplyOptions,
): Promise<Map<Submission, Receipt>> {
  if (fresh.length === 0) return new Map();
  const windows = await readWindows(tx, fresh, options.window);
  const judged = fresh.map((submission) => judge(submission, windows));
  const counted = judged.flatMap(({ fates }) => fates.map((fate) => fate.counted).filter(({ at }) => at.length > 0));
  await foldIntoSpans(tx, counted);
  await writeCameraNews(tx, newsOf(judged));
  const wanted = options.keepsFrames ? await chooseWanted(tx, counted, options.sampleMs ?? 0) : [];
  await writeLog(tx, counted, options.traffic);
  if (options.witness) await writeWitness(tx, judged);
  const receipts = new Map(judged.map((one) => [one.submission, receiptOf(one, wanted, options.reportMs)]));
  const rows = [...receipts].map(([{ agentId, sessionId, seq, digest }, receipt]) => ({
    ...{ agentId, sessionId, seq, digest },
    receipt,
  }));
  await saveReceipts(tx, rows);
  return receipts;
}

async function foldIntoSpans(tx: Queryable, counted: readonly Counted[]): Promise<void> {
  if (counted.length === 0) return;
  const key = ({ cameraId, token }: { cameraId: number; token: number }): string => `${cameraId} ${token}`;
  const newest = new Map<number, number>();
  for (const { fragment } of counted) {
    newest.set(fragment.cameraId, Math.max(fragment.token, newest.get(fragment.cameraId) ?? 0));
  }
  const open = new Map<string, Span>();
  for (const span of await readOpenSpans(tx, [...newest.keys()])) open.set(key(span), span);
  const touched = new Set<string>();
  const closed: Span[] = [];
  for (const one of counted) {
    const name = key(one.fragment);
    const folded = fold(open.get(name), one);
    closed.push(...folded.closed);
    if (folded.open) open.set(name, folded.open);
    touched.add(name);
  }
  // A camera with a newer token: the span under the older one is over.
  const isOver = ({ cameraId, token }: Span): boolean => token < (newest.get(cameraId) ?? 0);
  const ours = [...open.values()].filter((span) => touched.has(key(span)));
  const ended = [...open.values()].filter((span) => isOver(span) && !touched.has(key(span)));
  const growing = ours.filter((span) => !isOver(span));
  await writeSpans(tx, { closed: [...closed, ...ours.filter(isOver)], open: growing, ended });
}

const isFrame = (outcome: number): boolean => (outcome & OUTCOME.frame) !== 0;

const appendLog = statement(
  'results.appendLog',
  'insert into intake_log (attempts, frames, bytes_fetched, bytes_sent, bytes_stored) values ($1, $2, $3, $4, $5)',
);

async function writeLog(tx: Queryable, counted: readonly Counted[], traffic: ApplyOptions['traffic']): Promise<void> {
  let [attempts, frames, bytes] = [0, 0, 0];
  for (const one of counted) {
    attempts += one.outcomes.length;
    frames += one.outcomes.filter(isFrame).length;
    bytes += one.bytes;
  }
  await tx.query(appendLog, [attempts, frames, bytes, traffic.sent, traffic.stored]);
}

function receiptOf({ submission, fates }: Judged, wanted: readonly WantedFrame[], reportMs: number): Receipt {
  const offered = new Map<string, Reported>();
  for (const { counted } of fates) if (counted.frameDigest) offered.set(counted.frameDigest, counted.fragment);
  return {
    session: submission.sessionId,
    seq: submission.seq,
    digest: submission.digest,
    fragments: fates.map(({ refused, counted: { at } }) =>
      refused !== undefined
        ? { fate: 'refused', counted: 0, reason: refused }
        : at.length === 0
          ? { fate: 'outside', counted: 0, reason: 'no attempt lies inside grant and membership' }
          : { fate: 'counted', counted: at.length },
    ),
    reportMs,
    wanted: wanted
      .filter(({ digest, cameraId }) => offered.get(digest)?.cameraId === cameraId)
      .map(({ cameraId, digest, reason }) => ({ cameraId, digest, reason })),
  };
}
