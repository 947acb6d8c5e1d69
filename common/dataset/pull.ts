import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { datasetSchema, sampleLine, sampleSchema } from '../domain/dataset.ts';
import type { Dataset, DatasetCamera, Sample } from '../domain/dataset.ts';
import { systemClock } from '../runtime/clock.ts';
import { AppError, codeOf, EXIT } from '../runtime/errors.ts';
import { backoffMs } from '../runtime/retry.ts';
import { sha256 } from '../storage/digest.ts';
import { datasetJson, fileOf, folderOf, metadataCsv } from './files.ts';
import type { PulledSample } from './files.ts';

/** What pulling needs of the coordinator's API. */
export interface DatasetApi {
  get<T>(path: string, query?: Record<string, string | number | boolean | undefined>): Promise<T>;
  bytes(path: string): Promise<Buffer>;
}

export interface PullOptions {
  /** Downloads at a time. */
  parallel?: number;
  onProgress?: (progress: { done: number; total: number; downloaded: number }) => void;
  signal?: AbortSignal;
}

export interface Pulled {
  dataset: Dataset;
  folder: string;
  files: number;
  /** Files that were there already, whole. */
  kept: number;
  downloaded: number;
  bytes: number;
}

const PARALLEL = 8;
const PAGE = 5_000;
/** Some two minutes: a coordinator that starts anew is back by then. */
const ATTEMPTS = 8;
const BACKOFF = { firstMs: 250, ceilingMs: 30_000 };

/**
 * Writes a snapshot into a folder: `<class>/<digest>.jpg`, metadata.csv and, last of all, dataset.json. Pulling again goes on
 * where it was broken off: whole files are kept. Rejects with `PULL_FOLDER` (another snapshot lies there), `PULL_INCOMPLETE`
 * or what the API answered.
 */
export async function pullDataset(
  api: DatasetApi,
  name: string,
  folder: string,
  options: PullOptions = {},
): Promise<Pulled> {
  const path = `/datasets/${encodeURIComponent(name)}`;
  const dataset = datasetSchema.parse(await patiently(() => api.get<Dataset>(path), options.signal));
  await refuseOther(folder, dataset);
  const samples = (await pages(api, `${path}/samples`, 'samples', -1, options.signal)).map((one) =>
    sampleSchema.parse(one),
  );
  checkDigest(dataset, samples);
  const pulled = samples.map((sample): PulledSample => ({ ...sample, file: fileOf(sample) }));
  const cameras = (await pages(api, `${path}/cameras`, 'cameras', 0, options.signal)) as DatasetCamera[];
  for (const { label } of dataset.classes) await mkdir(join(folder, folderOf(label)), { recursive: true });
  const counts = await download(api, folder, pulled, options);
  await checkFolder(folder, dataset, pulled);
  await writeWhole(join(folder, 'metadata.csv'), metadataCsv(pulled, new Map(cameras.map((one) => [one.id, one]))));
  await writeWhole(join(folder, 'dataset.json'), datasetJson(dataset, pulled));
  return { dataset, folder, files: pulled.length, ...counts };
}

/** A folder holds one snapshot: files of two would be taken for one. */
async function refuseOther(folder: string, { name, digest }: Dataset): Promise<void> {
  await mkdir(folder, { recursive: true });
  const marker = join(folder, '.camfleet-pull');
  const other = (await readFile(marker, 'utf8').catch(() => '')).trim();
  if (other === digest) return;
  if (other !== '' || (await readdir(folder)).length > 0) {
    const what = other === '' ? 'is not empty' : 'holds another snapshot';
    throw new AppError('PULL_FOLDER', `${folder} ${what}; pull "${name}" into a folder of its own.`, {
      details: { exit: EXIT.usage },
    });
  }
  await writeFile(marker, `${digest}\n`);
}

function checkDigest({ name, digest, samples: count }: Dataset, samples: readonly Sample[]): void {
  const found = createHash('sha256').update(samples.map(sampleLine).join('')).digest('hex');
  if (samples.length === count && found === digest) return;
  const message = `The list of samples of "${name}" is not the one that was snapshot: ${samples.length} of ${count}, digest ${found}, expected ${digest}. Ask the operator of the coordinator.`;
  throw new AppError('PULL_INCOMPLETE', message);
}

async function pages(
  api: DatasetApi,
  path: string,
  field: string,
  first: number,
  signal: AbortSignal | undefined,
): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let after: number | null = first; after !== null;) {
    const query: Record<string, number> = { after, limit: PAGE };
    const page = await patiently(() => api.get<Record<string, unknown>>(path, query), signal);
    for (const one of page[field] as unknown[]) all.push(one);
    after = page['next'] as number | null;
  }
  return all;
}

async function download(
  api: DatasetApi,
  folder: string,
  samples: readonly PulledSample[],
  { parallel = PARALLEL, onProgress, signal }: PullOptions,
): Promise<{ kept: number; downloaded: number; bytes: number }> {
  const counts = { kept: 0, downloaded: 0, bytes: 0 };
  const queue = samples.values();
  const failed = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const worker = async (): Promise<void> => {
    for (const sample of queue) {
      stop.throwIfAborted();
      const path = join(folder, sample.file);
      if (await isWhole(path, sample)) counts.kept++;
      else {
        await writeWhole(path, await patiently(() => fetchWhole(api, sample), stop));
        counts.downloaded++;
        counts.bytes += sample.bytes;
      }
      onProgress?.({ done: counts.kept + counts.downloaded, total: samples.length, downloaded: counts.downloaded });
    }
  };
  const workers = Array.from({ length: parallel }, () =>
    worker().catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(workers);
  await Promise.all(workers);
  return counts;
}

async function fetchWhole(api: DatasetApi, { digest, bytes }: Sample): Promise<Buffer> {
  const picture = await api.bytes(`/frames/${digest}`);
  if (picture.length === bytes && sha256(picture) === digest) return picture;
  throw new AppError('PULL_BROKEN', `Frame ${digest} came broken: ${picture.length} of ${bytes} bytes.`);
}

async function isWhole(path: string, { digest, bytes }: Sample): Promise<boolean> {
  try {
    return (await stat(path)).size === bytes && sha256(await readFile(path)) === digest;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Refusals stand; everything else is tried again. */
async function patiently<T>(run: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await run();
    } catch (error) {
      const status = error instanceof AppError ? error.details['status'] : undefined;
      const isFinal = typeof status === 'number' && status < 500 && status !== 408 && status !== 429;
      if (isFinal || attempt === ATTEMPTS) throw error;
      await systemClock.sleep(backoffMs(BACKOFF, attempt), signal);
    }
  }
}

/** Counts what lies in the folders of the classes: what does not belong there would be trained on. */
async function checkFolder(
  folder: string,
  { name, classes }: Dataset,
  samples: readonly PulledSample[],
): Promise<void> {
  const expected = new Set(samples.map(({ file }) => file));
  const found: string[] = [];
  for (const { label } of classes) {
    for (const file of await readdir(join(folder, folderOf(label)))) {
      const relative = `${folderOf(label)}/${file}`;
      if (file.endsWith('.part')) await rm(join(folder, relative), { force: true });
      else found.push(relative);
    }
  }
  const extra = found.filter((file) => !expected.has(file));
  if (found.length - extra.length === expected.size && extra.length === 0) return;
  const what =
    extra.length > 0
      ? `${extra.length} files too many, such as ${extra[0]}`
      : `${expected.size - found.length} missing`;
  throw new AppError(
    'PULL_INCOMPLETE',
    `${folder} is not "${name}" as it was snapshot: ${what}. Mend that and pull again.`,
  );
}

/** Renamed when it is whole: what was broken off is never taken for a picture. */
async function writeWhole(path: string, content: Buffer | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}
