import type { Database } from '../platform/database/database.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { SPAN_COLUMNS, closeOldSpans } from './span-repository.ts';
import { columnList } from './bulk.ts';
import { dayOf } from './fold.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** A week without upkeep costs nothing. */
const DAYS_AHEAD = 7;
/** Late batches still find yesterday's span open; later ones begin another. */
const CLOSE_AFTER_MS = HOUR_MS;
/** Longer than the last minute, which is read from the log itself. */
const LOG_SECONDS = 120;

const nameOf = (day: number): string =>
  `observations_${new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`;
const startOf = (day: number): string => `timestamptz '${new Date(day * DAY_MS).toISOString()}'`;

/** The table of observations has one partition a UTC day. All of this may run again and again, and at several places at once. */
export class Partitions {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Makes the partitions of the coming days, closes the spans of past ones, adds up the log. `now`: ms. */
  async upkeep(now: number): Promise<{ created: string[]; closed: number }> {
    const today = dayOf(now);
    const days = Array.from({ length: DAYS_AHEAD + 2 }, (_, index) => today - 1 + index);
    const stray = await this.#database.many<{ at: number }>(
      `select distinct ms_of_instant(date_trunc('day', first_at, 'UTC')) as at from observations_default`,
    );
    const wanted = new Set([...days, ...stray.map(({ at }) => dayOf(at))]);
    const created: string[] = [];
    for (const day of wanted) if (await this.#create(day)) created.push(nameOf(day));
    const closed = await this.#database.transaction((tx) => closeOldSpans(tx, dayOf(now - CLOSE_AFTER_MS) * DAY_MS));
    await addUpLog(this.#database);
    return { created, closed };
  }

  /** Drops the partitions of days that ended more than `days` days before `now` (ms). Returns their names. */
  async dropOld(now: number, days: number): Promise<string[]> {
    const first = nameOf(dayOf(now) - days);
    const old = (await this.list()).filter((name) => name < first);
    for (const name of old) await this.#database.query(`drop table if exists ${name}`);
    await this.#database.query('delete from observations_default where first_at < $1', [
      new Date((dayOf(now) - days) * DAY_MS),
    ]);
    return old;
  }

  /** Names of the day partitions, oldest first. */
  async list(): Promise<string[]> {
    const rows = await this.#database.many<{ name: string }>(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
       where i.inhparent = 'observations'::regclass and c.relname ~ '^observations_\\d{8}$' order by 1`,
    );
    return rows.map(({ name }) => name);
  }

  async #create(day: number): Promise<boolean> {
    const name = nameOf(day);
    const exists = (db: Queryable) => db.one<{ found: boolean }>('select to_regclass($1) is not null as found', [name]);
    if ((await exists(this.#database)).found) return false;
    return this.#database.transaction(async (tx) => {
      // Nobody may add to the default partition between the move and the attachment, nor make the same partition.
      await tx.query('lock table observations_default in access exclusive mode');
      if ((await exists(tx)).found) return false;
      const [from, to] = [startOf(day), startOf(day + 1)];
      const columns = columnList(SPAN_COLUMNS);
      await tx.query(`create table ${name} (like observations including defaults)`);
      await tx.query(
        `with moved as (delete from observations_default where first_at >= ${from} and first_at < ${to} returning *)
         insert into ${name} (${columns}) select ${columns} from moved`,
      );
      await tx.query(`alter table observations attach partition ${name} for values from (${from}) to (${to})`);
      return true;
    });
  }
}

async function addUpLog(database: Database): Promise<void> {
  const sums = ['attempts', 'frames', 'bytes_fetched', 'bytes_sent', 'bytes_stored'];
  await database.query(
    `with moved as (
       delete from intake_log where at < clock_timestamp() - make_interval(secs => ${LOG_SECONDS}) returning *)
     insert into daily_totals as d (day, ${sums.join(', ')})
     select (at at time zone 'UTC')::date, ${sums.map((name) => `sum(${name})`).join(', ')} from moved group by 1 order by 1
     on conflict (day) do update set ${sums.map((name) => `${name} = d.${name} + excluded.${name}`).join(', ')}`,
  );
}
