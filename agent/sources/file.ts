import { readFile, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EncodedFrame } from '../../common/domain/frame.ts';
import { AppError, messageOf } from '../../common/runtime/errors.ts';
import { sleepUnder } from './abort-groups.ts';
import { sourceError } from './errors.ts';
import type { FetchRequest, PolledSource, SourceContext, SourceSpec } from './source.ts';

const MAX_FILE_BYTES = 8_000_000;

/**
 * A folder of pictures, shown in name order: `file:///folder`, and `file:///folder?loop=1` to begin again at the end. Only
 * folders that the operator named may be read.
 */
export class FileSource implements PolledSource {
  minIntervalMs: number;
  readonly #context: SourceContext;
  readonly #folder: string;
  readonly #loop: boolean;
  #names: string[] | undefined;
  #next = 0;

  constructor(spec: SourceSpec, context: SourceContext) {
    const url = URL.canParse(spec.url) ? new URL(spec.url) : undefined;
    if (url?.protocol !== 'file:' || url.host !== '') {
      throw new AppError(
        'SOURCE_URL_INVALID',
        'A folder is named by a URL like file:///pictures/camera-1; correct it.',
      );
    }
    this.minIntervalMs = spec.minIntervalMs ?? 0;
    this.#context = context;
    this.#folder = fileURLToPath(url);
    this.#loop = url.searchParams.get('loop') === '1';
  }

  /** The next file; `SOURCE_ENDED` behind the last one of a folder that does not begin again. */
  async fetchOnce({ signal }: FetchRequest = {}): Promise<EncodedFrame> {
    signal?.throwIfAborted();
    const names = (this.#names ??= await this.#list());
    if (this.#next >= names.length && this.#loop) this.#next = 0;
    const name = names[this.#next];
    if (name === undefined)
      throw sourceError('SOURCE_ENDED', `The folder ${this.#folder} has no more pictures.`, { files: names.length });
    this.#next++;
    return this.#read(name);
  }

  async *frames(signal: AbortSignal): AsyncGenerator<EncodedFrame> {
    for (;;) {
      yield await this.fetchOnce({ signal });
      if (this.minIntervalMs > 0) await sleepUnder(this.#context.clock, this.minIntervalMs, signal);
    }
  }

  async #list(): Promise<string[]> {
    try {
      const folder = await realpath(this.#folder);
      await this.#check(folder);
      const entries = await readdir(folder, { withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
        .map((entry) => entry.name)
        .sort();
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw sourceError('SOURCE_ENDED', `The folder ${this.#folder} cannot be read: ${messageOf(error)}.`, {}, error);
    }
  }

  /** Judged by where the folder really is, so a link does not lead out of the allowed ones. */
  async #check(folder: string): Promise<void> {
    for (const root of this.#context.fileRoots ?? []) {
      const real = await realpath(root).catch(() => undefined);
      if (real !== undefined && (folder === real || folder.startsWith(real + sep))) return;
    }
    throw sourceError(
      'SOURCE_BLOCKED',
      `${this.#folder} is not below a folder that this agent may read; add it to the agent's files.roots.`,
      { reason: 'folder' },
    );
  }

  async #read(name: string): Promise<EncodedFrame> {
    const path = join(this.#folder, name);
    const facts = await stat(path);
    if (facts.size > MAX_FILE_BYTES)
      throw sourceError('SOURCE_TOO_LARGE', `${name} has ${facts.size} bytes, ${MAX_FILE_BYTES} are allowed.`, {
        bytes: facts.size,
        maxBytes: MAX_FILE_BYTES,
      });
    const bytes = await readFile(path);
    const fetchedAt = this.#context.clock.now();
    return {
      bytes,
      notModified: false,
      fetchedAt,
      transferBytes: bytes.length,
      capturedAt: { at: fetchedAt, origin: 'fetch' },
    };
  }
}
