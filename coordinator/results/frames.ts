import type { KeepReason, Scores } from '../../common/domain/fragment.ts';
import type { Verdict } from '../../common/domain/verdict.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { Logger } from '../../common/runtime/logger.ts';
import { DIGEST_PATTERN, sha256 } from '../../common/storage/digest.ts';
import type { ObjectStore } from '../../common/storage/object-store.ts';
import type { Database } from '../platform/database/database.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { askForFrames, countAsked } from './asked.ts';
import type { AskedFrames } from './asked.ts';
import { columnList, readList } from './bulk.ts';
import { evictFrames, hasEvictable, objectKeyOf } from './eviction.ts';
import type { Traffic } from './traffic.ts';
import { FRAME_COLUMNS, WANTED_COLUMNS, noteKeptFrame } from './wants.ts';
import type { WantedFrame } from './wants.ts';

export interface FramesOptions {
  database: Database;
  objects: ObjectStore;
  quotaBytes: number;
  traffic: Traffic;
  logger: Logger;
  /** Called in the transaction that keeps a picture. */
  onKept?: (tx: Queryable, frame: WantedFrame) => Promise<void>;
}

export interface KeptFrame {
  digest: string;
  cameraId: number;
  /** When it was fetched, ms of the database's clock. */
  at: number;
  reason: KeepReason;
  bytes: number;
  verdict: Verdict;
  label: string | null;
  modelVersion: string | null;
  scores: Scores | null;
  pinned: boolean;
}

/** Evicting a hundredth at a time: one round of eviction for many pictures. */
const ROUND = 100;

/** Kept pictures, by digest, under a quota. */
export class Frames {
  readonly #options: FramesOptions;
  #usedBytes: number | undefined;
  #isFull = false;
  /** The last picture for which there was no room. */
  #refusedBytes = 0;
  #evicting: Promise<unknown> = Promise.resolve();

  constructor(options: FramesOptions) {
    this.#options = options;
  }

  /** Whether pictures may be asked for. */
  get keeps(): boolean {
    return !this.#isFull;
  }

  async status(): Promise<{ usedBytes: number; quotaBytes: number; framesFull: boolean }> {
    const usedBytes = await this.#used();
    return { usedBytes, quotaBytes: this.#options.quotaBytes, framesFull: this.#isFull };
  }

  /**
   * Keeps a picture that a receipt asked for. `known`: it is there already. `full`: only frames are left that something
   * refers to; this one is dropped. Rejects with `FRAME_DIGEST` (400) or `FRAME_UNWANTED` (409).
   */
  async store(digest: string, cameraId: number, bytes: Buffer): Promise<'stored' | 'known' | 'full'> {
    const found = sha256(bytes);
    if (found !== digest) {
      const message = `The picture has the SHA-256 ${found}, expected ${digest}; send it again.`;
      throw new AppError('FRAME_DIGEST', message, { details: { status: 400 } });
    }
    this.#options.traffic.add({ sent: bytes.length });
    // Before any eviction: what nobody asked for must not push out anything.
    if (!(await findWanted(this.#options.database, digest, cameraId))) return 'known';
    if (!(await this.#makeRoom(bytes.length))) return 'full';
    const outcome = await this.#insert(digest, cameraId, bytes);
    if (outcome === 'stored') {
      this.#usedBytes = (this.#usedBytes ?? 0) + bytes.length;
      this.#options.traffic.add({ stored: bytes.length });
    }
    return outcome;
  }

  /** The bytes as they were fetched. Rejects with `OBJECT_NOT_FOUND` (also where it was evicted). */
  async read(digest: string): Promise<Buffer> {
    if (!DIGEST_PATTERN.test(digest)) throw new AppError('OBJECT_NOT_FOUND', `${digest} is not a SHA-256 in hex.`);
    return this.#options.objects.get(objectKeyOf(digest));
  }

  /** Kept frames of a camera, newest first; `before` is the `at` of the last one of the page before. */
  async ofCamera(
    cameraId: number,
    { limit = 50, before }: { limit?: number; before?: number } = {},
  ): Promise<KeptFrame[]> {
    return this.#options.database.many<KeptFrame & Record<string, unknown>>(
      `select ${readList(FRAME_COLUMNS)}, bytes, pinned from frames
       where camera_id = $1 and ($2::float8 is null or at < instant_of_ms($2)) order by at desc, digest limit $3`,
      [cameraId, before ?? null, limit],
    );
  }

  /** Wants a fresh good picture of each of these cameras; gives the moment of asking, ms of the database's clock. */
  ask(cameraIds: readonly number[]): Promise<number> {
    return askForFrames(this.#options.database, cameraIds);
  }

  /** What became of the cameras that were asked at that moment or later. */
  asked(askedAt: number): Promise<AskedFrames> {
    return countAsked(this.#options.database, askedAt);
  }

  /** Brings the store back under its quota and finds out anew whether it is full. */
  async evict(): Promise<{ frames: number; bytes: number; framesFull: boolean }> {
    return this.#alone(async () => {
      const { database, quotaBytes } = this.#options;
      const used = await this.#count();
      const freed =
        used > quotaBytes ? await this.#free(used - quotaBytes + quotaBytes / ROUND) : { frames: 0, bytes: 0 };
      const room = quotaBytes - (await this.#used());
      this.#setFull(room < Math.max(1, this.#refusedBytes) && !(await hasEvictable(database)));
      return { ...freed, framesFull: this.#isFull };
    });
  }

  async #makeRoom(needed: number): Promise<boolean> {
    const { quotaBytes } = this.#options;
    const fits = async (): Promise<boolean> => (await this.#used()) + needed <= quotaBytes;
    if (await fits()) return true;
    return this.#alone(async () => {
      if (!(await fits())) await this.#free((await this.#used()) + needed - quotaBytes + quotaBytes / ROUND);
      const isRoom = await fits();
      if (!isRoom) this.#refusedBytes = needed;
      this.#setFull(!isRoom);
      return isRoom;
    });
  }

  #insert(digest: string, cameraId: number, bytes: Buffer): Promise<'stored' | 'known'> {
    const { database, objects, onKept } = this.#options;
    return database.transaction(async (tx) => {
      const wanted = await findWanted(tx, digest, cameraId, 'for update');
      if (!wanted) return 'known';
      const columns = columnList(FRAME_COLUMNS);
      // The row before the object: it waits for an eviction of the same digest that is under way.
      const { rowCount } = await tx.query(
        `insert into frames (${columns}, bytes) select ${columns}, $2 from frames_wanted where digest = $1
         on conflict (digest) do nothing`,
        [digest, bytes.length],
      );
      await tx.query('delete from frames_wanted where digest = $1', [digest]);
      await noteKeptFrame(tx, wanted);
      await objects.put(objectKeyOf(digest), bytes);
      // Last: what it locks is free again with the commit.
      if (rowCount === 1) await onKept?.(tx, wanted);
      return rowCount === 1 ? 'stored' : 'known';
    });
  }

  async #free(wantedBytes: number): Promise<{ frames: number; bytes: number }> {
    const { database, objects, quotaBytes } = this.#options;
    const freed = await evictFrames(database, objects, { quotaBytes, wantedBytes });
    this.#usedBytes = (await this.#used()) - freed.bytes;
    return freed;
  }

  async #used(): Promise<number> {
    return this.#usedBytes ?? (await this.#count());
  }

  /** Other coordinators store too: what is known here drifts until it is counted again. */
  async #count(): Promise<number> {
    const { used } = await this.#options.database.one<{ used: number }>(
      'select coalesce(sum(bytes), 0)::bigint as used from frames',
    );
    this.#usedBytes = used;
    return used;
  }

  #setFull(isFull: boolean): void {
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    const { logger, quotaBytes } = this.#options;
    if (isFull) logger.warn({ quotaBytes }, 'only frames that are referred to are left: nothing new is kept');
    else logger.info('new frames are kept again');
  }

  /** One eviction at a time: two would free twice as much. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#evicting.then(work, work);
    this.#evicting = turn.catch(() => undefined);
    return turn;
  }
}

/** The wish that this picture fulfils; `undefined` where it is kept already. */
async function findWanted(
  db: Queryable,
  digest: string,
  cameraId: number,
  lock: 'for update' | '' = '',
): Promise<WantedFrame | undefined> {
  const wanted = await db.maybeOne<WantedFrame & Record<string, unknown>>(
    `select ${readList(WANTED_COLUMNS)} from frames_wanted where digest = $1 and camera_id = $2 ${lock}`,
    [digest, cameraId],
  );
  if (wanted || (await db.maybeOne('select from frames where digest = $1', [digest]))) return wanted;
  const message = 'No receipt asked for this picture, or it came too late; drop it.';
  throw new AppError('FRAME_UNWANTED', message, { details: { status: 409 } });
}
