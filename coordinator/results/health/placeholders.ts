import type { PlaceholderAnswer } from '../../../common/protocol/agent-link.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Database } from '../../platform/database/database.ts';

/** A picture that several cameras of a host show in the place of their own. */
export interface Placeholder {
  hash: string;
  host: string;
  cameras: number;
  /** ms; `null` while it is only a candidate. */
  learnedAt: number | null;
  dismissed: boolean;
}

/**
 * The same still picture on so many cameras of a host that stand at different places, seen again after a while: one camera that
 * is registered several times has one place, and its picture goes on.
 */
const LEAST_CAMERAS = 3;
const SEEN_AGAIN_SECONDS = 25;
/** Newest ones; more would cost agents time with every picture. */
const MOST = 1_000;

const LEARN = `
  with seen as (
    select s.evidence->>'picture' as hash, min(c.host) as host, count(*)::int as cameras
    from camera_state s join cameras c on c.id = s.camera_id
    where s.evidence ? 'picture' and c.lifecycle = 'active' and s.last_attempt_at > clock_timestamp() - interval '1 day'
    group by c.host, s.evidence->>'picture'
    having count(*) >= ${LEAST_CAMERAS}
      and count(distinct coalesce(round(c.latitude::numeric, 4) || ' ' || round(c.longitude::numeric, 4), c.id::text)) >= ${LEAST_CAMERAS}
  ), forgotten as (
    delete from placeholders p where learned_at is null and dismissed_at is null
      and not exists (select from seen where seen.hash = p.hash)
  )
  insert into placeholders as p (hash, host, cameras)
  select distinct on (hash) hash, host, cameras from seen order by hash, cameras desc
  on conflict (hash) do update set cameras = greatest(p.cameras, excluded.cameras), learned_at = coalesce(p.learned_at,
    case when p.first_seen_at < clock_timestamp() - interval '${SEEN_AGAIN_SECONDS} s' then clock_timestamp() end)
  where p.dismissed_at is null and p.learned_at is null
  returning learned_at is not null as learned`;
const REVISE = 'update fleet_settings set placeholder_revision = placeholder_revision + 1';

/** Placeholder pictures, learned from what all agents see and told to all of them. */
export class Placeholders {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Looks for cards; gives how many are new. Agents hear of them with their next renewal. */
  async learn(): Promise<number> {
    return this.#database.transaction(async (tx) => {
      const rows = await tx.many<{ learned: boolean }>(LEARN);
      const learned = rows.filter((row) => row.learned).length;
      if (learned > 0) await tx.query(REVISE);
      return learned;
    });
  }

  /** What agents are told. */
  async current(): Promise<PlaceholderAnswer> {
    const { revision, hashes } = await this.#database.one<PlaceholderAnswer & Record<string, unknown>>(
      `select placeholder_revision as revision, array(select hash from placeholders
         where learned_at is not null and dismissed_at is null order by id desc limit ${MOST}) as hashes
       from fleet_settings`,
    );
    return { revision, hashes };
  }

  /** Newest first, candidates and dismissed ones too. */
  list(): Promise<Placeholder[]> {
    return this.#database.many<Placeholder & Record<string, unknown>>(
      `select hash, host, cameras, ms_of_instant(learned_at) as "learnedAt", dismissed_at is not null as dismissed
       from placeholders order by id desc limit ${MOST}`,
    );
  }

  /** It is no card, and is not learned again. Rejects with `PLACEHOLDER_NOT_FOUND`. */
  async dismiss(hash: string): Promise<void> {
    await this.#database.transaction(async (tx) => {
      const { rowCount } = await tx.query(
        'update placeholders set dismissed_at = coalesce(dismissed_at, clock_timestamp()) where hash = $1',
        [hash],
      );
      if (rowCount === 0)
        throw new AppError(
          'PLACEHOLDER_NOT_FOUND',
          `No placeholder has the hash ${hash}; GET /placeholders lists them.`,
        );
      await tx.query(REVISE);
    });
  }
}
