import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError, codeOf } from '../common/runtime/errors.ts';
import { writeDurably } from '../common/storage/object-store.ts';
import { createKeyPair } from '../common/storage/signature.ts';
import type { KeyPair } from '../common/storage/signature.ts';

const pairSchema = z.object({ publicKey: z.string(), privateKey: z.string() });

/** DATA/keys, closed to everybody else. */
export async function prepareKeysFolder(dataFolder: string): Promise<string> {
  const folder = join(dataFolder, 'keys');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  return folder;
}

/** The key that signs models; made at the first start. Agents learnt its public half when they joined. */
export async function loadCoordinatorKey(keysFolder: string): Promise<KeyPair> {
  const path = join(keysFolder, 'coordinator.json');
  try {
    return pairSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') {
      throw new AppError('KEY_UNREADABLE', `The key in ${path} cannot be read; restore it from a backup.`, { cause });
    }
  }
  const pair = createKeyPair();
  await writeDurably(path, Buffer.from(JSON.stringify(pair)));
  await chmod(path, 0o600);
  return pair;
}
