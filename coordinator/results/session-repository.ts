import type { Receipt } from '../../common/protocol/rest.ts';
import { statement } from '../platform/database/queries.ts';
import type { Queryable } from '../platform/database/queries.ts';

export interface BatchName {
  agentId: string;
  sessionId: string;
  seq: number;
  digest: string;
}

/** `mark`: the session's mark after the offer; the batch is new where it equals `seq` and there is no receipt. */
export interface Offered {
  mark: number;
  earlier?: { digest: string; receipt: Receipt };
}

export const keyOf = ({ agentId, sessionId }: { agentId: string; sessionId: string }): string =>
  `${agentId} ${sessionId}`;

const names = `json_to_recordset($1::json) as r("agentId" uuid, "sessionId" uuid, seq bigint, digest text, receipt jsonb)`;

// Locks the sessions in one order, so that groups of batches never wait for each other in a circle.
const offer = statement(
  'results.offerBatches',
  `insert into report_sessions as s (agent_id, session_id, mark, offered)
   select r."agentId", r."sessionId", case when r.seq = 1 then 1 else 0 end, r.seq from ${names} order by 1, 2
   on conflict (agent_id, session_id) do update set
     mark = case when s.mark = excluded.offered - 1 then excluded.offered else s.mark end, offered = excluded.offered
   returning agent_id as "agentId", session_id as "sessionId", mark`,
);
const findReceipts = statement(
  'results.findReceipts',
  `select b.agent_id as "agentId", b.session_id as "sessionId", b.digest, b.receipt from ${names}
   join batch_receipts b on b.agent_id = r."agentId" and b.session_id = r."sessionId" and b.seq = r.seq`,
);
const insertReceipts = statement(
  'results.insertReceipts',
  `insert into batch_receipts (agent_id, session_id, seq, digest, receipt)
   select r."agentId", r."sessionId", r.seq, r.digest, r.receipt from ${names}`,
);

/** Moves the marks of these sessions (each at most once) where the batch is the next one. Order of the result: the input's. */
export async function offerBatches(tx: Queryable, batches: readonly BatchName[]): Promise<Offered[]> {
  // A batch itself is large: only its name goes to the database.
  const json = JSON.stringify(batches.map(({ agentId, sessionId, seq }) => ({ agentId, sessionId, seq })));
  const marks = await tx.many<{ agentId: string; sessionId: string; mark: number }>(offer, [json]);
  // After the lock: a snapshot from before would miss the receipt of a twin that has just committed.
  const receipts = await tx.many<{ agentId: string; sessionId: string; digest: string; receipt: Receipt }>(
    findReceipts,
    [json],
  );
  const markOf = new Map(marks.map((row) => [keyOf(row), row.mark]));
  const receiptOf = new Map(receipts.map((row) => [keyOf(row), row]));
  return batches.map((batch) => {
    const earlier = receiptOf.get(keyOf(batch));
    return { mark: markOf.get(keyOf(batch)) ?? 0, ...(earlier && { earlier }) };
  });
}

export async function saveReceipts(tx: Queryable, rows: (BatchName & { receipt: Receipt })[]): Promise<void> {
  if (rows.length > 0) await tx.query(insertReceipts, [JSON.stringify(rows)]);
}

/**
 * Deletes receipts older than `maxAgeMs` or more than `keep` batches behind. Never that of a session's mark: without it the
 * last batch, delivered again, would look new.
 */
export async function deleteOldReceipts(db: Queryable, maxAgeMs: number, keep: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from batch_receipts b using report_sessions s
     where s.agent_id = b.agent_id and s.session_id = b.session_id and b.seq < s.mark
       and (b.at < clock_timestamp() - make_interval(secs => $1) or b.seq < s.mark - $2)`,
    [maxAgeMs / 1000, keep],
  );
  return rowCount;
}
