import { zoneOfOffset, isTimeZone } from '../places.ts';

/** What a field is called in files besides its own name; CAM2's names among them. Case, `_`, `-` and spaces do not count. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  source: ['provider', 'feed'],
  sourceCameraId: ['camera_id', 'legacy_camera_id', 'camera_key', 'external_id', 'id'],
  kind: ['type', 'camera_type'],
  scheme: ['protocol'],
  host: ['ip', 'hostname', 'address'],
  port: [],
  brand: ['manufacturer', 'make'],
  model: ['camera_model'],
  snapshotPath: ['image_path'],
  videoPath: ['mjpeg_path'],
  snapshotUrl: ['url', 'image_url', 'link', 'camera_url'],
  streamUrl: ['m3u8_url', 'm3u8_key', 'video_url', 'hls_url'],
  name: ['title', 'description', 'label'],
  latitude: ['lat'],
  longitude: ['lon', 'lng', 'long'],
  country: ['country_code'],
  region: ['state', 'province', 'county'],
  city: ['town'],
  timeZone: ['tz'],
  width: ['resolution_width', 'resolution_w'],
  height: ['resolution_height', 'resolution_h'],
  frameRate: ['fps'],
  intervalMs: [],
  refreshIntervalMs: [],
  priority: [],
  activeHours: ['hours', 'opening_hours', 'operating_hours'],
  tags: ['keywords'],
  lifecycle: [],
  licence: ['license'],
  attribution: [],
  terms: ['terms_url'],
  referenceUrl: ['reference'],
  // Not fields of a camera, but said in other words there.
  intervalSeconds: ['interval', 'capture_interval'],
  refreshIntervalSeconds: ['refresh_interval', 'refresh_seconds'],
  timezoneId: ['timezone_name'],
  utcOffset: [],
  isActiveImage: ['is_active'],
  isActiveVideo: [],
  user: ['username', 'login'],
  password: ['passwd'],
};

const plain = (name: string): string => name.toLowerCase().replaceAll(/[\s_-]/g, '');

/** Field and rank: where a file has several names of one field the first that has a value counts. */
const byName = new Map<string, { field: string; rank: number }>();
for (const [field, others] of Object.entries(NAMES)) {
  for (const [rank, name] of [field, ...others].entries()) byName.set(plain(name), { field, rank });
}

const known = new Map<string, { field: string; rank: number } | undefined>();
function lookUp(name: string): { field: string; rank: number } | undefined {
  if (known.has(name)) return known.get(name);
  const found = byName.get(plain(name.slice(name.lastIndexOf('.') + 1)));
  if (known.size < 1_000) known.set(name, found);
  return found;
}

const NUMBERS = new Set([
  'port',
  'latitude',
  'longitude',
  'width',
  'height',
  'frameRate',
  'intervalMs',
  'refreshIntervalMs',
  'priority',
  'intervalSeconds',
  'refreshIntervalSeconds',
]);

/** A row of a file in the words of `cameraInputSchema`; unknown columns are left out, values stay to be checked. */
export function fieldsOf(row: Record<string, unknown>): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const ranks: Record<string, number> = {};
  for (const [name, given] of flat(row)) {
    const found = lookUp(name);
    const value = valueOf(found?.field ?? '', given);
    if (!found || value === undefined || (ranks[found.field] ?? Infinity) <= found.rank) continue;
    fields[found.field] = value;
    ranks[found.field] = found.rank;
  }
  return translate(fields);
}

/** Members of GeoJSON features and of nested objects such as CAM2's `retrieval`, two levels deep. */
function* flat(row: Record<string, unknown>): Generator<[string, unknown]> {
  const isFeature = row['type'] === 'Feature';
  for (const [name, value] of Object.entries(row)) {
    if (isFeature && name === 'type') continue;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) yield [name, value];
    else if (name === 'geometry') yield* pointOf(value as { type?: unknown; coordinates?: unknown });
    else if (isFeature && name === 'properties') yield* flat({ ...value, geometry: undefined });
    else yield* Object.entries(value).map(([inner, own]): [string, unknown] => [`${name}.${inner}`, own]);
  }
}

function* pointOf({ type, coordinates }: { type?: unknown; coordinates?: unknown }): Generator<[string, unknown]> {
  if (type !== 'Point' || !Array.isArray(coordinates)) return;
  yield ['longitude', coordinates[0]];
  yield ['latitude', coordinates[1]];
}

function valueOf(field: string, value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  if (field === 'tags') return Array.isArray(value) ? value : split(value);
  if (typeof value === 'string') {
    const text = value.trim();
    if (text === '' || text === 'NULL' || text === 'null') return undefined;
    // What is no number stays text, and the schema says so.
    return NUMBERS.has(field) && Number.isFinite(Number(text)) ? Number(text) : text;
  }
  return typeof value === 'number' && !NUMBERS.has(field) && field !== 'utcOffset' ? String(value) : value;
}

function split(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const tags = value
    .split(/[,;|]/)
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
  return tags.length > 0 ? tags : undefined;
}

const isNo = (value: unknown): boolean => value === false || /^(false|0|no|f)$/i.test(String(value));

function translate(fields: Record<string, unknown>): Record<string, unknown> {
  const {
    intervalSeconds,
    refreshIntervalSeconds,
    timezoneId,
    utcOffset,
    isActiveImage,
    isActiveVideo,
    user,
    password,
    ...camera
  } = fields;
  const inMs = (seconds: unknown): unknown => (typeof seconds === 'number' ? Math.round(seconds * 1_000) : seconds);
  if (intervalSeconds !== undefined) camera['intervalMs'] ??= inMs(intervalSeconds);
  if (refreshIntervalSeconds !== undefined) camera['refreshIntervalMs'] ??= inMs(refreshIntervalSeconds);
  if (typeof camera['kind'] === 'string') camera['kind'] = camera['kind'].toLowerCase().replaceAll('-', '_');
  if (typeof camera['scheme'] === 'string') camera['scheme'] = camera['scheme'].toLowerCase();
  // CAM2's names of zones are of no standard: what is not IANA's is left out, then the offset helps.
  if (camera['timeZone'] === undefined) {
    const offset = utcOffset === undefined ? undefined : zoneOfOffset(Number(utcOffset));
    const zone = typeof timezoneId === 'string' && isTimeZone(timezoneId) ? timezoneId : offset;
    if (zone !== undefined) camera['timeZone'] = zone;
  }
  // A camera that its source calls dead is taken over, but not fetched until somebody resumes it.
  if (isActiveImage !== undefined && isNo(isActiveImage) && (isActiveVideo === undefined || isNo(isActiveVideo))) {
    camera['lifecycle'] ??= 'paused';
  }
  if (user !== undefined || password !== undefined) {
    camera['credentials'] = { user: String(user ?? ''), password: String(password ?? '') };
  }
  return camera;
}
