import type { PlaceholderAnswer } from '../../../common/protocol/agent-link.ts';
import type { LearnedCard } from '../../../common/protocol/health.ts';
import { isSameCard } from '../../../common/domain/perceptual-hash.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Database } from '../../platform/database/database.ts';
import { findCards } from './card-groups.ts';
import type { StillPicture } from './card-groups.ts';

/** A card is there when it is seen again after a while: a picture goes on. */
const SEEN_AGAIN_SECONDS = 25;
/** Newest ones; more would cost agents time with every picture. */
const MOST = 1_000;
/** Different pictures of a host that are compared with each other at once; what is learned of them makes room for others. */
const MOST_OF_HOST = 64;

// Those that agents take for a card already come with another verdict, and without a hash.
const SEEN = `
  with still as (
    select c.host, s.evidence->>'picture' as hash, count(*)::int as cameras,
      array_agg(distinct coalesce(round(c.latitude::numeric, 4) || ' ' || round(c.longitude::numeric, 4), c.id::text)) as places
    from camera_state s join cameras c on c.id = s.camera_id
    where s.evidence ? 'picture' and s.evidence->>'picture' ~ '^[0-9a-f]{48}$' and c.lifecycle = 'active'
      and s.last_attempt_at > clock_timestamp() - interval '1 day'
    group by c.host, s.evidence->>'picture'
  ), ranked as (
    select *, sum(cameras) over (partition by host) as of_host,
      row_number() over (partition by host order by cameras desc, hash) as rank
    from still
  )
  select host, hash, cameras, places from ranked where of_host >= 3 and rank <= ${MOST_OF_HOST} order by host, rank`;
const FORGET = `delete from placeholders where learned_at is null and dismissed_at is null and hash <> all($1::text[])`;
const LEARN = `
  insert into placeholders as p (hash, host, cameras)
  select hash, host, cameras from unnest($1::text[], $2::text[], $3::int[]) as r (hash, host, cameras)
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
      const stored = await tx.many<{ hash: string; dismissed: boolean; candidate: boolean }>(
        `select hash, dismissed_at is not null as dismissed, learned_at is null and dismissed_at is null as candidate
         from placeholders`,
      );
      const candidates = new Set(stored.filter(({ candidate }) => candidate).map(({ hash }) => hash));
      const pictures = await tx.many<StillPicture & Record<string, unknown>>(SEEN);
      const dismissed = stored.filter((one) => one.dismissed);
      const cards = findCards(pictures, candidates).filter(
        (card) => !dismissed.some(({ hash }) => isSameCard(hash, card.hash)),
      );
      const hashes = cards.map(({ hash }) => hash);
      await tx.query(FORGET, [hashes]);
      const rows = await tx.many<{ learned: boolean }>(LEARN, [
        hashes,
        cards.map(({ host }) => host),
        cards.map(({ cameras }) => cameras),
      ]);
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
  list(): Promise<LearnedCard[]> {
    return this.#database.many<LearnedCard & Record<string, unknown>>(
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
          `No placeholder has the hash ${hash}; "camfleet cards list" shows all.`,
        );
      await tx.query(REVISE);
    });
  }
}
