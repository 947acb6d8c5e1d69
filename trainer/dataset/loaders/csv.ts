import { AppError } from '../../../common/runtime/errors.ts';

/**
 * Rows of a CSV text as RFC 4180 writes it: quotes around fields, doubled inside; empty lines are skipped.
 *
 * @throws AppError DATASET_INVALID at a quote that is never closed
 */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const body = text.replace(/^\uFEFF/, '').replace(/\r?\n?$/, '\n');
  // A field, then what ends it.
  const token = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n)/gy;
  while (token.lastIndex < body.length) {
    const match = token.exec(body);
    if (!match) throw new AppError('DATASET_INVALID', `Row ${rows.length + 1} of the CSV has a stray quote.`);
    row.push(match[1] === undefined ? (match[2] ?? '') : match[1].replaceAll('""', '"'));
    if (match[3] === ',') continue;
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
  }
  return rows;
}
