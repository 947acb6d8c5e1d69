import { statement } from '../../platform/database/queries.ts';
import type { Queryable } from '../../platform/database/queries.ts';

// Agents that drain, and those that were revoked, are silent because somebody wanted it. After an outage of ours every agent
// first gets the chance to renew. One that was gone for a day already is no news.
const SILENT = `
  select a.id::text as key, a.name, s.last_renewed_at as since
  from agents a join agent_sessions s on s.agent_id = a.id and s.superseded_at is null cross join fleet_settings f
  where a.revoked_at is null and not (a.draining or s.draining)
    and greatest(s.last_renewed_at, f.renewals_work_since) < clock_timestamp() - $1 * interval '1 ms'`;
const OPEN_SILENT = statement(
  'troubles.silent',
  `insert into fleet_troubles (kind, key, name, opened_at)
   select 'agent_silent', key, name, since from (${SILENT}) silent where since > clock_timestamp() - interval '1 day'
   on conflict do nothing`,
);
const CLOSE_SILENT = statement(
  'troubles.heard',
  `update fleet_troubles t set closed_at = clock_timestamp(), heard = exists (
     select from agent_sessions s where s.agent_id::text = t.key and s.superseded_at is null and s.last_renewed_at > t.opened_at)
   where t.kind = 'agent_silent' and t.closed_at is null
     and not exists (select from (${SILENT}) silent where silent.key = t.key)`,
);
const OPEN_FULL = statement(
  'troubles.full',
  `insert into fleet_troubles (kind, opened_at) values ('quota_full', clock_timestamp()) on conflict do nothing`,
);
const CLOSE_FULL = statement(
  'troubles.room',
  `update fleet_troubles set closed_at = clock_timestamp() where kind = 'quota_full' and closed_at is null`,
);

/** Notes which agents are silent for so long (ms), and whether nothing new can be kept. */
export async function noteTroubles(
  tx: Queryable,
  { silentAfterMs, isFull }: { silentAfterMs: number; isFull: boolean },
): Promise<void> {
  await tx.query(CLOSE_SILENT, [silentAfterMs]);
  await tx.query(OPEN_SILENT, [silentAfterMs]);
  await tx.query(isFull ? OPEN_FULL : CLOSE_FULL);
}
