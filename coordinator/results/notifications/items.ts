import type { NoticeItem } from '../../../common/protocol/notifications.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import { incidentWords } from '../health/words.ts';
import { endWords, troubleWords } from './words.ts';

const EXAMPLES = 5;

type IncidentItem = Omit<NoticeItem, 'event' | 'reason'> & {
  kind: 'host' | 'source' | 'agent';
  state: NonNullable<NoticeItem['state']>;
  verdict: NonNullable<NoticeItem['verdict']>;
  finding: 'cameras' | 'agent' | null;
  confirmer: string | null;
  unconfirmed: boolean;
} & Record<string, unknown>;

// Of an incident that has ended all its cameras are meant, and how they are now.
const INCIDENTS = `
  select i.id, i.kind, coalesce(a.name, i.key) as name, i.state, i.verdict,
    case when n.ended_at is null then i.cameras else i.total end as cameras,
    ms_of_instant(i.opened_at) as since, ms_of_instant(n.ended_at) as until, u.finding, o.name as confirmer, i.unconfirmed,
    (select coalesce(jsonb_agg(e), '[]') from (
      select c.id, c.name from incident_cameras m join cameras c on c.id = m.camera_id
      where m.incident_id = i.id and (m.left_at is null or n.ended_at is not null)
      order by m.camera_id limit ${EXAMPLES}) e) as examples,
    case when n.ended_at is not null then (
      select coalesce(jsonb_object_agg(state, count), '{}') from (
        select coalesce(h.state, case c.lifecycle when 'active' then 'unknown' else c.lifecycle end) as state, count(*) as count
        from incident_cameras m join cameras c on c.id = m.camera_id left join camera_health h on h.camera_id = c.id
        where m.incident_id = i.id group by 1) s) end as now
  from notification_notices n join incidents i on i.id = n.incident_id
  left join agents a on i.kind = 'agent' and a.id::text = i.key
  left join agent_suspicions u on u.agent_id = a.id and i.closed_at is null left join agents o on o.id = u.confirmer
  where n.id = any($1::bigint[]) order by cameras desc, i.id limit $2`;

const TROUBLES = `
  select t.kind as event, t.id, t.name, ms_of_instant(t.opened_at) as since, ms_of_instant(n.ended_at) as until, t.heard
  from notification_notices n join fleet_troubles t on t.id = n.trouble_id
  where n.id = any($1::bigint[]) order by t.id limit $2`;

type TroubleItem = Pick<NoticeItem, 'id' | 'name' | 'since' | 'until'> & {
  event: 'agent_silent' | 'quota_full';
  heard: boolean | null;
} & Record<string, unknown>;

/** What these notices are about, as it stands now; troubles of the fleet first, then what has most cameras, `most` of each. */
export async function readItems(tx: Queryable, notices: readonly number[], most: number): Promise<NoticeItem[]> {
  if (notices.length === 0) return [];
  const troubles = await tx.many<TroubleItem>(TROUBLES, [notices, most]);
  const incidents = await tx.many<IncidentItem>(INCIDENTS, [notices, most]);
  return [...troubles.map(ofTrouble), ...incidents.map(ofIncident)].slice(0, most);
}

const ofTrouble = ({ heard, ...trouble }: TroubleItem): NoticeItem => ({
  ...trouble,
  ...{ kind: 'fleet', state: null, verdict: null, cameras: 0, examples: [], now: null },
  reason: troubleWords({ ...trouble, heard }),
});

function ofIncident({ finding, confirmer, unconfirmed, ...incident }: IncidentItem): NoticeItem {
  const item = { ...incident, event: 'incident' as const };
  const reason = item.until === null ? incidentWords({ ...item, finding, confirmer, unconfirmed }) : endWords(item);
  return { ...item, reason };
}
