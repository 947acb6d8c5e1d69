import type { CameraMemory } from '../../common/domain/fragment.ts';
import type { Evidence, Verdict } from '../../common/domain/verdict.ts';
import { statement } from '../platform/database/queries.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { arraysOf, columnList, overwrite, readList, recordset, valueList } from './bulk.ts';
import type { Columns } from './bulk.ts';

/** How a camera is now. Instants are ms of the database's clock. */
export interface CameraState {
  cameraId: number;
  verdict: Verdict;
  label: string | null;
  score: number | null;
  modelVersion: string | null;
  /** Since when verdict and label are the same. */
  since: number;
  lastAttemptAt: number;
  lastGoodAt: number | null;
  frameDigest: string | null;
  width: number | null;
  height: number | null;
  latencyMs: number | null;
  evidence: Evidence;
  agentId: string;
  token: number;
}

const STATE_COLUMNS = {
  camera_id: ['cameraId', 'bigint'],
  verdict: ['verdict', 'text'],
  label: ['label', 'text'],
  score: ['score', 'real'],
  model_version: ['modelVersion', 'text'],
  since: ['since', 'instant'],
  last_attempt_at: ['lastAttemptAt', 'instant'],
  last_good_at: ['lastGoodAt', 'instant'],
  frame_digest: ['frameDigest', 'text'],
  width: ['width', 'int'],
  height: ['height', 'int'],
  latency_ms: ['latencyMs', 'real'],
  evidence: ['evidence', 'jsonb'],
  agent_id: ['agentId', 'uuid'],
  token: ['token', 'bigint'],
} as const satisfies Columns;

// What lies further back than what was seen changes nothing; a picture stays until a newer one comes.
const WRITE_STATES = `
  insert into camera_state as s (${columnList(STATE_COLUMNS)})
  select ${valueList(STATE_COLUMNS)} from r order by 1
  on conflict (camera_id) do update set
    ${overwrite(STATE_COLUMNS, 'camera_id', 'since', 'last_good_at', 'frame_digest', 'width', 'height')},
    since = case when s.verdict = excluded.verdict and s.label is not distinct from excluded.label
      then s.since else excluded.since end,
    last_good_at = greatest(s.last_good_at, excluded.last_good_at),
    frame_digest = coalesce(excluded.frame_digest, s.frame_digest),
    width = coalesce(excluded.width, s.width),
    height = coalesce(excluded.height, s.height),
    changed_at = clock_timestamp()
  where excluded.last_attempt_at >= s.last_attempt_at`;

const MEMORY_COLUMNS = {
  camera_id: ['cameraId', 'bigint'],
  last_attempt_at: ['lastAttemptAt', 'instant'],
  // Only agents look inside.
  memory: ['memory', 'text'],
} as const satisfies Columns;
const NEWS_COLUMNS = { ...STATE_COLUMNS, memory: MEMORY_COLUMNS.memory } as const satisfies Columns;

// One statement for both: the same cameras, locked in the same order.
const writeNews = statement(
  'results.writeNews',
  `with r as materialized (select * from ${recordset(NEWS_COLUMNS)}), states as (${WRITE_STATES})
   insert into camera_memories as s (${columnList(MEMORY_COLUMNS)}) select ${valueList(MEMORY_COLUMNS)} from r order by 1
   on conflict (camera_id) do update set ${overwrite(MEMORY_COLUMNS, 'camera_id')}
   where excluded.last_attempt_at >= s.last_attempt_at`,
);

export type CameraNews = CameraState & { memory: string };

/** At most one row a camera. */
export async function writeCameraNews(tx: Queryable, news: CameraNews[]): Promise<void> {
  if (news.length > 0) await tx.query(writeNews, arraysOf(NEWS_COLUMNS, news));
}

export async function readMemories(db: Queryable, cameraIds: number[]): Promise<Map<number, CameraMemory>> {
  const rows = await db.many<{ cameraId: number; memory: string }>(
    `select camera_id as "cameraId", memory from camera_memories where camera_id = any($1::bigint[])`,
    [cameraIds],
  );
  return new Map(rows.map(({ cameraId, memory }) => [cameraId, JSON.parse(memory) as CameraMemory]));
}

export const readStates = (db: Queryable, cameraIds: number[]): Promise<CameraState[]> =>
  db.many<CameraState>(`select ${readList(STATE_COLUMNS)} from camera_state where camera_id = any($1::bigint[])`, [
    cameraIds,
  ]);
