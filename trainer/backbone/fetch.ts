import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, codeOf, isAbort, messageOf } from '../../common/runtime/errors.ts';
import { digestsOf } from './folder.ts';
import type { KnownWeights } from './known-weights.ts';

export interface DownloadOptions {
  /** Where the file shall lie; until it is whole its bytes are in `file`.part. */
  file: string;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
  /** Without a byte for this long the connection counts as broken. */
  stallMs?: number;
}

/** A broken connection is taken up again this often in a row without a new byte. */
const ATTEMPTS = 4;

/**
 * Downloads a file once: goes on where an earlier try broke off, checks its MD5, and only then gives it its name. A file that is
 * there and right is kept.
 *
 * @throws AppError `DOWNLOAD_UNREACHABLE`, `DOWNLOAD_REFUSED`, `DOWNLOAD_CHECKSUM`
 */
export async function downloadWeights({ url, md5 }: KnownWeights, options: DownloadOptions): Promise<void> {
  const { file } = options;
  if ((await digestsOf(file).catch(() => undefined))?.md5 === md5) return;
  await mkdir(dirname(file), { recursive: true });
  const part = `${file}.part`;
  for (let failures = 0; ;) {
    const before = await sizeOf(part);
    try {
      await takeUp(url, part, before, options);
      break;
    } catch (error) {
      if (error instanceof AppError || options.signal?.aborted) throw error;
      failures = (await sizeOf(part)) > before ? 1 : failures + 1;
      if (failures >= ATTEMPTS) throw unreachable(url, file, error);
    }
  }
  const found = await digestsOf(part);
  if (found.md5 !== md5) {
    await rm(part, { force: true });
    throw new AppError(
      'DOWNLOAD_CHECKSUM',
      `${url} gave ${found.bytes} bytes with the MD5 ${found.md5}, expected ${md5}; they were deleted. Try again, or get the ` +
        'file elsewhere and run "camfleet backbone import FILE".',
    );
  }
  await rename(part, file);
}

async function takeUp(url: string, part: string, have: number, options: DownloadOptions): Promise<void> {
  const { stallMs = 60_000, signal, onProgress } = options;
  const stalled = new AbortController();
  const watch = setTimeout(() => stalled.abort(new Error(`no byte for ${stallMs / 1000} s`)), stallMs);
  try {
    const signals = [stalled.signal, ...(signal ? [signal] : [])];
    const answer = await fetch(url, {
      headers: have > 0 ? { range: `bytes=${have}-` } : {},
      signal: AbortSignal.any(signals),
    });
    // Nothing is left to get: the checksum decides.
    if (answer.status === 416 && have > 0) return await answer.body?.cancel();
    if (!answer.ok || !answer.body) throw refused(url, answer.status);
    const resumed = answer.status === 206 && answer.headers.get('content-range')?.startsWith(`bytes ${have}-`) === true;
    const start = resumed ? have : 0;
    const length = Number(answer.headers.get('content-length') ?? Number.NaN);
    let done = start;
    const target = await open(part, resumed ? 'a' : 'w');
    try {
      for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
        watch.refresh();
        await target.writeFile(chunk);
        done += chunk.length;
        onProgress?.(done, start + length);
      }
      await target.sync();
    } finally {
      await target.close();
    }
    if (done < start + length) throw new Error(`the connection ended after ${done} of ${start + length} bytes`);
  } finally {
    clearTimeout(watch);
  }
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

const refused = (url: string, status: number): AppError =>
  new AppError(
    'DOWNLOAD_REFUSED',
    `${url} answered ${status}; give another address with --url, or import a file that you have.`,
  );

function unreachable(url: string, file: string, error: unknown): AppError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const reason = isAbort(cause) ? 'it fell silent' : (codeOf(cause) ?? messageOf(cause));
  return new AppError(
    'DOWNLOAD_UNREACHABLE',
    `${new URL(url).host} cannot be reached from here (${reason}). Get ${url} on a machine with internet and run ` +
      `"camfleet backbone import FILE"; what was received stays in ${file}.part and the next try goes on from there.`,
    { cause: error },
  );
}
