import { AppError, codeOf, messageOf } from '../../../common/runtime/errors.ts';
import type { Database } from '../../platform/database/database.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import type { AddressRules } from '../address.ts';
import { cameraInputSchema } from '../camera.ts';
import { createStaging, mergeStaged, stage } from '../cameras-repository.ts';
import type { Merged } from '../cameras-repository.ts';
import type { CredentialsVault } from '../credentials.ts';
import { toRow } from '../rows.ts';
import type { StagedRow } from '../rows.ts';
import { entriesOf } from './entries.ts';
import type { ImportFormat } from './entries.ts';
import type { Entry } from './lines.ts';
import { fieldsOf } from './fields.ts';

const BATCH = 1_000;
const MOST_NOTES = 100;
/** More rejections than this end the import: the file is not what it seems. */
const MOST_REJECTED = 1_000_000;

export interface Rejection {
  /** Line of the file, from 1. */
  line: number;
  reason: string;
}

export interface ImportProgress {
  /** Bytes and rows read so far. */
  bytes: number;
  rows: number;
}

export interface ImportOptions {
  /** Default: the beginning of the file decides. */
  format?: ImportFormat;
  /** For rows that name none. Default `import`. */
  source?: string;
  /** Retires cameras of the same sources that the file lacks. */
  sync?: boolean;
  /** The report carries so many; `onRejected` hears of every one. Default 100. */
  mostRejections?: number;
  signal?: AbortSignal;
  onProgress?: (progress: ImportProgress) => void;
  onRejected?: (rejection: Rejection) => void;
}

export interface ImportReport {
  read: number;
  added: number;
  changed: number;
  unchanged: number;
  rejected: number;
  retired: number;
  /** The first of them. */
  rejections: Rejection[];
  /** Imported rows that deserve a look: names that a spreadsheet would take for a formula, streams that nobody can fetch yet. */
  notes: Rejection[];
}

interface Tools {
  database: Database;
  vault: CredentialsVault;
  rules: AddressRules;
}

/**
 * Reads a file of cameras in one transaction: all good rows, or none where it is broken off. Rows are matched by source and
 * camera id. Rejects with `IMPORT_ENCODING_UNSUPPORTED`, `IMPORT_EMPTY_INVALID`, `IMPORT_FILE_INVALID` or the signal's reason; nothing changed then.
 */
export async function importCameras(
  bytes: AsyncIterable<Uint8Array>,
  options: ImportOptions & Tools,
): Promise<{ report: ImportReport; ids: number[] }> {
  const reader = new RowsReader(options);
  const merged = await options.database.transaction(async (tx) => {
    await createStaging(tx);
    await stageAll(tx, bytes, reader, options);
    options.signal?.throwIfAborted();
    if (options.sync && reader.report.read === reader.report.rejected) {
      throw new AppError(
        'IMPORT_EMPTY_INVALID',
        'No row of the file is a camera: with sync that would retire all; nothing was changed.',
      );
    }
    const changes = await mergeStaged(tx, reader.mayRetire());
    options.signal?.throwIfAborted();
    return changes;
  });
  return { report: complete(reader.report, merged), ids: [...merged.changed, ...merged.added, ...merged.retired] };
}

async function stageAll(
  tx: Queryable,
  bytes: AsyncIterable<Uint8Array>,
  reader: RowsReader,
  { format, signal, onProgress }: ImportOptions,
): Promise<void> {
  let count = 0;
  const counted = (async function* () {
    for await (const chunk of bytes) {
      signal?.throwIfAborted();
      count += chunk.length;
      yield chunk;
    }
  })();
  let batch: StagedRow[] = [];
  // The database takes one batch while the next is read.
  let staging = Promise.resolve();
  const flush = async (): Promise<void> => {
    await staging;
    signal?.throwIfAborted();
    staging = stage(tx, batch);
    // Where reading fails first, the reader's error counts.
    staging.catch(() => undefined);
    batch = [];
  };
  for await (const entries of entriesOf(counted, format)) {
    for (const entry of entries) {
      const row = reader.take(entry);
      if (row && batch.push(row) === BATCH) await flush();
    }
    onProgress?.({ bytes: count, rows: reader.report.read });
  }
  if (batch.length > 0) await flush();
  await staging;
}

function complete(report: ImportReport, { added, changed, retired }: Merged): ImportReport {
  return {
    ...report,
    added: added.length,
    changed: changed.length,
    retired: retired.length,
    unchanged: report.read - report.rejected - added.length - changed.length,
  };
}

/** Turns entries into rows and keeps the account of what was wrong. */
class RowsReader {
  readonly report: ImportReport = {
    read: 0,
    added: 0,
    changed: 0,
    unchanged: 0,
    rejected: 0,
    retired: 0,
    rejections: [],
    notes: [],
  };
  #unreadable = 0;
  readonly #lines = new Map<string, number>();
  readonly #options: ImportOptions & Tools;

  constructor(options: ImportOptions & Tools) {
    this.#options = options;
  }

  take(entry: Entry): StagedRow | undefined {
    this.report.read++;
    if (entry.problem !== undefined) return this.#reject(entry.line, entry.problem);
    const fields = fieldsOf(entry.value);
    fields['source'] ??= this.#options.source ?? 'import';
    const parsed = cameraInputSchema.safeParse(fields);
    if (!parsed.success) {
      const reasons = parsed.error.issues.map(
        ({ path, message }) => `${path.join('.')}: ${message}${shown(fields, path)}`,
      );
      return this.#reject(entry.line, reasons.join('; '));
    }
    try {
      return this.#accept(entry.line, toRow(parsed.data, this.#options.vault, this.#options.rules));
    } catch (error) {
      if (!/^CAMERA_/.test(codeOf(error) ?? '')) throw error;
      return this.#reject(entry.line, messageOf(error));
    }
  }

  /**
   * Whether rows missing from the file may be retired: a camera whose row cannot be read is not missing, so any such row
   * forbids it.
   */
  mayRetire(): boolean {
    if (!this.#options.sync || this.#unreadable === 0) return this.#options.sync ?? false;
    this.report.notes.unshift({
      line: 0,
      reason: `nothing was retired because ${this.#unreadable} rows were rejected; mend them and synchronise again`,
    });
    return false;
  }

  #accept(line: number, row: StagedRow): StagedRow | undefined {
    const key = `${String(row.source)}\n${String(row.source_camera_id)}`;
    const earlier = this.#lines.get(key);
    if (earlier !== undefined) return this.#reject(line, `same source and camera id as line ${earlier}`, true);
    this.#lines.set(key, line);
    if (typeof row.name === 'string' && /^[=+\-@]/.test(row.name)) {
      this.#note(
        line,
        `the name begins with "${row.name.slice(0, 1)}": kept as text, but a spreadsheet may run it as a formula`,
      );
    }
    if (row.kind === 'stream') this.#note(line, 'streams cannot be fetched yet: registered, but not captured');
    return row;
  }

  #note(line: number, reason: string): void {
    if (this.report.notes.length < MOST_NOTES) this.report.notes.push({ line, reason });
  }

  #reject(line: number, reason: string, readable = false): undefined {
    if (!readable) this.#unreadable++;
    const rejection = { line, reason: reason.slice(0, 500) };
    if (++this.report.rejected > MOST_REJECTED) {
      throw new AppError(
        'IMPORT_FILE_INVALID',
        `More than ${MOST_REJECTED} rows are no cameras; nothing was imported.`,
      );
    }
    if (this.report.rejections.length < (this.#options.mostRejections ?? 100)) this.report.rejections.push(rejection);
    this.#options.onRejected?.(rejection);
  }
}

/** The value that was wrong; never of a field that may hold a password. */
function shown(fields: Record<string, unknown>, path: PropertyKey[]): string {
  const name = String(path[0]);
  const value = fields[name];
  if (/url|path|host|credentials|reference|id$/i.test(name) || (typeof value !== 'string' && typeof value !== 'number'))
    return '';
  return ` (found ${JSON.stringify(value).slice(0, 60)})`;
}
