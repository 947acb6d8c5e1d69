import { mkdir, open, readFile, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, codeOf } from '../../common/runtime/errors.ts';

export interface StoredBatch {
  session: string;
  seq: number;
  path: string;
  bytes: number;
}

const NAME = /^(\d{12})\.json$/;
const SESSION = /^\d{13}-([0-9a-f-]{36})$/;

/**
 * The files of the outbox: `<root>/<start of the session, ms>-<session>/<seq>.json`, and `<root>/refused/` for what the
 * coordinator will never take. A file is written, synced and renamed and its folder synced before anybody may rely on it.
 */
export class OutboxFolder {
  readonly #root: string;
  readonly #session: string;
  readonly #folder: string;

  constructor(root: string, session: string, startedAtMs: number) {
    this.#root = root;
    this.#session = session;
    this.#folder = join(root, `${String(startedAtMs).padStart(13, '0')}-${session}`);
  }

  /** Everything that earlier processes left, oldest session first; half-written drafts are removed. */
  async open(): Promise<StoredBatch[]> {
    await mkdir(join(this.#root, 'refused'), { recursive: true });
    const found: StoredBatch[] = [];
    for (const name of (await readdir(this.#root)).sort()) {
      const session = SESSION.exec(name)?.[1];
      if (session === undefined) continue;
      const folder = join(this.#root, name);
      found.push(...(await batchesIn(folder, session)));
      await rmdir(folder).catch(() => {});
    }
    await mkdir(this.#folder, { recursive: true });
    await syncFolder(this.#root);
    return found;
  }

  /** Throws `OUTBOX_FULL` where the disk does not take it. */
  async write(seq: number, bytes: Buffer): Promise<StoredBatch> {
    const path = join(this.#folder, `${String(seq).padStart(12, '0')}.json`);
    const draft = `${path}.draft`;
    try {
      const file = await open(draft, 'w', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
      await syncFolder(this.#folder);
    } catch (cause) {
      await rm(draft, { force: true }).catch(() => {});
      throw new AppError(
        'OUTBOX_FULL',
        `The outbox ${this.#root} takes no more records (${codeOf(cause) ?? 'unknown'}); make room on its disk.`,
        { cause },
      );
    }
    return { session: this.#session, seq, path, bytes: bytes.length };
  }

  read(batch: StoredBatch): Promise<Buffer> {
    return readFile(batch.path);
  }

  async release(batch: StoredBatch): Promise<void> {
    await rm(batch.path, { force: true });
    // Only the last batch of an earlier session leaves an empty folder behind.
    if (batch.session !== this.#session) await rmdir(join(batch.path, '..')).catch(() => {});
  }

  /** Out of the way but kept, with the reason beside it. */
  async refuse(batch: StoredBatch, reason: string): Promise<void> {
    const name = join(this.#root, 'refused', `${batch.session}-${batch.seq}`);
    // A full disk must not keep a refused batch before those that follow it.
    await writeFile(`${name}.txt`, `${reason}\n`, { mode: 0o600 }).catch(() => {});
    await rename(batch.path, `${name}.json`);
    if (batch.session !== this.#session) await rmdir(join(batch.path, '..')).catch(() => {});
  }

  async countRefused(): Promise<number> {
    return (await readdir(join(this.#root, 'refused'))).filter((name) => name.endsWith('.json')).length;
  }
}

async function batchesIn(folder: string, session: string): Promise<StoredBatch[]> {
  const found: StoredBatch[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    const seq = NAME.exec(name)?.[1];
    if (seq === undefined) await rm(path, { force: true });
    else found.push({ session, seq: Number(seq), path, bytes: (await stat(path)).size });
  }
  return found;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
