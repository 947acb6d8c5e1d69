import type { RuleInput, RuleRow } from '../../../common/protocol/notifications.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Database } from '../../platform/database/database.ts';
import { isDuplicate } from '../../platform/database/errors.ts';

const COLUMNS = `
  r.id, r.name, r.events, r.kinds, r.states, r.verdicts, r.sources, r.countries, r.regions, r.tags,
  r.minimum_ms as "minimumMs", r.window_ms as "windowMs", r.per_hour as "perHour", r.hours, r.time_zone as "timeZone", r.recovery,
  r.created_by as "createdBy", ms_of_instant(r.created_at) as "createdAt",
  array(select c.name from notification_rule_channels l join notification_channels c on c.id = l.channel_id
    where l.rule_id = r.id order by c.name) as channels`;

/** What is to be told to whom. */
export class Rules {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async list(): Promise<RuleRow[]> {
    const rows = await this.#database.many<RuleRow & Record<string, unknown>>(
      `select ${COLUMNS} from notification_rules r order by r.name`,
    );
    return rows.map(withoutNulls);
  }

  /** Rejects with `RULE_NOT_FOUND`. */
  async get(name: string): Promise<RuleRow> {
    const row = await this.#database.maybeOne<RuleRow & Record<string, unknown>>(
      `select ${COLUMNS} from notification_rules r where r.name = $1`,
      [name],
    );
    if (!row) throw notFound(name);
    return withoutNulls(row);
  }

  /** Rejects with `RULE_EXISTS`, or `CHANNEL_NOT_FOUND` where it names none. */
  async add(rule: RuleInput, by: string): Promise<RuleRow> {
    const values = [
      ...[rule.name, rule.events, rule.kinds, rule.states, rule.verdicts, rule.sources, rule.countries, rule.regions],
      ...[rule.tags, rule.minimumMs, rule.windowMs, rule.perHour, rule.hours, rule.timeZone, rule.recovery, by],
    ].map((value) => value ?? null);
    await this.#database
      .transaction(async (tx) => {
        const { id } = await tx.one<{ id: number }>(
          `insert into notification_rules (name, events, kinds, states, verdicts, sources, countries, regions, tags,
             minimum_ms, window_ms, per_hour, hours, time_zone, recovery, created_by)
           values (${values.map((_, index) => `$${index + 1}`).join(', ')}) returning id`,
          values,
        );
        const linked = await tx.many<{ channel_id: number }>(
          `insert into notification_rule_channels (rule_id, channel_id)
           select $1, id from notification_channels where name = any($2) returning channel_id`,
          [id, rule.channels],
        );
        if (linked.length < new Set(rule.channels).size) throw await unknownChannel(tx, rule.channels);
      })
      .catch((error: unknown) => {
        if (isDuplicate(error)) throw new AppError('RULE_EXISTS', `There is a rule "${rule.name}" already.`);
        throw error;
      });
    return this.get(rule.name);
  }

  /** What it has sent stays on record. Rejects with `RULE_NOT_FOUND`. */
  async remove(name: string): Promise<void> {
    const { rowCount } = await this.#database.query('delete from notification_rules where name = $1', [name]);
    if (rowCount === 0) throw notFound(name);
  }
}

const notFound = (name: string): AppError =>
  new AppError('RULE_NOT_FOUND', `There is no rule "${name}"; "camfleet notifications rules list" shows all.`);

async function unknownChannel(db: Pick<Database, 'many'>, names: readonly string[]): Promise<AppError> {
  const known = await db.many<{ name: string }>('select name from notification_channels where name = any($1)', [names]);
  const unknown = names.filter((name) => !known.some((channel) => channel.name === name));
  return new AppError(
    'CHANNEL_NOT_FOUND',
    `There is no channel ${unknown.map((name) => `"${name}"`).join(', ')}; add it first, or see "camfleet notifications channels list".`,
  );
}

/** What was not given is absent, as in what was given. */
const withoutNulls = (row: RuleRow): RuleRow =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as unknown as RuleRow;
