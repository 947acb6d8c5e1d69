-- Streams are fetched, too: by their scheme, and over HTTP by whether the address speaks of a playlist.
alter table cameras drop column transport;
alter table cameras add column transport text generated always as (
  case
    when kind = 'ip' and snapshot_path is not null then 'snapshot'
    when kind = 'ip' and video_path is not null then 'mjpeg'
    when kind = 'non_ip' and snapshot_url like 'file:%' then 'file'
    when kind = 'non_ip' then 'snapshot'
    when kind = 'stream' and stream_url ilike 'rtsp:%' then 'rtsp'
    when kind = 'stream' and stream_url ilike 'rtmp:%' then 'rtmp'
    when kind = 'stream' and stream_url ilike '%m3u8%' then 'hls'
    when kind = 'stream' then 'mjpeg'
  end
) stored;
