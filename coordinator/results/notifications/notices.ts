import { statement } from '../../platform/database/queries.ts';
import type { Queryable } from '../../platform/database/queries.ts';

// After an outage there are as many rows as incidents times rules, and the planner knows nothing of them yet: `not in` is looked
// up in a hash whatever it believes. Cameras come last; what no rule cares about is looked at again with every pass.
const NOTE_INCIDENTS = statement(
  'notices.incidents',
  `with fresh as materialized (
     select r.id as rule_id, i.id as incident_id from notification_rules r cross join incidents i
     where i.closed_at is null and i.cameras > 0 and 'incident' = any(r.events)
       and (r.kinds is null or i.kind = any(r.kinds)) and (r.states is null or i.state = any(r.states))
       and (r.verdicts is null or i.verdict = any(r.verdicts))
       and (r.id, i.id) not in (select rule_id, incident_id from notification_notices where incident_id is not null)
   )
   insert into notification_notices (rule_id, incident_id)
   select r.id, f.incident_id from fresh f join notification_rules r on r.id = f.rule_id
   where coalesce(r.sources, r.countries, r.regions, r.tags) is null or exists (
     select from incident_cameras m join cameras c on c.id = m.camera_id
     where m.incident_id = f.incident_id and m.left_at is null
       and (r.sources is null or c.source = any(r.sources)) and (r.countries is null or c.country = any(r.countries))
       and (r.regions is null or c.region = any(r.regions)) and (r.tags is null or c.tags && r.tags))
   on conflict do nothing`,
);
const NOTE_TROUBLES = statement(
  'notices.troubles',
  `insert into notification_notices (rule_id, trouble_id)
   select r.id, t.id from notification_rules r join fleet_troubles t on t.kind = any(r.events)
   where t.closed_at is null and not exists (
     select from notification_notices n where n.rule_id = r.id and n.trouble_id = t.id)
   on conflict do nothing`,
);
// What was not told yet ends with its own incident: where that went on in another one, the other one is told.
const NOTE_ENDS = statement(
  'notices.ends',
  `update notification_notices n set ended_at = e.at
   from (
     select n.id, case n.state when 'told' then incident_end(i.id) else i.closed_at end as at
     from notification_notices n join incidents i on i.id = n.incident_id
     where n.state <> 'over' and n.ended_at is null and i.closed_at is not null
     union all
     select n.id, t.closed_at from notification_notices n join fleet_troubles t on t.id = n.trouble_id
     where n.state <> 'over' and n.ended_at is null and t.closed_at is not null
   ) e where e.id = n.id and e.at is not null`,
);
const NOTE_DUE = statement(
  'notices.due',
  `update notification_notices n set due_at = clock_timestamp()
   from notification_rules r
   where r.id = n.rule_id and n.state = 'waiting' and n.due_at is null and n.ended_at is null
     and clock_timestamp() - r.minimum_ms * interval '1 ms' >= coalesce(
       (select opened_at from incidents i where i.id = n.incident_id),
       (select opened_at from fleet_troubles t where t.id = n.trouble_id))`,
);
const FORGET_SHORT = statement(
  'notices.short',
  `update notification_notices set state = 'over' where state = 'waiting' and due_at is null and ended_at is not null`,
);
// Nobody was told of the beginning where every delivery was given up, and nobody wants the end.
const FORGET_ENDS = statement(
  'notices.forget',
  `update notification_notices n set state = 'over' from notification_rules r
   where r.id = n.rule_id and n.state = 'told' and n.ended_at is not null and (not r.recovery or not exists (
     select from notification_deliveries d where d.message_id = n.told_in and d.state <> 'failed'))`,
);

/** Brings the notices of all rules into line with incidents and troubles. */
export async function noteNews(tx: Queryable): Promise<void> {
  for (const step of [NOTE_INCIDENTS, NOTE_TROUBLES, NOTE_ENDS, NOTE_DUE, FORGET_SHORT, FORGET_ENDS])
    await tx.query(step);
}

/** A rule that has something to tell. Instants are ms. */
export interface Pending extends Record<string, unknown> {
  ruleId: number;
  rule: string;
  windowMs: number;
  perHour: number;
  hours: string | null;
  timeZone: string;
  /** When the first of it was due. */
  since: number;
  /** Messages in the last hour. */
  sent: number;
  now: number;
}

const PENDING = statement(
  'notices.pending',
  `select r.id as "ruleId", r.name as rule, r.window_ms as "windowMs", r.per_hour as "perHour", r.hours,
     r.time_zone as "timeZone", ms_of_instant(n.since) as since, ms_of_instant(clock_timestamp()) as now,
     (select count(*)::int from notification_messages m
       where m.rule_id = r.id and m.created_at > clock_timestamp() - interval '1 hour') as sent
   from notification_rules r join (
     select rule_id, min(case state when 'waiting' then due_at else ended_at end) as since
     from notification_notices
     where (state = 'waiting' and due_at is not null and ended_at is null) or (state = 'told' and ended_at is not null)
     group by rule_id) n on n.rule_id = r.id`,
);

export const readPending = (db: Queryable): Promise<Pending[]> => db.many<Pending>(PENDING);

/** The notices of a rule that go into its next message. */
export interface Told {
  began: number[];
  ended: number[];
  passed: number[];
}

/** Marks what is told now, and gives it. The message's row must be there. */
export async function takeNotices(tx: Queryable, ruleId: number, messageId: number): Promise<Told> {
  const taken = await tx.many<{ id: number; what: keyof Told }>(
    `with taken as (
       select id, case when state = 'told' then 'ended' when ended_at is null then 'began' else 'passed' end as what
       from notification_notices
       where rule_id = $1 and ((state = 'waiting' and due_at is not null) or (state = 'told' and ended_at is not null))
     )
     update notification_notices n set state = case taken.what when 'began' then 'told' else 'over' end,
       told_in = case taken.what when 'began' then $2 else n.told_in end
     from taken where taken.id = n.id returning n.id, taken.what`,
    [ruleId, messageId],
  );
  const idsOf = (wanted: keyof Told): number[] => taken.filter(({ what }) => what === wanted).map(({ id }) => id);
  return { began: idsOf('began'), ended: idsOf('ended'), passed: idsOf('passed') };
}

const before = 'clock_timestamp() - make_interval(days => $1)';

/** Forgets what was told longer ago than results are kept. */
export async function pruneNotices(db: Queryable, days: number): Promise<void> {
  await db.query(`delete from notification_messages where created_at < ${before}`, [days]);
  // Those of incidents go with their incidents: as long as one is there, nobody must be told of it again.
  await db.query(`delete from fleet_troubles where closed_at < ${before}`, [days]);
}
