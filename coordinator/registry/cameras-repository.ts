import type { Lifecycle, Place } from '../../common/domain/camera.ts';
import type { CameraState } from '../../common/domain/health.ts';
import type { Database } from '../platform/database/database.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { DEFAULT_INTERVAL_MS, DEFAULT_PRIORITY } from './camera.ts';
import type { Camera, CameraChange } from './camera.ts';
import { COLUMNS, ADDRESS_COLUMNS, hoursColumns, SHOWN, toCamera } from './rows.ts';
import type { CameraRow, StagedRow } from './rows.ts';
import { conditionsOf } from './search.ts';
import type { CameraFilter } from './search.ts';

/** What the planner of shards needs to know of a camera. */
export interface PlannableCamera {
  id: number;
  host: string;
  lifecycle: Lifecycle;
  place: Place | null;
  intervalMs: number;
  priority: number;
}

const names = Object.keys(COLUMNS) as (keyof StagedRow)[];
const DEFAULTS: Partial<Record<keyof StagedRow, string>> = {
  // Where nobody named it, its address does: without what lets people in, since names go everywhere.
  name: `coalesce(s.name, regexp_replace(s.source_camera_id,
    '([?&;#/_][a-z0-9_.-]*(user|usr|login|pass|pwd|psw|secret|token|auth|sig|key|credential|session)[a-z0-9_.-]*=)[^&#]*',
    '\\1***', 'gi'))`,
  interval_ms: `coalesce(s.interval_ms, ${DEFAULT_INTERVAL_MS})`,
  priority: `coalesce(s.priority, ${DEFAULT_PRIORITY})`,
  tags: `coalesce(s.tags, '{}')`,
  lifecycle: `coalesce(s.lifecycle, 'active')`,
};

/** Changes that the merge of staged rows makes; also what one added camera goes through. */
const KEEPS = new Set<keyof StagedRow>(['source', 'source_camera_id', 'lifecycle', ...ADDRESS_COLUMNS]);
const UPDATE = `update cameras c set
  ${ADDRESS_COLUMNS.map((name) => `${name} = s.${name}`).join(', ')},
  ${names
    .filter((name) => !KEEPS.has(name))
    .map((name) => `${name} = coalesce(s.${name}, c.${name})`)
    .join(', ')},
  lifecycle = case when c.retired_by_sync then coalesce(s.lifecycle, 'active') else c.lifecycle end,
  retired_by_sync = false, updated_at = now()
  from staged s
  where c.source = s.source and c.source_camera_id = s.source_camera_id
    and (c.import_digest is distinct from s.import_digest or c.retired_by_sync)
  returning c.id`;
const INSERT = `insert into cameras (${names.join(', ')})
  select ${names.map((name) => DEFAULTS[name] ?? `s.${name}`).join(', ')} from staged s
  where not exists (select from cameras c where c.source = s.source and c.source_camera_id = s.source_camera_id)
  order by s.position
  on conflict do nothing returning id`;
const SYNC = `update cameras c set lifecycle = 'retired', retired_by_sync = true, updated_at = now()
  where c.source in (select distinct source from staged) and c.lifecycle <> 'retired'
    and not exists (select from staged s where s.source = c.source and s.source_camera_id = c.source_camera_id)
  returning c.id`;

export const createStaging = async (tx: Queryable): Promise<void> =>
  void (await tx.query(
    `create temporary table staged (position integer generated always as identity,
       ${Object.entries(COLUMNS)
         .map(([name, type]) => `${name} ${type}`)
         .join(', ')}) on commit drop`,
  ));

const recordset = `json_to_recordset($1::json) as r(${Object.entries(COLUMNS)
  .map(([name, type]) => `${name} ${type}`)
  .join(', ')})`;

export const stage = async (tx: Queryable, rows: readonly StagedRow[]): Promise<void> =>
  void (await tx.query(`insert into staged (${names.join(', ')}) select ${names.join(', ')} from ${recordset}`, [
    JSON.stringify(rows),
  ]));

export interface Merged {
  added: number[];
  changed: number[];
  retired: number[];
}

/** Makes the registry agree with what was staged. */
export async function mergeStaged(tx: Queryable, sync: boolean): Promise<Merged> {
  await tx.query('analyze staged');
  const ids = async (sql: string): Promise<number[]> => (await tx.many<{ id: number }>(sql)).map(({ id }) => id);
  const changed = await ids(UPDATE);
  const added = await ids(INSERT);
  return { added, changed, retired: sync ? await ids(SYNC) : [] };
}

export class CamerasRepository {
  readonly #database: Database;
  #hasStates = false;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(ids: readonly number[]): Promise<Camera[]> {
    const from = await this.#from();
    const rows = await this.#database.many<CameraRow>(
      `select ${SHOWN}, ${from.state} from ${from.tables} where c.id = any($1::int[]) order by c.id`,
      [ids],
    );
    return rows.map(toCamera);
  }

  /** Cameras after an id, in the order of ids. */
  async list(filter: CameraFilter, after: number, limit: number): Promise<Camera[]> {
    const from = await this.#from();
    const { where, params } = conditionsOf(filter, this.#hasStates, await this.#isMisspelt(filter));
    const rows = await this.#database.many<CameraRow>(
      `select ${SHOWN}, ${from.state} from ${from.tables}
       where ${where} and c.id > $${params.length + 1} order by c.id limit $${params.length + 2}`,
      [...params, after, limit],
    );
    return rows.map(toCamera);
  }

  async count(filter: CameraFilter): Promise<number> {
    const { tables } = await this.#from();
    const { where, params } = conditionsOf(filter, this.#hasStates, await this.#isMisspelt(filter));
    const { count } = await this.#database.one<{ count: number }>(
      `select count(*) as count from ${tables} where ${where}`,
      params,
    );
    return count;
  }

  /** Those that match by state of health. */
  async countStates(filter: CameraFilter): Promise<Partial<Record<CameraState, number>>> {
    const { tables, state } = await this.#from();
    const { where, params } = conditionsOf(filter, this.#hasStates, await this.#isMisspelt(filter));
    const rows = await this.#database.many<{ state: CameraState; count: number }>(
      `select x.state, count(*)::int as count from (select ${state} from ${tables} where ${where}) x group by 1`,
      params,
    );
    return Object.fromEntries(rows.map((row) => [row.state, row.count]));
  }

  /** Ids of those that it really changes. */
  async set(filter: CameraFilter, change: CameraChange): Promise<number[]> {
    const { tables } = await this.#from();
    const { where, params } = conditionsOf(filter, this.#hasStates);
    const param = (value: unknown): string => `$${params.push(value)}`;
    const base = change.tags === undefined ? 'c.tags' : `${param(change.tags)}::text[]`;
    const tags = `array(select distinct t collate "C" as t from unnest(${base} || ${param(change.addTags ?? [])}::text[]) as t
      where t <> all(${param(change.removeTags ?? [])}::text[]) order by 1)`;
    const interval = `coalesce(${param(change.intervalMs ?? null)}::int, c.interval_ms)`;
    const priority = `coalesce(${param(change.priority ?? null)}::smallint, c.priority)`;
    const exactly = `coalesce(${param(change.intervalExactly ?? null)}::boolean, c.interval_exactly)`;
    const hours = hoursColumns(change.activeHours);
    const text = `coalesce(${param(hours.active_hours)}::text, c.active_hours)`;
    const minutes = `coalesce(${param(hours.active_minutes)}::int4multirange, c.active_minutes)`;
    const wanted = `select c.id, ${interval} as interval_ms, ${priority} as priority, ${tags} as tags,
      ${exactly} as interval_exactly, ${text} as active_hours, ${minutes} as active_minutes
      from ${tables} where ${where}`;
    const columns = ['interval_ms', 'priority', 'tags', 'interval_exactly', 'active_hours', 'active_minutes'];
    const rows = await this.#database.many<{ id: number }>(
      `update cameras u set ${columns.map((name) => `${name} = w.${name}`).join(', ')}, updated_at = now()
       from (${wanted}) w where u.id = w.id
         and (${columns.map((name) => `u.${name}`).join(', ')}) is distinct from (${columns.map((name) => `w.${name}`).join(', ')})
       returning u.id`,
      params,
    );
    return rows.map(({ id }) => id);
  }

  /** Moves those of the ids whose lifecycle is among `from`; gives the ids that moved. */
  async move(ids: readonly number[], from: readonly Lifecycle[], to: Lifecycle): Promise<number[]> {
    const rows = await this.#database.many<{ id: number }>(
      `update cameras set lifecycle = $3, retired_by_sync = false, updated_at = now()
       where id = any($1::int[]) and lifecycle = any($2::text[]) returning id`,
      [ids, from, to],
    );
    return rows.map(({ id }) => id);
  }

  /** With credentials; of those that are to be captured. */
  async sealed(ids: readonly number[]): Promise<(Camera & { credentials: Buffer | null })[]> {
    return this.#database.many<Camera & { credentials: Buffer | null } & CameraRow>(
      `select ${SHOWN}, c.credentials from cameras c
       where c.id = any($1::int[]) and c.lifecycle = 'active' and c.taken_down is null order by c.id`,
      [ids],
    );
  }

  /** Active ones that agents can fetch, in the order of ids. */
  async plannable(): Promise<PlannableCamera[]> {
    const rows = await this.#database.many<Omit<PlannableCamera, 'place'> & Partial<Place>>(
      `select id, host, lifecycle, latitude, longitude, interval_ms as "intervalMs", priority from cameras
       where lifecycle = 'active' and transport is not null and taken_down is null order by id`,
    );
    return rows.map(({ latitude, longitude, ...camera }) => ({
      ...camera,
      place: latitude == null || longitude == null ? null : { latitude, longitude },
    }));
  }

  /** Of these, how many have no time zone. */
  async withoutZone(ids: readonly number[]): Promise<number> {
    const { count } = await this.#database.one<{ count: number }>(
      'select count(*)::int as count from cameras where id = any($1::int[]) and time_zone is null',
      [ids],
    );
    return count;
  }

  async hostsAmong(names: readonly string[]): Promise<string[]> {
    const rows = await this.#database.many<{ host: string }>(
      'select n.host from unnest($1::text[]) as n (host) where exists (select from cameras c where c.host = n.host)',
      [names],
    );
    return rows.map(({ host }) => host);
  }

  /** Whether no camera at all has the words: decided alike for every page of a list. */
  async #isMisspelt(filter: CameraFilter): Promise<boolean> {
    if (filter.text === undefined) return false;
    const { where, params } = conditionsOf({ text: filter.text }, false);
    const { none } = await this.#database.one<{ none: boolean }>(
      `select not exists (select from cameras c where ${where}) as none`,
      params,
    );
    return none;
  }

  /** The states of cameras are another room's table: without it every state is unknown. */
  async #from(): Promise<{ tables: string; state: string }> {
    if (!this.#hasStates) {
      const { there } = await this.#database.one<{ there: boolean }>(
        `select to_regclass('camera_state') is not null as there`,
      );
      this.#hasStates = there;
    }
    return this.#hasStates
      ? {
          tables: 'cameras c left join camera_state s on s.camera_id = c.id',
          state:
            `coalesce((select h.state from camera_health h where h.camera_id = c.id),
              case when camera_is_paused(c, clock_timestamp()) then 'paused' else 'unknown' end) as state, ` +
            's.verdict, coalesce(s.last_attempt_at, c.last_tried_at) as "lastTriedAt", coalesce(s.last_good_at, c.last_good_at) as "lastGoodAt"',
        }
      : {
          tables: 'cameras c',
          state: `'unknown' as state, null::text as verdict, c.last_tried_at as "lastTriedAt", c.last_good_at as "lastGoodAt"`,
        };
  }
}
