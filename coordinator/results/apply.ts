import { OUTCOME } from '../../common/domain/fragment.ts';
import type { Fragment } from '../../common/domain/fragment.ts';
import type { Batch, Receipt } from '../../common/protocol/rest.ts';
import { VERDICTS } from '../../common/domain/verdict.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { statement } from '../platform/database/queries.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { countFragment, fold } from './fold.ts';
import type { Counted, Span } from './fold.ts';
import { offerBatches, saveReceipts } from './session-repository.ts';
import type { Offered } from './session-repository.ts';
import { lockOpenSpans, writeSpans } from './span-repository.ts';
import { writeCameraNews } from './state-repository.ts';
import type { CameraNews } from './state-repository.ts';
import { chooseWanted } from './wants.ts';
import type { WantedFrame } from './wants.ts';
import { countedAt, stretchesOf } from './window.ts';
import type { GrantWindow, OpenStretch, WindowService } from './window.ts';

/** A batch that was parsed, with its sender and the digest of its bytes. */
export interface Submission {
  agentId: string;
  sessionId: string;
  seq: number;
  digest: string;
  batch: Batch;
}

export interface ApplyOptions {
  window: WindowService;
  reportMs: number;
  witness: boolean;
  /** Whether new pictures may be asked for. */
  keepsFrames: boolean;
  traffic: { sent: number; stored: number };
}

interface Fate {
  refused?: string;
  counted: Counted;
}
interface Judged {
  submission: Submission;
  fates: Fate[];
}
interface Windows {
  grants: ReadonlyMap<number, GrantWindow>;
  memberships: ReadonlyMap<string, readonly OpenStretch[]>;
  arrivedAt: number;
}

/**
 * Applies batches of different sessions in the caller's transaction. The result has a receipt or the reason for refusal for each,
 * in the same order. Locks in this order: sessions, grants, open spans, states.
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
  const wanted = options.keepsFrames ? await chooseWanted(tx, counted) : [];
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

async function readWindows(tx: Queryable, fresh: readonly Submission[], window: WindowService): Promise<Windows> {
  const fragments = fresh.flatMap(({ batch }) => batch.fragments);
  const tokens = [...new Set(fragments.map(({ token }) => token))];
  const { arrivedAt, windows: grants } = await window.lockWindows(tx, tokens);
  const pairs = new Map<string, { cameraId: number; shardId: number }>();
  for (const { cameraId, token } of fragments) {
    const grant = grants.get(token);
    if (grant) pairs.set(pairKey(cameraId, grant), { cameraId, shardId: grant.shardId });
  }
  return { grants, memberships: await window.membershipsOf(tx, [...pairs.values()]), arrivedAt };
}

const pairKey = (cameraId: number, { shardId }: GrantWindow): string => `${cameraId}/${shardId}`;

function judge(submission: Submission, windows: Windows): Judged {
  const { clockErrorMs, fragments } = submission.batch;
  const clock = { clockErrorMs, arrivedAt: windows.arrivedAt };
  const fates = fragments.map((fragment): Fate => {
    const grant = windows.grants.get(fragment.token);
    const refused = whyRefused(grant, submission);
    if (!grant || refused) return { refused: refused as string, counted: countFragment(fragment, () => undefined) };
    const stretches = stretchesOf(grant, windows.memberships.get(pairKey(fragment.cameraId, grant)) ?? []);
    return { counted: countFragment(fragment, (at) => countedAt(at, stretches, clock)) };
  });
  return { submission, fates };
}

function whyRefused(grant: GrantWindow | undefined, { agentId, sessionId }: Submission): string | undefined {
  if (!grant) return 'no grant has this token';
  if (grant.agentId !== agentId) return 'the token belongs to another agent';
  if (grant.sessionId !== sessionId) return 'the token belongs to another session';
  return undefined;
}

async function foldIntoSpans(tx: Queryable, counted: readonly Counted[]): Promise<void> {
  if (counted.length === 0) return;
  const key = ({ cameraId, token }: { cameraId: number; token: number }): string => `${cameraId} ${token}`;
  const newest = new Map<number, number>();
  for (const { fragment } of counted) {
    newest.set(fragment.cameraId, Math.max(fragment.token, newest.get(fragment.cameraId) ?? 0));
  }
  const open = new Map<string, Span>();
  for (const span of await lockOpenSpans(tx, [...newest.keys()])) open.set(key(span), span);
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
  const ended = [...open.values()].filter(({ cameraId, token }) => token < (newest.get(cameraId) ?? 0));
  for (const span of ended) open.delete(key(span));
  const growing = [...open.values()].filter((span) => touched.has(key(span)));
  await writeSpans(tx, { closed: [...closed, ...ended], open: growing, ended });
}

/** The newest of each camera. */
function newsOf(judged: readonly Judged[]): CameraNews[] {
  const news = new Map<number, CameraNews>();
  for (const { submission, fates } of judged) {
    for (const { counted } of fates) {
      const lastAttemptAt = counted.at.at(-1);
      if (lastAttemptAt === undefined) continue;
      const earlier = news.get(counted.fragment.cameraId);
      if (earlier && earlier.lastAttemptAt > lastAttemptAt) continue;
      news.set(counted.fragment.cameraId, newsFrom(counted, submission.agentId, earlier));
    }
  }
  return [...news.values()];
}

function newsFrom({ fragment, at, outcomes, frameDigest }: Counted, agentId: string, earlier?: CameraNews): CameraNews {
  const { verdict, label } = fragment;
  const lastFrame = outcomes.findLastIndex((outcome) => (outcome & OUTCOME.frame) !== 0);
  const good = VERDICTS[verdict].healthy ? at[lastFrame] : undefined;
  return {
    ...{ cameraId: fragment.cameraId, verdict, label, agentId, token: fragment.token, evidence: fragment.evidence },
    score: fragment.scores?.fused[0]?.score ?? null,
    modelVersion: fragment.modelVersion,
    since: earlier?.verdict === verdict && earlier.label === label ? earlier.since : (at[0] as number),
    lastAttemptAt: at.at(-1) as number,
    lastGoodAt: good ?? earlier?.lastGoodAt ?? null,
    frameDigest: frameDigest ?? earlier?.frameDigest ?? null,
    width: fragment.width ?? earlier?.width ?? null,
    height: fragment.height ?? earlier?.height ?? null,
    latencyMs: fragment.latencyMs ?? null,
    memory: fragment.memory,
  };
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

const insertWitness = statement(
  'results.insertWitness',
  `insert into counted_attempts (session_id, camera_id, sequence, token, frame, serial)
   select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[], $6::bigint[])`,
);

async function writeWitness(tx: Queryable, judged: readonly Judged[]): Promise<void> {
  const rows: [string, number, number, number, boolean, number | null][] = [];
  for (const { submission, fates } of judged) {
    for (const { counted } of fates) {
      const { fragment, indexes, outcomes } = counted;
      for (const [nth, index] of indexes.entries()) {
        const sequence = fragment.firstSequence + index;
        const serial = fragment.serials?.[index] ?? null;
        rows.push([
          submission.sessionId,
          fragment.cameraId,
          sequence,
          fragment.token,
          isFrame(outcomes[nth] ?? 0),
          serial,
        ]);
      }
    }
  }
  await tx.query(
    insertWitness,
    [0, 1, 2, 3, 4, 5].map((column) => rows.map((row) => row[column])),
  );
}

function receiptOf({ submission, fates }: Judged, wanted: readonly WantedFrame[], reportMs: number): Receipt {
  const offered = new Map<string, Fragment>();
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
