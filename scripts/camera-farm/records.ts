import type { FarmCamera } from './camera.ts';

/** A camera as the registry imports it; a column that does not apply is null. */
export interface CameraRecord {
  source: string;
  source_camera_id: string;
  kind: 'ip' | 'non_ip';
  scheme: string | null;
  host: string | null;
  port: number | null;
  snapshot_path: string | null;
  video_path: string | null;
  snapshot_url: string | null;
  name: string;
  latitude: number;
  longitude: number;
  country: string;
  region: string;
  city: string;
  time_zone: string;
  interval_seconds: number;
  priority: number;
  tags: string[];
  width: number;
  height: number;
}

interface RecordSettings {
  port: number;
  intervalSeconds: number;
  width: number;
  height: number;
}

export const snapshotPathOf = (camera: FarmCamera): string => `/cam/${camera.id}/snapshot.jpg`;
export const videoPathOf = (camera: FarmCamera): string => `/cam/${camera.id}/video.mjpg`;

export function recordOf(camera: FarmCamera, { port, intervalSeconds, width, height }: RecordSettings): CameraRecord {
  const own = camera.listedAs === 'ip';
  const { place } = camera;
  return {
    source: 'farm',
    source_camera_id: camera.id,
    kind: camera.listedAs,
    scheme: own ? 'http' : null,
    host: own ? camera.host : null,
    port: own ? port : null,
    snapshot_path: own && camera.kind === 'snapshot' ? snapshotPathOf(camera) : null,
    video_path: camera.kind === 'mjpeg' ? videoPathOf(camera) : null,
    snapshot_url: own ? null : `http://${camera.host}:${port}${snapshotPathOf(camera)}`,
    name: camera.name,
    latitude: place.latitude,
    longitude: place.longitude,
    country: place.country,
    region: place.region,
    city: place.city,
    time_zone: place.timeZone,
    interval_seconds: intervalSeconds,
    priority: 0,
    tags: [camera.concept, 'farm'],
    width,
    height,
  };
}

/** One JSON object a line, or CSV with a header; in CSV tags are joined by semicolons and null is an empty cell. */
export function recordsAs(format: 'csv' | 'jsonl', records: readonly CameraRecord[]): string {
  if (format === 'jsonl') return records.map((record) => `${JSON.stringify(record)}\n`).join('');
  const columns = Object.keys(records[0] ?? {}) as (keyof CameraRecord)[];
  const lines = records.map((record) => columns.map((column) => cell(record[column])).join(','));
  return [columns.join(','), ...lines].join('\n') + '\n';
}

function cell(value: CameraRecord[keyof CameraRecord]): string {
  const text = Array.isArray(value) ? value.join(';') : String(value ?? '');
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
