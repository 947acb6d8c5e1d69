-- Results: what agents report, folded into spans; the state of every camera; frames kept.
create function instant_of_ms(ms double precision) returns timestamptz
  language sql immutable strict parallel safe return to_timestamp(ms / 1000);
create function ms_of_instant(instant timestamptz) returns bigint
  language sql immutable strict parallel safe return round(extract(epoch from instant) * 1000)::bigint;

-- How far each session's batches are applied. Keyed by agent too: nobody can move the mark of somebody else's session.
create table report_sessions (
  agent_id uuid not null,
  session_id uuid not null,
  mark bigint not null,
  -- The number that came last; lets one statement decide whether it moves the mark.
  offered bigint not null,
  primary key (agent_id, session_id)
) with (fillfactor = 50);

create table batch_receipts (
  agent_id uuid not null,
  session_id uuid not null,
  seq bigint not null,
  digest text not null,
  receipt jsonb not null,
  at timestamptz not null default clock_timestamp(),
  primary key (agent_id, session_id, seq)
);
create index batch_receipts_at on batch_receipts using brin (at);

create sequence span_ids;

-- One span per (camera, token) that may still grow.
create table open_spans (
  id bigint not null default nextval('span_ids'),
  camera_id bigint not null,
  token bigint not null,
  verdict text not null,
  label text,
  model_version text,
  attempts integer not null,
  frames integer not null,
  unchanged integer not null,
  classified integer not null,
  gated integer not null,
  audited integer not null,
  audit_differs integer not null,
  bytes bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  scores jsonb,
  evidence jsonb not null,
  frame_digest text,
  primary key (camera_id, token)
) with (fillfactor = 50);

-- Closed spans, one partition a UTC day, named observations_YYYYMMDD. The default one takes days that have none (yet).
create table observations (like open_spans including defaults) partition by range (first_at);
create index observations_camera on observations (camera_id, first_at desc, id desc);
create table observations_default partition of observations default;

create table camera_state (
  camera_id bigint primary key,
  verdict text not null,
  label text,
  score real,
  model_version text,
  since timestamptz not null,
  last_attempt_at timestamptz not null,
  last_good_at timestamptz,
  frame_digest text,
  width integer,
  height integer,
  latency_ms real,
  evidence jsonb not null,
  agent_id uuid not null,
  token bigint not null,
  -- Grows with every change of any row: what changed since a page looked.
  changed_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

create index camera_state_verdict on camera_state (verdict);

-- Apart from the state, which is scanned and must stay narrow.
create table camera_memories (
  camera_id bigint primary key,
  last_attempt_at timestamptz not null,
  memory json not null
-- A thumbnail does not compress, and a row out of line would cost two more writes with every report.
) with (fillfactor = 50, toast_tuple_target = 4080);
alter table camera_memories alter column memory set storage main;

-- One row a transaction of intake; old ones are added up by day. Append-only: no row that all transactions wait for.
create table intake_log (
  at timestamptz not null default clock_timestamp(),
  attempts bigint not null default 0,
  frames bigint not null default 0,
  bytes_fetched bigint not null default 0,
  bytes_sent bigint not null default 0,
  bytes_stored bigint not null default 0
);
create index intake_log_at on intake_log (at);
create table daily_totals (
  day date primary key,
  attempts bigint not null,
  frames bigint not null,
  bytes_fetched bigint not null,
  bytes_sent bigint not null,
  bytes_stored bigint not null
);

-- Only with the option `witness`. No key on purpose: an attempt that counts twice must show.
create table counted_attempts (
  session_id uuid not null,
  camera_id bigint not null,
  sequence bigint not null,
  token bigint not null,
  frame boolean not null,
  serial bigint
);

-- Asked for in a receipt and not yet arrived.
create table frames_wanted (
  digest text primary key,
  camera_id bigint not null,
  at timestamptz not null,
  reason text not null,
  verdict text not null,
  label text,
  model_version text,
  scores jsonb,
  asked_at timestamptz not null default clock_timestamp()
);
create index frames_wanted_camera on frames_wanted (camera_id);

create table frames (
  digest text primary key,
  camera_id bigint not null,
  at timestamptz not null,
  reason text not null check (reason in ('verdict', 'label', 'doubtful', 'audit', 'daily')),
  bytes bigint not null,
  verdict text not null,
  label text,
  model_version text,
  scores jsonb,
  pinned boolean not null default false,
  stored_at timestamptz not null default clock_timestamp()
);
create index frames_camera on frames (camera_id, at desc);
create index frames_reason on frames (reason, at);

-- Annotations, snapshots and incidents name what they refer to here: such a frame cannot be deleted.
create table frame_references (
  digest text not null references frames (digest),
  kind text not null,
  referrer text not null,
  primary key (digest, kind, referrer)
);

-- What was kept of each camera, also after eviction: a first is a first only once.
create table camera_keeps (
  camera_id bigint primary key,
  verdicts text[] not null default '{}',
  labels text[] not null default '{}',
  daily_at timestamptz,
  doubtful_at timestamptz,
  audit_at timestamptz
) with (fillfactor = 70);
