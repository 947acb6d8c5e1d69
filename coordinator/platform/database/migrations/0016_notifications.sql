-- Notifications: where to, about what, and what became of every message.

create table notification_channels (
  id integer generated always as identity primary key,
  name text not null unique,
  kind text not null,
  settings jsonb not null,
  -- Sealed, bound to the name.
  secrets bytea not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp()
);

create table notification_rules (
  id integer generated always as identity primary key,
  name text not null unique,
  events text[] not null,
  -- Which incidents; null is any. The last four: one of its ill cameras is so.
  kinds text[],
  states text[],
  verdicts text[],
  sources text[],
  countries text[],
  regions text[],
  tags text[],
  minimum_ms integer not null,
  window_ms integer not null,
  per_hour integer not null,
  -- Outside of them it waits.
  hours text,
  time_zone text not null,
  recovery boolean not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp()
);

create table notification_rule_channels (
  rule_id integer not null references notification_rules on delete cascade,
  channel_id integer not null references notification_channels,
  primary key (rule_id, channel_id)
);

-- What is wrong with the fleet itself, for as long as it is so.
create table fleet_troubles (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('agent_silent', 'quota_full')),
  -- Id of the agent.
  key text not null default '',
  name text not null default '',
  opened_at timestamptz not null,
  closed_at timestamptz,
  -- An agent that is silent no more was heard, or nobody waits for it any more.
  heard boolean
);
create unique index fleet_troubles_open on fleet_troubles (kind, key) where closed_at is null;

create table notification_messages (
  id bigint generated always as identity primary key,
  rule_id integer references notification_rules on delete set null,
  rule_name text not null,
  content jsonb not null,
  created_at timestamptz not null default clock_timestamp()
);
create index notification_messages_of_rule on notification_messages (rule_id, created_at);

create table notification_deliveries (
  id bigint generated always as identity primary key,
  message_id bigint not null references notification_messages on delete cascade,
  channel_id integer references notification_channels on delete set null,
  channel_name text not null,
  state text not null default 'waiting' check (state in ('waiting', 'delivered', 'failed')),
  attempts integer not null default 0,
  next_at timestamptz not null default clock_timestamp(),
  -- A job has it until then; afterwards it died.
  taken_until timestamptz,
  -- What the server said last.
  answer text,
  tried_at timestamptz,
  finished_at timestamptz
);
create index notification_deliveries_waiting on notification_deliveries (channel_id, id) where state = 'waiting';
create index notification_deliveries_of_message on notification_deliveries (message_id);

-- What a rule is about at the moment, one row a rule and happening.
create table notification_notices (
  id bigint generated always as identity primary key,
  rule_id integer not null references notification_rules on delete cascade,
  incident_id bigint references incidents on delete cascade,
  trouble_id bigint references fleet_troubles on delete cascade,
  -- waiting: not told yet. told: its beginning was. over: there is nothing more to tell.
  state text not null default 'waiting' check (state in ('waiting', 'told', 'over')),
  -- When it had lasted long enough to be told.
  due_at timestamptz,
  ended_at timestamptz,
  told_in bigint references notification_messages on delete set null,
  check (num_nonnulls(incident_id, trouble_id) = 1),
  unique (rule_id, incident_id),
  unique (rule_id, trouble_id)
);
create index notification_notices_pending on notification_notices (rule_id) where state <> 'over';
create index notification_notices_incident on notification_notices (incident_id);
create index notification_notices_trouble on notification_notices (trouble_id);

-- Where cameras went on in another incident, theirs ends with that one.
create function incident_end(incident bigint) returns timestamptz language sql stable as $$
  with recursive chain as (
    select i.id, i.merged_into, i.closed_at, 1 as step from incidents i where i.id = incident
    union all
    select i.id, i.merged_into, i.closed_at, chain.step + 1 from chain join incidents i on i.id = chain.merged_into
    where chain.step < 8
  )
  select closed_at from chain order by step desc limit 1
$$;
