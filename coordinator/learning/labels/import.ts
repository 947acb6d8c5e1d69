import { AppError } from '../../../common/runtime/errors.ts';
import type { Database } from '../../platform/database/database.ts';
import type { Queryable } from '../../platform/database/queries.ts';
import { entriesOf } from '../../registry/import/entries.ts';
import type { ImportFormat } from '../../registry/import/entries.ts';
import type { Rejection } from '../../registry/import/import.ts';
import type { Entry } from '../../registry/import/lines.ts';
import { camerasNamed, camerasOfFrames, nearestFrames } from './labels-repository.ts';
import type { LabelledFrame } from './labels-repository.ts';
import { offsetAt } from './local-time.ts';
import { readLabelRow } from './rows.ts';
import type { LabelRow } from './rows.ts';

/** The camera's nearest kept frame must be this near to the time of a row. */
const NEAR_MS = 1_000;
const BATCH = 1_000;
/** More rejections than this end the import: the file is not what it seems. */
const MOST_REJECTED = 1_000_000;

export interface LabelImportOptions {
  /** Default: the beginning of the file decides. */
  format?: ImportFormat;
  /** IANA name: of times without offset. */
  timeZone?: string;
  /** The report carries so many. Default 100. */
  mostRejections?: number;
}

export interface LabelReport {
  read: number;
  /** Frames that had no label. */
  added: number;
  /** Frames that had another one. */
  changed: number;
  unchanged: number;
  rejected: number;
  /** The first of them. */
  rejections: Rejection[];
}

interface Store {
  store(tx: Queryable, frames: readonly LabelledFrame[]): Promise<{ changed: number; written: number }>;
}

interface NumberedRow {
  line: number;
  row: LabelRow;
}

/**
 * Reads a file of labels (CSV, JSON or JSON Lines; columns `digest, label` or `camera, time, label`) in one transaction: all
 * good rows, or none where it is broken off. Rejects with `IMPORT_…` or `LABEL_TIME_INVALID` (time zone); nothing changed then.
 */
export async function importLabels(
  database: Database,
  bytes: AsyncIterable<Uint8Array>,
  options: LabelImportOptions & Store,
): Promise<LabelReport> {
  if (options.timeZone !== undefined) offsetAt(0, options.timeZone);
  // Bytes come once, but a transaction may have to run again.
  const entries: Entry[] = [];
  for await (const group of entriesOf(bytes, options.format)) for (const entry of group) entries.push(entry);
  return database.transaction(async (tx) => {
    const importer = new LabelImporter(tx, options);
    for (let from = 0; from < entries.length; from += BATCH) await importer.take(entries.slice(from, from + BATCH));
    return importer.finish();
  });
}

class LabelImporter {
  readonly #tx: Queryable;
  readonly #options: LabelImportOptions & Store;
  readonly #report: LabelReport = { read: 0, added: 0, changed: 0, unchanged: 0, rejected: 0, rejections: [] };
  /** Frame → its line. */
  readonly #lines = new Map<string, number>();
  readonly #frames: LabelledFrame[] = [];

  constructor(tx: Queryable, options: LabelImportOptions & Store) {
    this.#tx = tx;
    this.#options = options;
  }

  async take(entries: readonly Entry[]): Promise<void> {
    const rows: NumberedRow[] = [];
    for (const entry of entries) {
      this.#report.read++;
      const row = entry.problem ?? readLabelRow(entry.value, this.#options.timeZone);
      if (typeof row === 'string') this.#reject(entry.line, row);
      else rows.push({ line: entry.line, row });
    }
    const digests = await this.#digestsOf(rows);
    const cameras = await camerasOfFrames(this.#tx, [...new Set(digests.filter((digest) => digest !== undefined))]);
    for (const [index, { line, row }] of rows.entries()) {
      const digest = digests[index];
      if (digest !== undefined) this.#accept(line, digest, cameras.get(digest), row.label);
    }
  }

  /** All at once: the parts of cameras are dealt over the whole file. */
  async finish(): Promise<LabelReport> {
    const report = this.#report;
    if (this.#frames.length === 0) return report;
    const { changed, written } = await this.#options.store(this.#tx, this.#frames);
    return { ...report, changed, added: written - changed, unchanged: this.#frames.length - written };
  }

  /** The frame of each row; `undefined` where the row was rejected. */
  async #digestsOf(rows: readonly NumberedRow[]): Promise<(string | undefined)[]> {
    const digests: (string | undefined)[] = rows.map(({ row }) => ('digest' in row ? row.digest : undefined));
    const names = [...new Set(rows.flatMap(({ row }) => ('camera' in row ? [row.camera] : [])))];
    if (names.length === 0) return digests;
    const named = await camerasNamed(this.#tx, names);
    const questions: { index: number; line: number; cameraId: number; at: number }[] = [];
    for (const [index, { line, row }] of rows.entries()) {
      if (!('camera' in row)) continue;
      const [cameraId, ...others] = named.get(row.camera) ?? [];
      if (cameraId === undefined) this.#reject(line, `there is no camera "${row.camera.slice(0, 60)}"`);
      else if (others.length > 0)
        this.#reject(line, `several cameras are called "${row.camera.slice(0, 60)}"; give the id`);
      else questions.push({ index, line, cameraId, at: row.at });
    }
    const found = await nearestFrames(this.#tx, questions, NEAR_MS);
    for (const [n, { index, line, cameraId, at }] of questions.entries()) {
      digests[index] = found[n] ?? undefined;
      if (!found[n]) {
        this.#reject(
          line,
          `no frame of camera ${cameraId} within ${NEAR_MS / 1_000} s of ${new Date(at).toISOString()} is kept`,
        );
      }
    }
    return digests;
  }

  #accept(line: number, digest: string, cameraId: number | undefined, label: string): void {
    const earlier = this.#lines.get(digest);
    if (cameraId === undefined) return this.#reject(line, `no frame ${digest.slice(0, 12)}… is kept`);
    if (earlier !== undefined) return this.#reject(line, `same frame as line ${earlier}`);
    this.#lines.set(digest, line);
    this.#frames.push({ digest, cameraId, label });
  }

  #reject(line: number, reason: string): void {
    const { rejections } = this.#report;
    if (++this.#report.rejected > MOST_REJECTED) {
      throw new AppError('IMPORT_FILE_INVALID', `More than ${MOST_REJECTED} rows are no labels; nothing was imported.`);
    }
    if (rejections.length < (this.#options.mostRejections ?? 100))
      rejections.push({ line, reason: reason.slice(0, 500) });
  }
}
