import { randomBytes } from 'node:crypto';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../../common/runtime/errors.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { writeDurably } from '../../../common/storage/object-store.ts';
import type { Queryable } from '../database/queries.ts';

/** Each role may do what those before it may. */
export const roles = ['viewer', 'researcher', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

/** Who a request comes from. */
export type Principal =
  | { kind: 'token'; tokenId: number; name: string; role: Role }
  | { kind: 'agent'; agentId: string; sessionId: string }
  | { kind: 'nobody' };

export interface TokenInfo {
  id: number;
  name: string;
  role: Role;
  createdAt: Date;
  revokedAt: Date | null;
}

export const mayAct = (role: Role, needed: Role): boolean => roles.indexOf(role) >= roles.indexOf(needed);

/** A revoked token works on for at most this long: the price of not asking the database for every request. */
const REMEMBER_MS = 5_000;
/** Wrong tokens are not remembered, right ones are few. */
const REMEMBER_MOST = 1_000;

/** Where a data folder keeps the administrator's token. */
export const adminTokenFile = (keysFolder: string): string => join(keysFolder, 'admin-token');

/** The API's tokens. */
export class AccessControl {
  readonly #database: Queryable;
  readonly #known = new Map<string, { principal: Principal & { kind: 'token' }; until: number }>();

  constructor(database: Queryable) {
    this.#database = database;
  }

  /** The token's owner; `undefined` for an unknown or revoked one. */
  async verify(token: string): Promise<(Principal & { kind: 'token' }) | undefined> {
    const digest = sha256(token);
    const known = this.#known.get(digest);
    if (known && known.until > performance.now()) return known.principal;
    this.#known.delete(digest);
    const row = await this.#database.maybeOne<{ id: number; name: string; role: Role }>(
      'select id, name, role from api_tokens where digest = $1 and revoked_at is null',
      [digest],
    );
    if (!row) return undefined;
    const principal = { kind: 'token' as const, tokenId: row.id, name: row.name, role: row.role };
    if (this.#known.size >= REMEMBER_MOST) this.#known.clear();
    this.#known.set(digest, { principal, until: performance.now() + REMEMBER_MS });
    return principal;
  }

  /** Makes a token; it is shown this once and nowhere kept. */
  async create(name: string, role: Role): Promise<{ id: number; token: string }> {
    const token = `cft_${randomBytes(24).toString('base64url')}`;
    return { id: await this.#insert(name, role, token), token };
  }

  async list(): Promise<TokenInfo[]> {
    return this.#database.many<TokenInfo & Record<string, unknown>>(
      `select id, name, role, created_at as "createdAt", revoked_at as "revokedAt" from api_tokens order by id`,
    );
  }

  /** Rejects with `TOKEN_NOT_FOUND`. */
  async revoke(id: number): Promise<void> {
    const { rowCount } = await this.#database.query(
      'update api_tokens set revoked_at = coalesce(revoked_at, clock_timestamp()) where id = $1',
      [id],
    );
    if (rowCount === 0) throw new AppError('TOKEN_NOT_FOUND', `There is no API token ${id}.`);
    this.#known.clear();
  }

  /**
   * The administrator's token of this data folder: made at the first start and kept in `keysFolder/admin-token` (0600). A
   * database that does not know the file's token (restored, or another one) learns it.
   */
  async adminToken(keysFolder: string): Promise<string> {
    const path = adminTokenFile(keysFolder);
    const kept = await readFile(path, 'utf8').catch(() => '');
    const token = kept.trim() || `cft_${randomBytes(24).toString('base64url')}`;
    if (!kept.trim()) {
      await writeDurably(path, Buffer.from(`${token}\n`));
      await chmod(path, 0o600);
    }
    await this.#insert('first administrator', 'admin', token);
    return token;
  }

  async #insert(name: string, role: Role, token: string): Promise<number> {
    const { id } = await this.#database.one<{ id: number }>(
      `insert into api_tokens (name, role, digest) values ($1, $2, $3)
       on conflict (digest) do update set digest = excluded.digest returning id`,
      [name, role, sha256(token)],
    );
    return id;
  }
}
