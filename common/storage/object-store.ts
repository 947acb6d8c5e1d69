import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { AppError, codeOf } from '../runtime/errors.ts';

/** Immutable objects by key (`frames/ab/abcd…`, `models/<digest>/trunk.onnx`). */
export interface ObjectStore {
  /** Durable when it resolves: written, synced, renamed. Writing an existing key again is a no-op. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Rejects with `OBJECT_NOT_FOUND`. */
  get(key: string): Promise<Buffer>;
  stream(key: string): Promise<Readable>;
  has(key: string): Promise<boolean>;
  /** Size in bytes, `undefined` where absent. */
  size(key: string): Promise<number | undefined>;
  /** Deleting an absent key is a no-op. */
  delete(key: string): Promise<void>;
}

const KEY_PATTERN = /^[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*$/;

export class FolderStore implements ObjectStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.#pathOf(key);
    if (await this.has(key)) return;
    await writeDurably(path, bytes);
  }

  async get(key: string): Promise<Buffer> {
    try {
      return await readFile(this.#pathOf(key));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw notFound(key, error);
      throw error;
    }
  }

  async stream(key: string): Promise<Readable> {
    if (!(await this.has(key))) throw notFound(key);
    return createReadStream(this.#pathOf(key));
  }

  async has(key: string): Promise<boolean> {
    return (await this.size(key)) !== undefined;
  }

  async size(key: string): Promise<number | undefined> {
    try {
      return (await stat(this.#pathOf(key))).size;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.#pathOf(key), { force: true });
  }

  #pathOf(key: string): string {
    if (!KEY_PATTERN.test(key)) {
      throw new AppError('OBJECT_KEY_INVALID', `Object key ${JSON.stringify(key)} is not of the form name/name/name.`);
    }
    return join(this.#root, key);
  }
}

/** Written, synced, renamed, folder synced: after a crash the file is whole or absent. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Names in a folder; an absent folder is empty. */
export async function listFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function notFound(key: string, cause?: unknown): AppError {
  return new AppError('OBJECT_NOT_FOUND', `There is no object ${key} in the store.`, { cause });
}
