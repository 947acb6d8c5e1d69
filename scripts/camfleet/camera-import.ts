import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { Readable } from 'node:stream';
import { AppError, codeOf, EXIT, messageOf } from '../../common/runtime/errors.ts';
import type { Api } from './api.ts';
import { progressBar } from './terminal.ts';
import type { Terminal } from './terminal.ts';

interface Finding {
  line: number;
  reason: string;
}

export interface ImportAnswer {
  read: number;
  added: number;
  changed: number;
  unchanged: number;
  rejected: number;
  retired: number;
  rejections: Finding[];
  notes: Finding[];
}

/** One answer holds no more of them; what was rejected is counted in full. */
export const MOST_REJECTIONS = 100_000;

const FORMATS: Readonly<Record<string, string>> = {
  '.csv': 'csv',
  '.tsv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.geojson': 'geojson',
};

/** Streams the file to the coordinator, which reads as fast as it imports: the bar shows both. */
export async function uploadCameras(
  api: Api,
  terminal: Terminal,
  file: string,
  {
    format,
    source,
    sync,
    rejected,
    json,
  }: { format?: string; source?: string; sync?: boolean; rejected?: string; json?: boolean },
): Promise<ImportAnswer> {
  const isStdin = file === '-';
  const size = isStdin ? 0 : await sizeOf(file);
  const bar = progressBar(terminal, 'Importing', size);
  const bytes = isStdin ? process.stdin : createReadStream(file);
  const counted = Readable.from(
    (async function* () {
      let done = 0;
      for await (const chunk of bytes as AsyncIterable<Buffer>) {
        yield chunk;
        if (!isStdin) bar.at((done += chunk.length));
      }
    })(),
    { objectMode: false },
  );
  const answer = await api.upload<ImportAnswer>('/cameras/import', counted, {
    query: {
      format: format ?? FORMATS[extname(file).toLowerCase()],
      source: source ?? (isStdin ? undefined : basename(file, extname(file)).slice(0, 100) || undefined),
      sync: sync ?? false,
      // People see the first of them; programs and files get as many as one answer holds.
      ...((rejected !== undefined || json === true) && { mostRejections: MOST_REJECTIONS }),
    },
  });
  if (!isStdin) bar.end();
  return answer;
}

/** Uploads the file and leaves the import to a job, which goes on when this command has ended. */
export async function importInBackground(
  api: Api,
  file: string,
  { format, source, sync }: { format?: string; source?: string; sync?: boolean },
): Promise<{ id: number }> {
  await sizeOf(file);
  const { upload } = await api.upload<{ upload: string }>('/uploads', createReadStream(file));
  return api.post<{ id: number }>('/cameras/imports', {
    objectKey: upload,
    fileName: basename(file),
    format: format ?? FORMATS[extname(file).toLowerCase()],
    source: source ?? basename(file, extname(file)).slice(0, 100),
    sync: sync ?? false,
  });
}

/** Rejects with exit code 2 where there is no such file. */
export async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file);
    if (!found.isFile()) throw new AppError('EISDIR', 'it is not a file');
    return found.size;
  } catch (error) {
    const reason = codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error);
    throw new AppError('USAGE', `${file} cannot be read: ${reason}.`, { details: { exit: EXIT.usage } });
  }
}
