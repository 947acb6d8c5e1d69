import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Database } from '../platform/database/database.ts';

/** A connection is made within seconds; a nonce that is older was kept by somebody. */
const VALID_MS = 60_000;

/** Nonces for handshakes: nothing is stored when one is given away, and each serves once, whichever coordinator gave it. */
export class Nonces {
  readonly #database: Database;
  #secret: Promise<string> | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(): Promise<string> {
    const body = `${await this.#database.clockNow().then(Math.round)}.${randomBytes(16).toString('base64url')}`;
    return `${body}.${await this.#seal(body)}`;
  }

  /** True once for a nonce of ours that is at most a minute old. */
  async use(nonce: string): Promise<boolean> {
    const [at, random, seal] = nonce.split('.');
    if (at === undefined || random === undefined || seal === undefined || nonce.length > 200) return false;
    if (!isEqual(seal, await this.#seal(`${at}.${random}`))) return false;
    const { rowCount } = await this.#database.query(
      `insert into used_nonces (nonce) select $1
       where abs(extract(epoch from clock_timestamp()) * 1000 - $2::float8) < $3 on conflict do nothing`,
      [`${at}.${random}`, Number(at), VALID_MS],
    );
    return rowCount === 1;
  }

  async prune(): Promise<void> {
    await this.#database.query(
      'delete from used_nonces where used_at < clock_timestamp() - make_interval(secs => $1 / 1000.0)',
      [VALID_MS * 2],
    );
  }

  async #seal(body: string): Promise<string> {
    this.#secret ??= this.#readSecret().catch((error: unknown) => {
      this.#secret = undefined;
      throw error;
    });
    return createHmac('sha256', await this.#secret)
      .update(body)
      .digest('base64url');
  }

  async #readSecret(): Promise<string> {
    const { secret } = await this.#database.one<{ secret: string }>(
      'update fleet_settings set nonce_secret = coalesce(nonce_secret, $1) returning nonce_secret as secret',
      [randomBytes(32).toString('hex')],
    );
    return secret;
  }
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
