import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../common/runtime/errors.ts';
import type { Logger } from '../common/runtime/logger.ts';

/** The highest fencing token this agent ever saw, kept over restarts: a restored coordinator starts above it. */
export class HighestToken {
  readonly #path: string;
  readonly #logger: Logger;
  #value = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(dataFolder: string, logger: Logger) {
    this.#path = join(dataFolder, 'highest-token');
    this.#logger = logger;
  }

  get value(): number {
    return this.#value;
  }

  async load(): Promise<void> {
    const stored = Number(await readFile(this.#path, 'utf8').catch(() => '0'));
    if (Number.isSafeInteger(stored)) this.#value = stored;
  }

  saw(token: number): void {
    if (token <= this.#value) return;
    this.#value = token;
    this.#writing = this.#writing.then(() => this.#write(token));
  }

  async #write(token: number): Promise<void> {
    try {
      await writeFile(`${this.#path}.new`, String(token));
      await rename(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#logger.warn({ reason: messageOf(error) }, 'the highest token could not be stored');
    }
  }
}
