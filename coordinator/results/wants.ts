import { OUTCOME } from '../../common/domain/fragment.ts';
import type { KeepReason, Scores } from '../../common/domain/fragment.ts';
import { VERDICTS } from '../../common/domain/verdict.ts';
import type { Verdict } from '../../common/domain/verdict.ts';
import { statement } from '../platform/database/queries.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { arraysOf, insertRows, overwrite } from './bulk.ts';
import type { Columns } from './bulk.ts';
import { dayOf } from './fold.ts';
import type { Counted } from './fold.ts';

/** What was kept of a camera so far. Instants are ms. */
export interface Keeps {
  verdicts: string[];
  labels: string[];
  dailyAt: number | null;
  doubtfulAt: number | null;
  auditAt: number | null;
  /** Of good frames: when the first and the last one were fetched. */
  firstAt: number | null;
  lastAt: number | null;
  /** When somebody last asked for a fresh picture, and when it came. */
  askedAt: number | null;
  cameAt: number | null;
}

export interface WantedFrame {
  digest: string;
  cameraId: number;
  at: number;
  reason: KeepReason;
  verdict: Verdict;
  label: string | null;
  modelVersion: string | null;
  scores: Scores | null;
  /** What the camera claims to show. */
  sceneLabel: string | null;
}

/** A top score below one half: something else is as likely. */
const DOUBTFUL_SCORE = 0.5;
/** A camera that is in doubt all day would fill the store with the same doubt. */
const AGAIN_AFTER_MS = 3_600_000;
/** A picture asked for and not sent by then was dropped by its agent. */
const ASKED_FOR_MS = 600_000;

const NOTHING: Keeps = {
  ...{ verdicts: [], labels: [], dailyAt: null, doubtfulAt: null, auditAt: null },
  ...{ firstAt: null, lastAt: null, askedAt: null, cameAt: null },
};

/**
 * Why the fragment's picture is worth keeping, the most remarkable reason first; `undefined` where it is not. `sampleMs`: least
 * time between two regular samples of a camera, ms; 0 takes none.
 */
export function reasonToKeep(counted: Counted, keeps: Keeps = NOTHING, sampleMs = 0): KeepReason | undefined {
  const { fragment, outcomes } = counted;
  const at = counted.at.at(-1);
  if (counted.frameDigest === null || at === undefined || !VERDICTS[fragment.verdict].yieldsFrame) return undefined;
  if (isAsked(at, fragment.verdict, keeps)) return 'asked';
  if (!keeps.verdicts.includes(fragment.verdict)) return 'verdict';
  if (fragment.label !== null && !keeps.labels.includes(fragment.label)) return 'label';
  const isDue = (last: number | null): boolean => last === null || at - last >= AGAIN_AFTER_MS;
  // Only a decision of its own can be in doubt; what repeats a frame repeats its doubt too.
  const decided = outcomes.some((outcome) => (outcome & OUTCOME.classified) !== 0);
  const top = fragment.scores?.fused[0]?.score;
  if (decided && top !== undefined && top < DOUBTFUL_SCORE && isDue(keeps.doubtfulAt)) return 'doubtful';
  if (outcomes.some((outcome) => (outcome & OUTCOME.auditDiffers) !== 0)) return 'audit';
  if (outcomes.some((outcome) => (outcome & OUTCOME.audited) !== 0) && isDue(keeps.auditAt)) return 'audit';
  if (keeps.dailyAt === null || dayOf(keeps.dailyAt) < dayOf(at)) return 'daily';
  // A picture that repeats another is no further sample, and most cameras repeat theirs most of the time.
  const isNew = outcomes.some((outcome) => (outcome & OUTCOME.frame) !== 0 && (outcome & OUTCOME.unchanged) === 0);
  return isNew && fragment.verdict === 'good' && isSampleDue(at, keeps, sampleMs) ? 'sample' : undefined;
}

function isAsked(at: number, verdict: Verdict, { askedAt, cameAt, lastAt }: Keeps): boolean {
  if (verdict !== 'good' || askedAt === null || at < askedAt) return false;
  return Math.max(cameAt ?? 0, lastAt ?? 0) < askedAt;
}

/** Each pause is as long as the time covered so far: few pictures, spread over whatever time there is. */
function isSampleDue(at: number, { firstAt, lastAt }: Keeps, sampleMs: number): boolean {
  if (sampleMs === 0 || firstAt === null || lastAt === null) return false;
  return at - lastAt >= Math.max(sampleMs, lastAt - firstAt);
}

export const FRAME_COLUMNS = {
  digest: ['digest', 'text'],
  camera_id: ['cameraId', 'bigint'],
  at: ['at', 'instant'],
  reason: ['reason', 'text'],
  verdict: ['verdict', 'text'],
  label: ['label', 'text'],
  model_version: ['modelVersion', 'text'],
  scores: ['scores', 'jsonb'],
} as const satisfies Columns;
export const WANTED_COLUMNS = { ...FRAME_COLUMNS, scene_label: ['sceneLabel', 'text'] } as const satisfies Columns;

const keepsOf = statement(
  'results.keepsOf',
  `select camera_id as "cameraId", verdicts, labels, ms_of_instant(daily_at) as "dailyAt",
     ms_of_instant(doubtful_at) as "doubtfulAt", ms_of_instant(audit_at) as "auditAt",
     ms_of_instant(first_at) as "firstAt", ms_of_instant(last_at) as "lastAt",
     ms_of_instant(asked_at) as "askedAt", ms_of_instant(came_at) as "cameAt"
   from camera_keeps where camera_id = any($1::bigint[])`,
);
const alreadyAsked = statement(
  'results.alreadyAsked',
  `select digest, null::bigint as "cameraId", null as reason from frames where digest = any($1)
   union all
   select digest, camera_id, reason from frames_wanted where camera_id = any($2::bigint[])
     and asked_at > clock_timestamp() - make_interval(secs => ${ASKED_FOR_MS / 1000})`,
);
const saveWanted = statement(
  'results.saveWanted',
  `${insertRows('frames_wanted', WANTED_COLUMNS)} order by 1
   on conflict (digest) do update set ${overwrite(WANTED_COLUMNS, 'digest')}, asked_at = clock_timestamp()`,
);

/**
 * Chooses and records the pictures to ask for: none that is there already, and of one camera none for a reason for which
 * another was asked just now.
 */
export async function chooseWanted(
  tx: Queryable,
  counted: readonly Counted[],
  sampleMs: number,
): Promise<WantedFrame[]> {
  const pictures = counted.filter(({ frameDigest }) => frameDigest !== null);
  if (pictures.length === 0) return [];
  const ids = [...new Set(pictures.map(({ fragment }) => fragment.cameraId))];
  const rows = await tx.many<Keeps & { cameraId: number }>(keepsOf, [ids]);
  const keeps = new Map(rows.map((row) => [row.cameraId, row]));
  const candidates = pictures.flatMap((picture) => {
    const reason = reasonToKeep(picture, keeps.get(picture.fragment.cameraId), sampleMs);
    return reason === undefined ? [] : [wantedOf(picture, reason)];
  });
  if (candidates.length === 0) return [];
  const asked = await tx.many<{ digest: string; cameraId: number | null; reason: string | null }>(alreadyAsked, [
    candidates.map(({ digest }) => digest),
    [...new Set(candidates.map(({ cameraId }) => cameraId))],
  ]);
  await noteKnown(tx, candidates, asked);
  const taken = new Set(asked.map(({ digest }) => digest));
  const pending = new Set(asked.map(({ cameraId, reason }) => `${cameraId} ${reason}`));
  const wanted: WantedFrame[] = [];
  for (const candidate of candidates) {
    const purpose = `${candidate.cameraId} ${candidate.reason}`;
    if (taken.has(candidate.digest) || pending.has(purpose)) continue;
    taken.add(candidate.digest);
    pending.add(purpose);
    wanted.push(candidate);
  }
  if (wanted.length > 0) await tx.query(saveWanted, arraysOf(WANTED_COLUMNS, wanted));
  return wanted;
}

function wantedOf({ fragment, frameDigest, at }: Counted, reason: KeepReason): WantedFrame {
  const { cameraId, verdict, label, modelVersion, scores, sceneLabel = null } = fragment;
  const last = at.at(-1) as number;
  return {
    digest: frameDigest as string,
    cameraId,
    at: last,
    reason,
    verdict,
    label,
    modelVersion,
    scores,
    sceneLabel,
  };
}

/** A picture that was asked for and turns out to be one that is kept already has come, too. */
async function noteKnown(
  tx: Queryable,
  candidates: readonly WantedFrame[],
  asked: readonly { digest: string; cameraId: number | null }[],
): Promise<void> {
  const kept = new Set(asked.filter(({ cameraId }) => cameraId === null).map(({ digest }) => digest));
  for (const { cameraId, digest, at } of candidates.filter(
    ({ reason, digest }) => reason === 'asked' && kept.has(digest),
  )) {
    await tx.query('update camera_keeps set came_at = instant_of_ms($2), came_digest = $3 where camera_id = $1', [
      cameraId,
      at,
      digest,
    ]);
  }
}

const noteKept = statement(
  'results.noteKept',
  `insert into camera_keeps as k (camera_id, verdicts, labels, daily_at, doubtful_at, audit_at, first_at, last_at, came_at, came_digest)
   values ($1, array[$2], case when $3::text is null then '{}'::text[] else array[$3::text] end, instant_of_ms($4),
     case when $5 = 'doubtful' then instant_of_ms($4) end, case when $5 = 'audit' then instant_of_ms($4) end,
     case when $2 = 'good' then instant_of_ms($4) end, case when $2 = 'good' then instant_of_ms($4) end,
     case when $5 = 'asked' then instant_of_ms($4) end, case when $5 = 'asked' then $6 end)
   on conflict (camera_id) do update set
     verdicts = case when k.verdicts @> excluded.verdicts then k.verdicts else k.verdicts || excluded.verdicts end,
     labels = case when k.labels @> excluded.labels then k.labels else k.labels || excluded.labels end,
     daily_at = greatest(k.daily_at, excluded.daily_at),
     doubtful_at = greatest(k.doubtful_at, excluded.doubtful_at),
     audit_at = greatest(k.audit_at, excluded.audit_at),
     first_at = least(k.first_at, excluded.first_at), last_at = greatest(k.last_at, excluded.last_at),
     came_at = greatest(k.came_at, excluded.came_at), came_digest = coalesce(excluded.came_digest, k.came_digest)`,
);

/** Any kept picture is also the one of its day. */
export async function noteKeptFrame(tx: Queryable, frame: WantedFrame): Promise<void> {
  await tx.query(noteKept, [frame.cameraId, frame.verdict, frame.label, frame.at, frame.reason, frame.digest]);
}

/** Forgets wishes that no agent fulfilled; the next picture with the same reason is asked for. */
export async function forgetUnfulfilled(db: Queryable): Promise<number> {
  const secs = (2 * ASKED_FOR_MS) / 1000;
  const old = 'delete from frames_wanted where asked_at < clock_timestamp() - make_interval(secs => $1)';
  return (await db.query(old, [secs])).rowCount;
}
