import type { CameraMemory } from '../../common/domain/fragment.ts';
import type { Database } from '../platform/database/database.ts';
import { readList } from './bulk.ts';
import { SPAN_COLUMNS } from './span-repository.ts';
import type { StoredSpan } from './span-repository.ts';
import { readMemories } from './state-repository.ts';

/** Where the next page of spans begins: the last span of the page before. */
interface SpanPosition {
  firstAt: number;
  id: number;
}

const ALL_SPANS = `(select * from open_spans union all select * from observations)`;

/** What page and API ask about one camera's results; the numbers of the fleet are in StatusReader. */
export class ResultQueries {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  memoriesOf(cameraIds: number[]): Promise<Map<number, CameraMemory>> {
    return readMemories(this.#database, cameraIds);
  }

  /** Spans of a camera, open ones included, the latest beginning first. */
  async spansOf(cameraId: number, page: { limit?: number; before?: SpanPosition } = {}): Promise<StoredSpan[]> {
    const { limit = 50, before } = page;
    return this.#database.many<StoredSpan & Record<string, unknown>>(
      `select ${readList(SPAN_COLUMNS)} from ${ALL_SPANS} s
       where camera_id = $1 and ($2::float8 is null or (first_at, id) < (instant_of_ms($2), $3::bigint))
       order by s.first_at desc, s.id desc limit $4`,
      [cameraId, before?.firstAt ?? null, before?.id ?? null, limit],
    );
  }
}
