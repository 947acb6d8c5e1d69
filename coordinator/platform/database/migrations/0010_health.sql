-- Health of cameras: states with their history, incidents, suspicions against agents, learned placeholder pictures.

-- The one place that says whether a camera is meant to be captured at a moment.
create function camera_is_paused(c cameras, at timestamptz) returns boolean
  language sql stable return c.lifecycle = 'paused';

create table incidents (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('agent', 'source', 'host')),
  -- Id of the agent, name of the source or of the host.
  key text not null,
  state text not null,
  -- Newest verdict of the camera that opened it.
  verdict text not null,
  opened_at timestamptz not null,
  closed_at timestamptz,
  -- Only where its cameras went on in another one.
  merged_into bigint references incidents,
  -- Cameras that are ill now, and that ever belonged to it.
  cameras integer not null default 0,
  total integer not null default 0,
  evidence_digest text,
  evidence_camera bigint,
  -- The picture shows the illness itself, not what the camera showed before.
  evidence_fits boolean not null default false,
  evidence_sought_at timestamptz
);
create unique index incidents_open on incidents (kind, key, state) where closed_at is null;
create index incidents_closed on incidents (id) where closed_at is not null;

-- One row a camera that was ever looked at. Rows of cameras that are as they were are not written.
create table camera_health (
  camera_id bigint primary key,
  state text not null,
  since timestamptz not null,
  -- The last samples, a letter each.
  recent text not null,
  turned_at timestamptz not null,
  seen_at timestamptz not null,
  -- A sample with this letter changes nothing.
  settled text,
  -- Not marked down, because the agent that found it so is suspected.
  held boolean not null default false,
  incident_id bigint references incidents
) with (fillfactor = 70);
create index camera_health_state on camera_health (state);
create index camera_health_incident on camera_health (incident_id) where incident_id is not null;

create table camera_timeline (
  camera_id bigint not null,
  state text not null,
  from_at timestamptz not null,
  until_at timestamptz,
  verdict text,
  id bigint generated always as identity,
  primary key (camera_id, id)
);
create unique index camera_timeline_open on camera_timeline (camera_id) where until_at is null;
create index camera_timeline_ended on camera_timeline (until_at) where until_at is not null;

create table incident_cameras (
  incident_id bigint not null references incidents,
  camera_id bigint not null,
  joined_at timestamptz not null,
  left_at timestamptz,
  primary key (incident_id, camera_id)
);
create index incident_cameras_camera on incident_cameras (camera_id);

-- What happened to a camera without making it ill: moved, another scene, perhaps a dirty lens.
create table camera_events (
  camera_id bigint not null,
  kind text not null check (kind in ('moved', 'scene', 'blurred')),
  at timestamptz not null,
  primary key (camera_id, at, kind)
);

create table agent_suspicions (
  agent_id uuid primary key references agents,
  since timestamptz not null,
  failing integer not null,
  tried integer not null,
  -- Who looks instead, at the cameras of which shard.
  shard_id integer,
  confirmer uuid references agents,
  asked_at timestamptz,
  -- `cameras`: they fail for the other agent too. `agent`: they do not.
  finding text check (finding in ('cameras', 'agent'))
);

-- A suspected agent keeps its shards and gets no more.
alter table agents add column suspected_at timestamptz;

create table placeholders (
  id bigint generated always as identity,
  hash text primary key,
  host text not null,
  cameras integer not null,
  first_seen_at timestamptz not null default clock_timestamp(),
  learned_at timestamptz,
  -- An operator says that it is none; it is not learned again.
  dismissed_at timestamptz
);
