import { arrayParameter } from '../platform/database/array-parameter.ts';
import { statement } from '../platform/database/queries.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { arraysOf, columnList, insertRows, recordset } from './bulk.ts';
import type { Columns } from './bulk.ts';
import type { Span } from './fold.ts';

/** A span as stored: its id stays the same when it is closed. */
export type StoredSpan = Span & { id: number };

/** A span that has a row already: its counters are what is to be added to it. */
export type OpenSpan = Span & { isStored: true };

const isStored = (span: Span | OpenSpan): boolean => 'isStored' in span;

const GROWN_COLUMNS = {
  camera_id: ['cameraId', 'bigint'],
  token: ['token', 'bigint'],
  verdict: ['verdict', 'text'],
  label: ['label', 'text'],
  model_version: ['modelVersion', 'text'],
  attempts: ['attempts', 'int'],
  frames: ['frames', 'int'],
  unchanged: ['unchanged', 'int'],
  classified: ['classified', 'int'],
  gated: ['gated', 'int'],
  audited: ['audited', 'int'],
  audit_differs: ['auditDiffers', 'int'],
  bytes: ['bytes', 'bigint'],
  first_at: ['firstAt', 'instant'],
  last_at: ['lastAt', 'instant'],
  scores: ['scores', 'jsonb'],
  evidence: ['evidence', 'jsonb'],
  frame_digest: ['frameDigest', 'text'],
} as const satisfies Columns;
export const SPAN_COLUMNS = { id: ['id', 'bigint'], ...GROWN_COLUMNS } as const satisfies Columns;

const readOpen = statement(
  'results.readOpenSpans',
  `select camera_id as "cameraId", token, verdict, label, model_version as "modelVersion",
     ms_of_instant(first_at) as "firstAt", ms_of_instant(last_at) as "lastAt"
   from open_spans where camera_id = any($1::bigint[])`,
);

const COUNTERS = [
  'attempts',
  'frames',
  'unchanged',
  'classified',
  'gated',
  'audited',
  'audit_differs',
  'bytes',
] as const;
const counters = (sql: (column: string, property: string) => string): string =>
  COUNTERS.map((column) => sql(column, SPAN_COLUMNS[column][0])).join(', ');

// A row that is gone meanwhile is made anew and has then what is added.
const growOpen = statement(
  'results.growOpenSpans',
  `${insertRows('open_spans as s', GROWN_COLUMNS)}
   on conflict (camera_id, token) do update set ${counters((column) => `${column} = s.${column} + excluded.${column}`)},
     first_at = least(s.first_at, excluded.first_at), last_at = greatest(s.last_at, excluded.last_at),
     scores = coalesce(excluded.scores, s.scores), evidence = excluded.evidence,
     frame_digest = coalesce(excluded.frame_digest, s.frame_digest)`,
);
const insertClosed = statement('results.insertClosedSpans', insertRows('observations', GROWN_COLUMNS));
// Joins: a plan that was kept from when the table was small would read all of it.
const CLOSE_OPEN = `
  with r as materialized (select * from ${recordset(GROWN_COLUMNS)}),
   gone as (delete from open_spans s using r where s.camera_id = r."cameraId" and s.token = r.token returning s.*)
   insert into observations (${columnList(SPAN_COLUMNS)})
   select coalesce(g.id, nextval('span_ids')), r."cameraId", r.token, r.verdict, r.label, r."modelVersion",
     ${counters((column, property) => `coalesce(g.${column}, 0) + r."${property}"`)},
     least(g.first_at, instant_of_ms(r."firstAt")), greatest(g.last_at, instant_of_ms(r."lastAt")),
     coalesce(r.scores::jsonb, g.scores), case when r.attempts = 0 then g.evidence else r.evidence::jsonb end,
     coalesce(r."frameDigest", g.frame_digest)
   from r left join gone g on g.camera_id = r."cameraId" and g.token = r.token where g.id is not null or r.attempts > 0`;
// Of another session, whose transaction may hold them: the next batch with the newer token comes by here again.
const END_OPEN = `
  with ended as materialized (
     select s.camera_id, s.token from unnest($1::bigint[], $2::bigint[]) as r (camera_id, token)
     join open_spans s on s.camera_id = r.camera_id and s.token = r.token for update of s skip locked),
   gone as (delete from open_spans s using ended e where s.camera_id = e.camera_id and s.token = e.token returning s.*)
   insert into observations (${columnList(SPAN_COLUMNS)}) select ${columnList(SPAN_COLUMNS)} from gone`;

/** The open spans of these cameras: what each is about and how long, with nothing counted. */
export async function readOpenSpans(tx: Queryable, cameraIds: number[]): Promise<OpenSpan[]> {
  const rows = await tx.many<OpenRow & Record<string, unknown>>(readOpen, [arrayParameter('bigint', cameraIds)]);
  return rows.map(nothingAdded);
}

type OpenRow = Pick<Span, 'cameraId' | 'token' | 'verdict' | 'label' | 'modelVersion' | 'firstAt' | 'lastAt'>;

/** Written out: spreading a row costs as much as reading it. */
const nothingAdded = (row: OpenRow): OpenSpan => ({
  cameraId: row.cameraId,
  token: row.token,
  verdict: row.verdict,
  label: row.label,
  modelVersion: row.modelVersion,
  attempts: 0,
  frames: 0,
  unchanged: 0,
  classified: 0,
  gated: 0,
  audited: 0,
  auditDiffers: 0,
  bytes: 0,
  firstAt: row.firstAt,
  lastAt: row.lastAt,
  scores: null,
  evidence: {},
  frameDigest: null,
  isStored: true,
});

export interface SpanChanges {
  closed: (Span | OpenSpan)[];
  open: (Span | OpenSpan)[];
  /** Of other sessions: over, because a newer token counts. */
  ended: { cameraId: number; token: number }[];
}

/**
 * Of stored spans only what was added to them is written. Each belongs to one session, whose lock the caller holds; those of
 * other sessions are ended last and without waiting, so that no two transactions wait for each other's spans.
 */
export async function writeSpans(tx: Queryable, { closed, open, ended }: SpanChanges): Promise<void> {
  const [stored, fresh] = [closed.filter(isStored), closed.filter((span) => !isStored(span))];
  if (fresh.length > 0) await tx.query(insertClosed, arraysOf(GROWN_COLUMNS, fresh));
  if (stored.length > 0) await tx.query(CLOSE_OPEN, arraysOf(GROWN_COLUMNS, stored));
  if (open.length > 0) await tx.query(growOpen, arraysOf(GROWN_COLUMNS, open));
  if (ended.length > 0) {
    await tx.query(END_OPEN, [
      arrayParameter(
        'bigint',
        ended.map(({ cameraId }) => cameraId),
      ),
      arrayParameter(
        'bigint',
        ended.map(({ token }) => token),
      ),
    ]);
  }
}

/** Closes spans that can grow no more because their UTC day is over. Returns how many. */
export async function closeOldSpans(tx: Queryable, before: number): Promise<number> {
  const { rowCount } = await tx.query(
    `with old as (
       delete from open_spans where (camera_id, token) in (
         select camera_id, token from open_spans where first_at < instant_of_ms($1) for update skip locked)
       returning ${columnList(SPAN_COLUMNS)})
     insert into observations (${columnList(SPAN_COLUMNS)}) select ${columnList(SPAN_COLUMNS)} from old`,
    [before],
  );
  return rowCount;
}
