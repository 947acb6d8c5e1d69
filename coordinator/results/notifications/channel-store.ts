import type { ChannelKindRow, ChannelRow } from '../../../common/protocol/notifications.ts';
import { AppError, codeOf } from '../../../common/runtime/errors.ts';
import { seal, unseal } from '../../../common/storage/seal.ts';
import type { Database } from '../../platform/database/database.ts';

import { settingsOf } from './channels/channel.ts';
import type { ChannelKind, Given } from './channels/channel.ts';
import { channelKinds } from './channels/table.ts';

export interface NewChannel extends Given {
  name: string;
  kind: string;
  /** An existing one of this name gets these settings; rules go on with it. */
  replace: boolean;
  by: string;
}

/** A channel that can be sent through. */
export interface OpenChannel {
  id: number;
  name: string;
  kind: ChannelKind;
  given: Given;
}

interface Row extends Record<string, unknown> {
  id: number;
  name: string;
  kind: string;
  settings: Record<string, unknown>;
  secrets: Buffer;
  createdBy: string;
  createdAt: number;
}

const COLUMNS = `id, name, kind, settings, secrets, created_by as "createdBy", ms_of_instant(created_at) as "createdAt"`;
/** PostgreSQL: a row elsewhere refers to it. */
const REFERRED = '23503';
const boundTo = (name: string): string => `notification channel\0${name}`;

/** Where to tell people, with secrets that only a delivery sees. */
export class ChannelStore {
  readonly #database: Database;
  readonly #key: Buffer;

  constructor(database: Database, key: Buffer) {
    this.#database = database;
    this.#key = key;
  }

  kinds(): ChannelKindRow[] {
    return Object.entries(channelKinds).map(([kind, of]) => ({
      ...{ kind, summary: of.summary, settings: settingsOf(of) },
    }));
  }

  async list(): Promise<ChannelRow[]> {
    const rows = await this.#database.many<Row>(`select ${COLUMNS} from notification_channels order by name`);
    return rows.map((row) => this.#show(row));
  }

  async get(name: string): Promise<ChannelRow> {
    return this.#show(await this.#find(name));
  }

  /** Rejects with `CHANNEL_INVALID` or `CHANNEL_EXISTS`. */
  async add({ name, kind, settings, secrets, replace, by }: NewChannel): Promise<ChannelRow> {
    kindOf(kind).check({ settings, secrets });
    const row = await this.#database.maybeOne<Row>(
      `insert into notification_channels as c (name, kind, settings, secrets, created_by) values ($1, $2, $3, $4, $5)
       on conflict (name) do update set kind = excluded.kind, settings = excluded.settings, secrets = excluded.secrets
       where $6 returning ${COLUMNS}`,
      [name, kind, JSON.stringify(settings), seal(this.#key, JSON.stringify(secrets), boundTo(name)), by, replace],
    );
    if (!row) throw new AppError('CHANNEL_EXISTS', `There is a channel "${name}" already; add --replace to change it.`);
    return this.#show(row);
  }

  /** What waits for it is given up. Rejects with `CHANNEL_NOT_FOUND`, or `CHANNEL_STATE` while a rule uses it. */
  async remove(name: string): Promise<void> {
    const { id } = await this.#find(name);
    await this.#database
      .transaction(async (tx) => {
        await tx.query(
          `update notification_deliveries set state = 'failed', finished_at = clock_timestamp(), taken_until = null,
             answer = 'the channel was removed' where channel_id = $1 and state = 'waiting'`,
          [id],
        );
        await tx.query('delete from notification_channels where id = $1', [id]);
      })
      .catch((error: unknown) => {
        if (codeOf(error) !== REFERRED) throw error;
        throw new AppError('CHANNEL_STATE', `A rule still uses the channel "${name}"; remove the rule first.`);
      });
  }

  /** Rejects with `CHANNEL_NOT_FOUND`, or `CHANNEL_SECRETS` where they cannot be opened. */
  async open(name: string): Promise<OpenChannel> {
    const row = await this.#find(name);
    return { id: row.id, name, kind: kindOf(row.kind), given: { settings: row.settings, secrets: this.#unseal(row) } };
  }

  async #find(name: string): Promise<Row> {
    const row = await this.#database.maybeOne<Row>(`select ${COLUMNS} from notification_channels where name = $1`, [
      name,
    ]);
    if (row) return row;
    throw new AppError(
      'CHANNEL_NOT_FOUND',
      `There is no channel "${name}"; "camfleet notifications channels list" shows all.`,
    );
  }

  #unseal({ name, secrets }: Row): Given['secrets'] {
    try {
      return JSON.parse(unseal(this.#key, secrets, boundTo(name))) as Given['secrets'];
    } catch (cause) {
      throw new AppError(
        'CHANNEL_SECRETS',
        `The secrets of the channel "${name}" cannot be opened with this key. Restore DATA/keys, or give the channel anew with --replace.`,
        { cause },
      );
    }
  }

  #show(row: Row): ChannelRow {
    const { secrets: sealed, ...shown } = row;
    void sealed;
    try {
      const secrets = this.#unseal(row);
      const target = kindOf(row.kind).describe({ settings: row.settings, secrets });
      return { ...shown, target, secrets: Object.keys(secrets) };
    } catch {
      // A list must show the others, and this one so that it can be removed.
      return { ...shown, target: 'cannot be opened with this key', secrets: [] };
    }
  }
}

function kindOf(name: string): ChannelKind {
  const kind = Object.hasOwn(channelKinds, name) ? channelKinds[name] : undefined;
  if (kind) return kind;
  throw new AppError(
    'CHANNEL_INVALID',
    `"${name}" is no kind of channel; there are ${Object.keys(channelKinds).join(', ')}.`,
  );
}
