import { statement } from '../platform/database/queries.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { arraysOf, columnList, insertRows, overwrite, readList } from './bulk.ts';
import type { Columns } from './bulk.ts';
import type { Span } from './fold.ts';

/** A span as stored: its id stays the same when it is closed. */
export type StoredSpan = Span & { id: number };

export const SPAN_COLUMNS = {
  id: ['id', 'bigint'],
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

const lockOpen = statement(
  'results.lockOpenSpans',
  `select ${readList(SPAN_COLUMNS)} from open_spans where camera_id = any($1::bigint[])
   order by camera_id, token for update`,
);
// An open span without an id is new.
const NEW_ID = SPAN_COLUMNS.id[0];
const withIds = (sql: string): string => sql.replace(`r."${NEW_ID}"`, `coalesce(r."${NEW_ID}", nextval('span_ids'))`);
const closeSpans = statement('results.closeSpans', withIds(insertRows('observations', SPAN_COLUMNS)));
const writeOpen = statement(
  'results.writeOpenSpans',
  `${withIds(insertRows('open_spans', SPAN_COLUMNS))}
   on conflict (camera_id, token) do update set ${overwrite(SPAN_COLUMNS, 'camera_id', 'token')}`,
);
const dropOpen = statement(
  'results.dropOpenSpans',
  `delete from open_spans using json_to_recordset($1::json) as r("cameraId" bigint, token bigint)
   where open_spans.camera_id = r."cameraId" and open_spans.token = r.token`,
);

/** The open spans of these cameras, locked until the transaction ends. */
export const lockOpenSpans = (tx: Queryable, cameraIds: number[]): Promise<StoredSpan[]> =>
  tx.many<StoredSpan>(lockOpen, [cameraIds]);

export interface SpanChanges {
  closed: Span[];
  open: Span[];
  /** Closed, and no open one of the same camera and token follows. */
  ended: { cameraId: number; token: number }[];
}

export async function writeSpans(tx: Queryable, { closed, open, ended }: SpanChanges): Promise<void> {
  if (closed.length > 0) await tx.query(closeSpans, arraysOf(SPAN_COLUMNS, closed));
  if (ended.length > 0) await tx.query(dropOpen, [JSON.stringify(ended)]);
  if (open.length > 0) await tx.query(writeOpen, arraysOf(SPAN_COLUMNS, open));
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
