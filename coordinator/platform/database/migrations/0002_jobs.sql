-- Jobs: what is seldom and long. The row is the truth; the queue in Redis carries only the id.
create table jobs (
  id bigint generated always as identity primary key,
  kind text not null,
  params jsonb not null default '{}',
  -- While a job with this key is queued or running, the same kind and key is not enqueued again.
  unique_key text,
  state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
  progress jsonb,
  attempts integer not null default 0,
  error text,
  result jsonb,
  -- Not before this moment: set anew each time it is queued, so it also tells one turn in the queue from the next.
  run_after timestamptz not null default clock_timestamp(),
  -- Which process runs it; together with attempts it fences a runner that was given up for dead.
  runner text,
  heartbeat_at timestamptz,
  cancel_requested boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz
);

create unique index jobs_unique_key on jobs (kind, unique_key) where state in ('queued', 'running');
-- The sweep looks only at these few among all that ever ran.
create index jobs_open on jobs (id) where state in ('queued', 'running');
create index jobs_by_state on jobs (state, id desc);

-- When each repeated kind is due next; several coordinators race for it in one statement.
create table job_schedules (
  kind text primary key,
  next_at timestamptz not null
);
