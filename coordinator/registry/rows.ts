import { parseActiveHours } from '../../common/domain/active-hours.ts';
import type { Assignment } from '../../common/protocol/agent-link.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { fetchUrl, locate } from './address.ts';
import type { Address, AddressRules } from './address.ts';
import type { Camera, ParsedCamera } from './camera.ts';
import { sealName } from './credentials.ts';
import type { CredentialsVault } from './credentials.ts';

/** Columns of a camera that come from outside, with their types: the one list that staging, inserting and updating share. */
export const COLUMNS = {
  source: 'text',
  source_camera_id: 'text',
  kind: 'text',
  scheme: 'text',
  host: 'text',
  port: 'integer',
  brand: 'text',
  model: 'text',
  snapshot_path: 'text',
  video_path: 'text',
  snapshot_url: 'text',
  stream_url: 'text',
  credentials: 'bytea',
  name: 'text',
  latitude: 'double precision',
  longitude: 'double precision',
  country: 'text',
  region: 'text',
  city: 'text',
  time_zone: 'text',
  width: 'integer',
  height: 'integer',
  frame_rate: 'double precision',
  interval_ms: 'integer',
  refresh_interval_ms: 'integer',
  priority: 'smallint',
  active_hours: 'text',
  active_minutes: 'int4multirange',
  tags: 'text[]',
  lifecycle: 'text',
  licence: 'text',
  attribution: 'text',
  terms: 'text',
  reference_url: 'text',
  import_digest: 'text',
} as const;
export type StagedRow = Record<keyof typeof COLUMNS, unknown>;

/** Replaced as a whole when a camera changes; of the other columns those that the new row leaves out stay as they were. */
export const ADDRESS_COLUMNS = Object.keys(COLUMNS).slice(2, 13) as (keyof typeof COLUMNS)[];

/** A row for the database. Rejects with `CAMERA_ADDRESS_INVALID`. */
export function toRow(camera: ParsedCamera, vault: CredentialsVault, rules: AddressRules): StagedRow {
  const { address, credentials } = locate(camera, rules);
  if ((camera.latitude === undefined) !== (camera.longitude === undefined)) {
    throw new AppError('CAMERA_PLACE_INVALID', 'Latitude and longitude belong together; one of them is missing.');
  }
  const id = camera.sourceCameraId ?? idOf(address);
  const facts = {
    source: camera.source,
    source_camera_id: id,
    kind: address.kind,
    scheme: address.scheme,
    host: address.host,
    port: address.port,
    brand: address.brand,
    model: address.model,
    snapshot_path: address.snapshotPath,
    video_path: address.videoPath,
    snapshot_url: address.snapshotUrl,
    stream_url: address.streamUrl,
    name: camera.name ?? null,
    latitude: camera.latitude ?? null,
    longitude: camera.longitude ?? null,
    country: camera.country ?? null,
    region: camera.region ?? null,
    city: camera.city ?? null,
    time_zone: camera.timeZone ?? null,
    width: camera.width ?? null,
    height: camera.height ?? null,
    frame_rate: camera.frameRate ?? null,
    interval_ms: camera.intervalMs ?? null,
    refresh_interval_ms: camera.refreshIntervalMs ?? null,
    priority: camera.priority ?? null,
    tags: camera.tags ?? null,
    lifecycle: camera.lifecycle ?? null,
    licence: camera.licence ?? null,
    attribution: camera.attribution ?? null,
    terms: camera.terms ?? null,
    reference_url: camera.referenceUrl ?? null,
  };
  const sealed = credentials && vault.seal(credentials, sealName(camera.source, id));
  return {
    ...facts,
    ...hoursColumns(camera.activeHours),
    credentials: sealed && `\\x${sealed.toString('hex')}`,
    // Hours came later: a file without them has the digest that it always had.
    import_digest: vault.digest(
      JSON.stringify([facts, credentials, ...(camera.activeHours === undefined ? [] : [camera.activeHours])]),
    ),
  };
}

/** Where nobody said in which zone a camera stands. */
const NO_ZONE = 'UTC';
export const ALWAYS = '24/7';

/** Both columns of a checked table of hours; the second is what SQL asks. */
export function hoursColumns(text: string | undefined): { active_hours: string | null; active_minutes: string | null } {
  const hours = text === undefined ? undefined : parseActiveHours(text);
  if (!hours || 'problem' in hours) return { active_hours: null, active_minutes: null };
  const ranges = hours.windows.map(([from, until]) => `[${from},${until})`);
  return { active_hours: hours.text, active_minutes: `{${ranges.join(',')}}` };
}

/** The address names a camera that its source did not number. */
function idOf(address: Address): string {
  return (fetchUrl(address) ?? address.host).slice(0, 500);
}

/** A row of `cameras` as `SHOWN` selects it. */
export type CameraRow = Record<string, unknown>;

const HIDDEN = new Set(['credentials', 'import_digest', 'active_minutes']);

/** Select list of what is shown; `c` is the camera. */
export const SHOWN = [
  ...Object.keys(COLUMNS).filter((name) => !HIDDEN.has(name)),
  'id',
  'transport',
  'interval_exactly',
  'created_at',
  'updated_at',
]
  .map((name) => `c.${name} as "${camelCase(name)}"`)
  .concat(
    'c.credentials is not null as "hasCredentials"',
    `(select case t.reason when '' then t.value else t.value || ': ' || t.reason end from takedowns t where t.id = c.taken_down) as "takenDown"`,
  )
  .join(', ');

function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

const instant = (value: unknown): string | null => (value instanceof Date ? value.toISOString() : null);

export function toCamera(row: CameraRow): Camera {
  return {
    ...(row as unknown as Camera),
    state: (row['state'] as Camera['state'] | undefined) ?? 'unknown',
    verdict: (row['verdict'] as string | null | undefined) ?? null,
    createdAt: instant(row['createdAt']) ?? '',
    updatedAt: instant(row['updatedAt']) ?? '',
    lastTriedAt: instant(row['lastTriedAt']),
    lastGoodAt: instant(row['lastGoodAt']),
  };
}

/** What an agent must know, but for its memory. `credentials` is the sealed column. */
export function toAssignment(
  row: Camera & { credentials: Buffer | null },
  vault: CredentialsVault,
): Omit<Assignment, 'memory'> | null {
  const url = fetchUrl(row);
  if (url === null || row.transport === null) return null;
  return {
    cameraId: row.id,
    name: row.name,
    source: {
      transport: row.transport,
      url,
      ...(row.credentials && { credentials: vault.open(row.credentials, sealName(row.source, row.sourceCameraId)) }),
    },
    host: row.host,
    intervalMs: row.intervalMs,
    ...(row.intervalExactly && { exactly: true }),
    ...(row.activeHours !== null &&
      row.activeHours !== ALWAYS && { hours: { text: row.activeHours, zone: row.timeZone ?? NO_ZONE } }),
    priority: row.priority,
    changedAt: Date.parse(row.updatedAt),
  };
}
