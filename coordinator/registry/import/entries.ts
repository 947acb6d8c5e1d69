import { AppError } from '../../../common/runtime/errors.ts';
import { csvEntries } from './csv.ts';
import { jsonEntries, jsonLinesEntries } from './json.ts';
import { asUtf8 } from './lines.ts';
import type { Entry } from './lines.ts';

/** Each reader yields groups of entries and never holds more than a chunk and one entry. A new format is a line here. */
const READERS = {
  csv: csvEntries,
  json: jsonEntries,
  geojson: jsonEntries,
  jsonl: jsonLinesEntries,
} as const satisfies Record<string, (bytes: AsyncIterable<Uint8Array>) => AsyncGenerator<Entry[]>>;

export type ImportFormat = keyof typeof READERS;
export const importFormats = Object.keys(READERS) as [ImportFormat, ...ImportFormat[]];

const BY_TYPE: Readonly<Record<string, ImportFormat>> = {
  'text/csv': 'csv',
  'application/json': 'json',
  'application/geo+json': 'geojson',
  'application/x-ndjson': 'jsonl',
  'application/jsonl': 'jsonl',
  'application/geo+json-seq': 'jsonl',
};

/** `undefined` where the type says nothing. */
export const formatOfType = (contentType = ''): ImportFormat | undefined =>
  BY_TYPE[contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''];

/** Entries of a file; without a format, its beginning decides. */
export async function* entriesOf(bytes: AsyncIterable<Uint8Array>, format?: ImportFormat): AsyncGenerator<Entry[]> {
  const source = asUtf8(beginningTogether(bytes))[Symbol.asyncIterator]();
  const first = await source.next();
  if (first.done) throw new AppError('IMPORT_EMPTY_INVALID', 'The file is empty.');
  const all = (async function* () {
    yield first.value;
    yield* source;
  })();
  yield* READERS[format ?? guess(Buffer.from(first.value).toString('utf8'))](all);
}

/** Enough to tell formats and encodings apart. */
const BEGINNING = 65_536;

async function* beginningTogether(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] | undefined = [];
  let size = 0;
  for await (const chunk of chunks) {
    if (!parts) {
      yield chunk;
      continue;
    }
    parts.push(chunk);
    size += chunk.length;
    if (size < BEGINNING) continue;
    yield Buffer.concat(parts);
    parts = undefined;
  }
  if (parts && size > 0) yield Buffer.concat(parts);
}

function guess(beginning: string): ImportFormat {
  const text = beginning.replace(/^[\s\u001e]+/, '');
  if (text.startsWith('[')) return 'json';
  if (!text.startsWith('{')) return 'csv';
  const line = text.split('\n', 1)[0] ?? '';
  // A whole object on the first line that is no collection: one object a line.
  try {
    const object = JSON.parse(line) as Record<string, unknown>;
    return Object.values(object).some((value) => Array.isArray(value) && typeof value[0] === 'object')
      ? 'json'
      : 'jsonl';
  } catch {
    return 'json';
  }
}
