import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError, messageOf } from '../../../common/runtime/errors.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import type { Database } from './database.ts';

const OWN_FOLDER = fileURLToPath(new URL('./migrations/', import.meta.url));
const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;

interface MigrationFile {
  number: number;
  name: string;
  sql: string;
  digest: string;
}

interface Applied {
  number: number;
  name: string;
  digest: string;
}

/**
 * Applies the numbered SQL files that this database lacks, in order, each in a transaction of its own; several starters wait
 * for each other. Refuses, before changing anything, a database that went another way than our files. Returns the names of
 * those applied.
 */
export async function migrate(
  database: Database,
  { logger, folder = OWN_FOLDER }: { logger: Logger; folder?: string },
): Promise<string[]> {
  const files = await readMigrations(folder);
  return database.withLock('camfleet.migrations', async (held) => {
    await database.query(
      `create table if not exists migrations (
         number integer primary key,
         name text not null,
         digest text not null,
         applied_at timestamptz not null default now()
       )`,
    );
    const applied = await database.many<Applied & Record<string, unknown>>(
      'select number, name, digest from migrations order by number',
    );
    const missing = missingFrom(files, applied);
    for (const file of missing) {
      held.throwIfAborted();
      await apply(database, file);
      logger.info({ migration: file.name }, 'database migrated');
    }
    return missing.map(({ name }) => name);
  });
}

export async function readMigrations(folder: string): Promise<MigrationFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted();
  const files = await Promise.all(names.map((name) => readMigration(folder, name)));
  for (const [index, file] of files.entries()) {
    const previous = files[index - 1];
    if (previous?.number === file.number) {
      throw new AppError(
        'MIGRATION_NAME',
        `${previous.name} and ${file.name} have the same number; give one the next free one.`,
      );
    }
  }
  return files;
}

async function readMigration(folder: string, name: string): Promise<MigrationFile> {
  const number = FILE_NAME.exec(name)?.[1];
  if (number === undefined) {
    throw new AppError('MIGRATION_NAME', `Migration "${name}" must be named like 0007_what_it_does.sql.`);
  }
  const bytes = await readFile(join(folder, name));
  return { number: Number(number), name, sql: bytes.toString('utf8'), digest: sha256(bytes) };
}

/** The files to apply; throws where the database's history is not a beginning of ours. */
export function missingFrom(files: readonly MigrationFile[], applied: readonly Applied[]): MigrationFile[] {
  const ours = new Map(files.map((file) => [file.number, file]));
  for (const { number, name, digest } of applied) {
    const file = ours.get(number);
    if (!file) {
      throw new AppError(
        'MIGRATION_NEWER',
        `The database has migration ${name}, which this camfleet does not know: it was made by a newer version. ` +
          'Start that version, or restore a backup from before.',
      );
    }
    if (file.digest !== digest) {
      throw new AppError(
        'MIGRATION_CHANGED',
        `Migration ${file.name} was changed after the database applied it as ${name}. ` +
          'Restore the file and put the change into a new one.',
      );
    }
  }
  const highest = applied.at(-1)?.number ?? 0;
  const done = new Set(applied.map(({ number }) => number));
  const missing = files.filter(({ number }) => !done.has(number));
  const late = missing.find(({ number }) => number < highest);
  if (late) {
    throw new AppError(
      'MIGRATION_ORDER',
      `Migration ${late.name} is older than the database, which is at ${highest}. Give the file the next free number.`,
    );
  }
  return missing;
}

async function apply(database: Database, { number, name, sql, digest }: MigrationFile): Promise<void> {
  try {
    await database.transaction(async (tx) => {
      // Without parameters `pg` sends the simple protocol, which takes many statements at once.
      await tx.query(sql);
      await tx.query('insert into migrations (number, name, digest) values ($1, $2, $3)', [number, name, digest]);
    });
  } catch (error) {
    throw new AppError('MIGRATION_FAILED', `Migration ${name} failed and was rolled back: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
