import { OUTCOME } from '../../common/domain/fragment.ts';
import { statement } from '../platform/database/queries.ts';
import type { Queryable } from '../platform/database/queries.ts';
import type { Judged } from './judge.ts';

const insertWitness = statement(
  'results.insertWitness',
  `insert into counted_attempts (session_id, camera_id, sequence, token, frame, serial)
   select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[], $6::bigint[])`,
);

/** Records the id of every counted attempt, to be compared with what cameras saw: for tests only. */
export async function writeWitness(tx: Queryable, judged: readonly Judged[]): Promise<void> {
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
          ((outcomes[nth] ?? 0) & OUTCOME.frame) !== 0,
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
