import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Database } from '../../../coordinator/platform/database/database.ts';
import { createRegistry } from '../../../coordinator/registry/registry.ts';
import type { Registry, RegistryOptions } from '../../../coordinator/registry/registry.ts';
import type { ImportOptions, ImportReport } from '../../../coordinator/registry/import/import.ts';

export const credentialsKey = randomBytes(32);

export function registryOn(database: Database, options: Partial<RegistryOptions> = {}): Registry {
  return createRegistry({ database, credentialsKey, ...options });
}

/** Imports a text, cut into small chunks so that every boundary is met. */
export async function importText(
  registry: Registry,
  text: string | Buffer,
  options: ImportOptions = {},
): Promise<ImportReport> {
  const bytes = Buffer.from(text);
  const size = Math.max(7, Math.ceil(bytes.length / 1_000));
  function* chunks(): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  return registry.import(Readable.from(chunks()), options);
}

const CITIES = ['Lafayette', 'Reading', 'Sydney', 'Tokyo', 'Nadi'];

/** A CSV file of cameras in the farm's columns, a row at a time. */
export function* farmRows(count: number): Generator<Buffer> {
  let text =
    'source,source_camera_id,kind,scheme,host,port,snapshot_path,video_path,snapshot_url,name,latitude,longitude,country,region,city,time_zone,interval_seconds,priority,tags,width,height\n';
  for (let i = 0; i < count; i++) {
    const host = `127.${(i >> 15) & 255}.${(i >> 7) & 255}.${1 + ((i >> 3) & 15)}`;
    text += `farm,c${i},ip,http,${host},8080,/camera/${i}.jpg,,,"Camera ${i}, north",${(((i * 37) % 18_000) / 100 - 90).toFixed(4)},${(((i * 91) % 36_000) / 100 - 180).toFixed(4)},US,Indiana,${CITIES[i % 5]},America/New_York,${30 + (i % 60)},${i % 10},highway;day,352,288\n`;
    if (text.length > 65_536) {
      yield Buffer.from(text);
      text = '';
    }
  }
  yield Buffer.from(text);
}
