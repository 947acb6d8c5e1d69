-- Training runs: what was asked, which trainer has it, how far it is, what came of it.
create table training_runs (
  id bigint generated always as identity primary key,
  dataset_name text not null,
  dataset_digest text not null,
  settings jsonb not null default '{}',
  promote text not null check (promote in ('always', 'better', 'never')),
  asked_by text not null,
  -- By the schedule, not by somebody.
  scheduled boolean not null default false,
  -- Labels that there were then; the schedule waits until there are more.
  labels bigint not null,
  state text not null default 'waiting' check (state in ('waiting', 'running', 'succeeded', 'failed', 'cancelled')),
  trainer text,
  -- Numbers the claims: together with the trainer it fences one that was given up for dead.
  attempts integer not null default 0,
  lost integer not null default 0,
  heartbeat_at timestamptz,
  cancel_requested boolean not null default false,
  note text,
  progress jsonb,
  report jsonb,
  model_version text references models,
  decision text,
  error text,
  created_at timestamptz not null default clock_timestamp(),
  claimed_at timestamptz,
  finished_at timestamptz
);

-- A job that stalls runs twice: the schedule trains once on what is in a snapshot.
create unique index training_runs_scheduled on training_runs (dataset_digest) where scheduled;
-- And one run at a time, whoever else looks at the same moment.
create unique index training_runs_one_scheduled on training_runs (scheduled)
  where scheduled and state in ('waiting', 'running');
create index training_runs_open on training_runs (id) where state in ('waiting', 'running');
create index training_runs_model on training_runs (model_version) where model_version is not null;

-- One row an iteration; a resumed run may report one again.
create table training_iterations (
  run_id bigint not null references training_runs on delete cascade,
  model text not null,
  level integer not null,
  iteration integer not null,
  report jsonb not null,
  at timestamptz not null default clock_timestamp(),
  primary key (run_id, model, level, iteration)
);
