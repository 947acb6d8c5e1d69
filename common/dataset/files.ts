import type { Dataset, DatasetCamera, Sample } from '../domain/dataset.ts';
import { csvLine } from './csv.ts';

/** A sample as it lies in a folder. */
export type PulledSample = Sample & { file: string };

/** Name of a class's folder: the label, except for what no file system takes or what would lead out of the folder. */
export function folderOf(label: string): string {
  const safe = label.replaceAll(/[\\/:*?"<>|%\0-\u001f]|^\.+|[. ]+$/g, (found) =>
    [...Buffer.from(found)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
  return safe;
}

export const fileOf = ({ label, digest }: Sample): string => `${folderOf(label)}/${digest}.jpg`;

/** The whole of dataset.json. */
export const datasetJson = (dataset: Dataset, samples: readonly PulledSample[]): string =>
  `${JSON.stringify({ ...dataset, samples }, undefined, 1)}\n`;

const COLUMNS = [
  ...['file', 'label', 'split', 'digest', 'bytes', 'labelled_by', 'labelled_at'],
  ...['captured_utc', 'captured_local', 'time_zone', 'camera', 'camera_name', 'source', 'latitude', 'longitude'],
  ...['city', 'region', 'country', 'licence', 'attribution', 'terms', 'model_version', 'scores'],
];

/** The whole of metadata.csv. */
export function metadataCsv(samples: readonly PulledSample[], cameras: ReadonlyMap<number, DatasetCamera>): string {
  return csvLine(COLUMNS) + samples.map((sample) => rowOf(sample, cameras.get(sample.cameraId))).join('');
}

function rowOf(sample: PulledSample, camera: DatasetCamera | undefined): string {
  const scores = sample.scores?.map(({ label, score }) => `${label}=${score}`).join(' ');
  return csvLine([
    ...[sample.file, sample.label, sample.part, sample.digest, sample.bytes],
    ...[sample.labelledBy, new Date(sample.labelledAt).toISOString()],
    ...[new Date(sample.fetchedAt).toISOString(), localTime(sample.fetchedAt, camera?.timeZone), camera?.timeZone],
    ...[sample.cameraId, camera?.name, camera?.source, camera?.latitude, camera?.longitude],
    ...[camera?.city, camera?.region, camera?.country, camera?.licence, camera?.attribution, camera?.terms],
    ...[sample.modelVersion, scores],
  ]);
}

/** `2026-11-24T06:19:01.250-05:00`; empty where the camera's time zone is not known. */
export function localTime(at: number, timeZone: string | null | undefined): string {
  if (!timeZone) return '';
  const format = formatOf(timeZone);
  if (!format) return '';
  const name = format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  const [, sign = '+', hours = '00', minutes = '00', seconds = '0'] =
    /^GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?$/.exec(name) ?? [];
  const offset = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * (sign === '-' ? -1_000 : 1_000);
  return `${new Date(at + offset).toISOString().slice(0, -1)}${sign}${hours}:${minutes}`;
}

const formats = new Map<string, Intl.DateTimeFormat | undefined>();

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  if (!formats.has(timeZone)) {
    try {
      formats.set(timeZone, new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' }));
    } catch {
      formats.set(timeZone, undefined);
    }
  }
  return formats.get(timeZone);
}
