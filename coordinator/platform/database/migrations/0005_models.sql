-- Models by version (SHA-256 of the manifest). Their files lie in the object store by digest.
create table models (
  version text primary key check (version ~ '^[0-9a-f]{64}$'),
  name text not null,
  manifest bytea not null,
  signature text not null,
  origin text not null,
  labels integer not null,
  metrics jsonb not null default '{}',
  created_at timestamptz not null default now()
);

-- One row: the model in force and the one before it.
create table model_in_force (
  one boolean primary key default true check (one),
  version text references models,
  previous text references models,
  since timestamptz not null default now()
);
insert into model_in_force default values;

-- The newest word of each agent on each model.
create table model_reports (
  agent_id uuid not null,
  version text not null references models,
  state text not null check (state in ('fetched', 'proved', 'active', 'refused')),
  reason text,
  at timestamptz not null default now(),
  primary key (agent_id, version)
);
