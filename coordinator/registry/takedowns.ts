import type { TakedownAnswer } from '../../common/protocol/agent-link.ts';
import { hostOf, parseTakedown } from '../../common/domain/takedown.ts';
import type { Takedown } from '../../common/domain/takedown.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { Database } from '../platform/database/database.ts';
import type { Queryable } from '../platform/database/queries.ts';

/** A take-down as people see it. */
export interface ShownTakedown extends Takedown {
  createdBy: string;
  /** ISO 8601. */
  createdAt: string;
  /** Cameras that are not captured because of it. */
  cameras: number;
}

export interface TakedownsOptions {
  database: Database;
  /** Cameras that are no longer, or again, to be captured. Must not throw. */
  onCameras(ids: readonly number[]): void;
  /** The list has another number. Must not throw. */
  onChanged(revision: number): void;
}

/** What must not be fetched any more, whoever asks for it. */
export class Takedowns {
  readonly #options: TakedownsOptions;

  constructor(options: TakedownsOptions) {
    this.#options = options;
  }

  async list(): Promise<ShownTakedown[]> {
    const rows = await this.#options.database.many<Omit<ShownTakedown, 'createdAt'> & { createdAt: Date }>(
      `${SHOWN} where t.removed_at is null order by t.id`,
    );
    return rows.map(shown);
  }

  /** What agents need. */
  async current(): Promise<TakedownAnswer> {
    const { database } = this.#options;
    // The number first: a list that is newer than its number is fetched once more, never the other way round.
    const { revision } = await database.one<{ revision: number }>(
      'select takedown_revision as revision from fleet_settings',
    );
    const takedowns = await database.many<Takedown & Record<string, unknown>>(
      'select id, kind, value, reason from takedowns where removed_at is null order by id',
    );
    return { revision, takedowns };
  }

  /** Rejects with `TAKEDOWN_INVALID` or, where it is in force already, `TAKEDOWN_EXISTS`. */
  async add({ value, reason, by }: { value: string; reason: string; by: string }): Promise<ShownTakedown> {
    const parsed = parseTakedown(value);
    if ('problem' in parsed) throw new AppError('TAKEDOWN_INVALID', parsed.problem);
    const host = parsed.kind === 'host' ? parsed.value : hostOf(new URL(parsed.value));
    const done = await this.#options.database.transaction(async (tx) => {
      const added = await tx.maybeOne<{ id: number }>(
        `insert into takedowns (kind, value, host, reason, created_by) values ($1, $2, $3, $4, $5)
         on conflict do nothing returning id`,
        [parsed.kind, parsed.value, host, reason, by],
      );
      if (!added) throw new AppError('TAKEDOWN_EXISTS', `"${parsed.value}" is on the list already.`);
      return { id: added.id, ...(await apply(tx, host)) };
    });
    this.#tell(done);
    return this.#get(done.id);
  }

  /** By id or by what it names. Rejects with `TAKEDOWN_NOT_FOUND`. */
  async remove(idOrValue: string, by: string): Promise<{ value: string; cameras: number }> {
    const parsed = parseTakedown(idOrValue);
    const value = 'problem' in parsed ? idOrValue : parsed.value;
    const id = /^\d{1,9}$/.test(idOrValue) ? Number(idOrValue) : null;
    const done = await this.#options.database.transaction(async (tx) => {
      const removed = await tx.maybeOne<{ host: string; value: string }>(
        `update takedowns set removed_at = clock_timestamp(), removed_by = $3
         where removed_at is null and (id = $1 or value = $2) returning host, value`,
        [id, value, by],
      );
      if (!removed) {
        throw new AppError(
          'TAKEDOWN_NOT_FOUND',
          `"${idOrValue}" is not on the list; "camfleet takedown list" shows it.`,
        );
      }
      return { ...removed, ...(await apply(tx, removed.host)) };
    });
    this.#tell(done);
    return { value: done.value, cameras: done.cameras.length };
  }

  async #get(id: number): Promise<ShownTakedown> {
    return shown(
      await this.#options.database.one<Omit<ShownTakedown, 'createdAt'> & { createdAt: Date }>(
        `${SHOWN} where t.id = $1`,
        [id],
      ),
    );
  }

  #tell({ cameras, revision }: { cameras: number[]; revision: number }): void {
    if (cameras.length > 0) this.#options.onCameras(cameras);
    this.#options.onChanged(revision);
  }
}

const SHOWN = `
  select t.id, t.kind, t.value, t.reason, t.created_by as "createdBy", t.created_at as "createdAt",
    (select count(*)::int from cameras c where c.taken_down = t.id) as cameras
  from takedowns t`;

const shown = (row: Omit<ShownTakedown, 'createdAt'> & { createdAt: Date }): ShownTakedown => ({
  ...row,
  createdAt: row.createdAt.toISOString(),
});

/** Brings the cameras of this host, and of the hosts below it, into line with the list; gives those that changed. */
async function apply(tx: Queryable, host: string): Promise<{ cameras: number[]; revision: number }> {
  const changed = await tx.many<{ id: number }>(
    `update cameras c set taken_down = takedown_of(c), updated_at = now()
     where (c.host = $1 or right(c.host, length($1) + 1) = '.' || $1) and c.taken_down is distinct from takedown_of(c)
     returning c.id`,
    [host],
  );
  const { revision } = await tx.one<{ revision: number }>(
    'update fleet_settings set takedown_revision = takedown_revision + 1 returning takedown_revision as revision',
  );
  return { cameras: changed.map(({ id }) => id), revision };
}
