-- Cameras. Credentials never stand in a URL: they are encrypted in a column of their own.
create extension if not exists pg_trgm;
create extension if not exists cube;
create extension if not exists earthdistance;

create table cameras (
  id integer generated always as identity primary key,
  source text not null,
  source_camera_id text not null,
  kind text not null check (kind in ('ip', 'non_ip', 'stream')),
  scheme text check (scheme in ('http', 'https')),
  -- Name without port, lower case: what politeness counts by.
  host text not null,
  port integer check (port between 1 and 65535),
  brand text,
  model text,
  snapshot_path text,
  video_path text,
  snapshot_url text,
  stream_url text,
  name text not null,
  latitude double precision check (latitude between -90 and 90),
  longitude double precision check (longitude between -180 and 180),
  country text check (country ~ '^[A-Z]{2}$'),
  region text,
  city text,
  time_zone text,
  width integer,
  height integer,
  frame_rate double precision,
  interval_ms integer not null check (interval_ms between 1000 and 604800000),
  refresh_interval_ms integer,
  priority smallint not null check (priority between 0 and 9),
  tags text[] not null default '{}',
  lifecycle text not null check (lifecycle in ('candidate', 'active', 'paused', 'retired')),
  -- Retired because a synchronised file lacked it: comes back when the file has it again.
  retired_by_sync boolean not null default false,
  licence text,
  attribution text,
  terms text,
  reference_url text,
  credentials bytea,
  -- Keyed digest of the row as it was imported: the same file changes nothing.
  import_digest text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_tried_at timestamptz,
  last_good_at timestamptz,
  -- How agents fetch it; null where they cannot (streams).
  transport text generated always as (
    case
      when kind = 'ip' and snapshot_path is not null then 'snapshot'
      when kind = 'ip' and video_path is not null then 'mjpeg'
      when kind = 'non_ip' and snapshot_url like 'file:%' then 'file'
      when kind = 'non_ip' then 'snapshot'
    end
  ) stored,
  search_text text generated always as (
    lower(name || ' ' || coalesce(city, '') || ' ' || coalesce(region, '') || ' ' || coalesce(country, '') || ' ' || host
      || ' ' || coalesce(brand, '') || ' ' || coalesce(model, '') || ' ' || source || ' ' || source_camera_id)
  ) stored,
  unique (source, source_camera_id),
  check ((latitude is null) = (longitude is null))
);

create index cameras_text on cameras using gin (search_text gin_trgm_ops);
create index cameras_tags on cameras using gin (tags);
create index cameras_place on cameras using gist (ll_to_earth(latitude, longitude)) where latitude is not null;
create index cameras_box on cameras (latitude, longitude);
create index cameras_area on cameras (country, region, city);
create index cameras_host on cameras (host);
