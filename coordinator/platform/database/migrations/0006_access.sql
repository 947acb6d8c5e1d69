-- Who may use the API. Only the SHA-256 of a token is kept: whoever reads the database cannot use one.
create table api_tokens (
  id bigint generated always as identity primary key,
  name text not null,
  role text not null check (role in ('viewer', 'researcher', 'operator', 'admin')),
  digest text not null unique,
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz
);

-- Everything that changes state: written before the change is tried, completed with its outcome.
create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  role text not null,
  action text not null,
  target text not null,
  details jsonb,
  -- HTTP status of the answer; null where the process ended before it.
  status integer
);
