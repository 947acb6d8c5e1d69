-- Agents, shards and grants. Every boundary of a grant or membership is a whole millisecond that lies just after the moment at
-- which its row lock was got (fleet_instant), so that no millisecond belongs to two owners.
create sequence fencing_tokens as bigint;

create function fleet_instant() returns timestamptz language sql volatile
  as $$ select date_trunc('milliseconds', clock_timestamp()) + interval '1 millisecond' $$;

create table fleet_settings (
  only_row boolean primary key default true check (only_row),
  -- Rises when a database was restored from a backup; tokens of incarnation n lie in [n * 2^40, (n + 1) * 2^40).
  incarnation integer not null default 0,
  renewals_work_since timestamptz not null default clock_timestamp(),
  -- Heartbeat of the coordinators; a gap means that renewals could not work.
  alive_at timestamptz not null default clock_timestamp(),
  -- Rises whenever somebody wants a new plan.
  plan_request bigint not null default 1,
  stretch_factor float8 not null default 1,
  stretch_below smallint not null default 0,
  -- Figures of the last plan, for status.
  plan jsonb not null default '{}',
  nonce_secret text
);
insert into fleet_settings default values;

create table invitations (
  id integer generated always as identity primary key,
  code_hash text not null unique,
  uses_left integer not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null
);

create table agents (
  id uuid primary key,
  name text not null,
  public_key text not null unique,
  invitation_id integer references invitations,
  joined_at timestamptz not null default clock_timestamp(),
  cordoned boolean not null default false,
  draining boolean not null default false,
  revoked_at timestamptz,
  version text,
  capacity float8 not null default 0,
  latitude float8,
  longitude float8,
  probe jsonb not null default '[]'
);

create table agent_sessions (
  id uuid primary key,
  agent_id uuid not null references agents,
  started_at timestamptz not null default clock_timestamp(),
  superseded_at timestamptz,
  -- The key before the newest stays good: a request may be under way while the agent reconnects.
  key_hash text,
  previous_key_hash text,
  last_renewed_at timestamptz not null default clock_timestamp(),
  draining boolean not null default false,
  -- An agent that hands shards back is offered none before this moment.
  refuses_until timestamptz,
  -- When it last asked for work and was told to wait because too many others were accepting theirs.
  turned_away_at timestamptz,
  rate float8 not null default 0,
  late integer not null default 0,
  outbox_batches integer not null default 0,
  model_version text
);
create unique index agent_sessions_current on agent_sessions (agent_id) where superseded_at is null;
create index agent_sessions_key on agent_sessions (key_hash) where superseded_at is null;
create index agent_sessions_previous_key on agent_sessions (previous_key_hash) where superseded_at is null;

create table used_nonces (
  nonce text primary key,
  used_at timestamptz not null default clock_timestamp()
);

create table shards (
  id integer generated always as identity primary key,
  revision bigint not null default 1,
  target_agent uuid references agents,
  targeted_at timestamptz not null default clock_timestamp(),
  -- The target was chosen because the holder fell silent; void when the holder is heard again.
  takeover boolean not null default false,
  cameras integer not null default 0,
  load float8 not null default 0,
  retired_at timestamptz
);
create index shards_by_target on shards (target_agent) where retired_at is null;

create table grants (
  token bigint primary key default nextval('fencing_tokens'),
  shard_id integer not null references shards,
  agent_id uuid not null references agents,
  session_id uuid not null references agent_sessions,
  offer_id uuid not null unique,
  from_at timestamptz not null,
  until_at timestamptz,
  end_reason text check (end_reason in ('taken', 'released', 'revoked', 'superseded')),
  acknowledged_revision bigint not null
);
create unique index grants_open on grants (shard_id) where until_at is null;
create index grants_of_session on grants (session_id) where until_at is null;
create index grants_ended on grants (until_at) where until_at is not null;

create table offers (
  shard_id integer primary key references shards,
  offer_id uuid not null unique,
  session_id uuid not null references agent_sessions,
  reason text not null check (reason in ('free', 'takeover', 'handover')),
  lapses_at timestamptz not null
);

create table memberships (
  camera_id integer not null,
  shard_id integer not null references shards,
  host text not null,
  from_at timestamptz not null,
  until_at timestamptz
);
create unique index memberships_open on memberships (camera_id) where until_at is null;
create index memberships_of_shard on memberships (shard_id) where until_at is null;
create index memberships_of_host on memberships (host) where until_at is null;
create index memberships_history on memberships (camera_id, shard_id);
create index memberships_ended on memberships (until_at) where until_at is not null;

-- Where a camera shall go as soon as the holder of that shard acknowledges it.
create table moves (
  camera_id integer primary key,
  to_shard integer not null references shards,
  host text not null,
  -- Revision of the receiving shard that announces it.
  revision bigint not null
);
create index moves_to_shard on moves (to_shard);

-- Newest revision in which a camera of a shard came, changed or went.
create table shard_changes (
  shard_id integer not null references shards,
  camera_id integer not null,
  revision bigint not null,
  primary key (shard_id, camera_id)
);
create index shard_changes_since on shard_changes (shard_id, revision);
