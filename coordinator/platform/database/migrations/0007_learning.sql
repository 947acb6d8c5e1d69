-- Labels of kept frames, the part that each labelled camera plays, and snapshots of both.

-- Regular samples, and pictures that somebody asked for, are kept too.
alter table frames drop constraint frames_reason_check;
alter table frames add constraint frames_reason_check
  check (reason in ('verdict', 'label', 'doubtful', 'audit', 'daily', 'sample', 'asked'));
-- What the camera claims to show; becomes an annotation only where the camera is trusted.
alter table frames_wanted add column scene_label text;

alter table camera_keeps
  -- Of good frames, whatever they were kept for.
  add column first_at timestamptz,
  add column last_at timestamptz,
  -- When a fresh picture was last asked for, when it came, and what it is.
  add column asked_at timestamptz,
  add column came_at timestamptz,
  add column came_digest text;

-- Append-only: the annotation that was not replaced is the frame's label.
create table annotations (
  id bigint generated always as identity primary key,
  digest text not null references frames (digest),
  camera_id bigint not null,
  label text not null check (label <> '' and length(label) <= 100),
  labelled_by text not null,
  labelled_at timestamptz not null default clock_timestamp(),
  replaced_at timestamptz
);
create unique index annotations_valid on annotations (digest) where replaced_at is null;
create index annotations_label on annotations (label, camera_id) where replaced_at is null;
create index annotations_camera on annotations (camera_id);
create index annotations_digest on annotations (digest, id);

-- Fixed when the camera's first label arrives. Never updated: a later model must not be judged on what an earlier one learned.
create table camera_parts (
  camera_id bigint primary key,
  part text not null check (part in ('training', 'reference', 'test')),
  -- The rarest class of the camera then, which lacked this part most.
  label text not null,
  fixed_at timestamptz not null default clock_timestamp()
);

-- Immutable snapshots. `summary` is the dataset as the API shows it.
create table datasets (
  name text primary key,
  created_at timestamptz not null,
  created_by text not null,
  digest text not null,
  request jsonb not null,
  summary jsonb not null
);
create table dataset_samples (
  name text not null references datasets (name),
  position integer not null,
  digest text not null references frames (digest),
  part text not null,
  -- The line over which the snapshot's digest was taken.
  sample text not null,
  primary key (name, position)
);
create index dataset_samples_digest on dataset_samples (digest);
-- Facts of the cameras as they were then. Never how to reach them.
create table dataset_cameras (
  name text not null references datasets (name),
  camera_id bigint not null,
  facts jsonb not null,
  primary key (name, camera_id)
);
