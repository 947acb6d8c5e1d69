-- What must not be fetched, when cameras are captured, and which hosts are left alone.

create table takedowns (
  id integer generated always as identity primary key,
  -- host: the name and all below it; prefix: whatever begins so.
  kind text not null check (kind in ('host', 'prefix')),
  value text not null,
  -- Of a prefix, too.
  host text not null,
  reason text not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  removed_by text,
  removed_at timestamptz
);
create unique index takedowns_in_force on takedowns (kind, value) where removed_at is null;

-- Agents compare it with the number of the list that they have.
alter table fleet_settings add column takedown_revision bigint not null default 0;

alter table cameras
  add column active_hours text,
  -- The same as minutes of the local week, from Monday.
  add column active_minutes int4multirange,
  -- Capture at the interval asked for, even where the camera makes pictures less often.
  add column interval_exactly boolean not null default false,
  add column taken_down integer references takedowns;
create index cameras_taken_down on cameras (taken_down) where taken_down is not null;

create function camera_url(c cameras) returns text language sql immutable return coalesce(
  c.snapshot_url, c.stream_url,
  c.scheme || '://' || case when c.host like '%:%' then '[' || c.host || ']' else c.host end
    || case when c.port is null or c.port = case c.scheme when 'https' then 443 else 80 end then '' else ':' || c.port end
    || coalesce(c.snapshot_path, c.video_path, '/'));

-- The last numbers of an IPv4 address are no domain.
create function takedown_of(c cameras) returns integer language sql stable as $$
  select t.id from takedowns t
  where t.removed_at is null and case t.kind
    when 'host' then c.host = t.host or (right(c.host, length(t.host) + 1) = '.' || t.host and c.host !~ '^[0-9.]+$')
    else c.host = t.host and starts_with(camera_url(c), t.value) end
  order by t.id limit 1
$$;

create function note_takedown() returns trigger language plpgsql as $$
begin
  -- A list is empty nearly everywhere, and imports are long.
  new.taken_down := case when exists (select from takedowns where removed_at is null) then takedown_of(new) end;
  return new;
end $$;
create trigger cameras_takedown
  before insert or update of host, scheme, port, snapshot_path, video_path, snapshot_url, stream_url on cameras
  for each row execute function note_takedown();

-- Null where this database does not know the zone: such a camera counts as active.
create function local_minute_of_week(at timestamptz, zone text) returns integer language plpgsql stable as $$
declare
  local timestamp;
begin
  local := at at time zone zone;
  return (extract(isodow from local)::int - 1) * 1440 + extract(hour from local)::int * 60 + extract(minute from local)::int;
exception when invalid_parameter_value then
  return null;
end $$;

create or replace function camera_is_paused(c cameras, at timestamptz) returns boolean language sql stable return
  c.lifecycle = 'paused' or c.taken_down is not null or (c.active_minutes is not null
    and not coalesce(c.active_minutes @> local_minute_of_week(at, coalesce(c.time_zone, 'UTC')), true));

-- Names that share an address are one host: politeness counts them by their leader.
create table hosts (
  host text primary key,
  leader text not null
);
create index hosts_leader on hosts (leader);
create table host_addresses (
  host text not null,
  address text not null,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (host, address)
);
create index host_addresses_address on host_addresses (address);

-- By leader. `asked`: the host said so. `failing`: an agent found many of its cameras failing.
create table host_rests (
  host text primary key,
  kind text not null check (kind in ('asked', 'failing')),
  until_at timestamptz not null,
  agent_id uuid not null,
  changed_at timestamptz not null default clock_timestamp()
);
create index host_rests_changed on host_rests (changed_at);
