import { createPublicKey, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, codeOf } from '../../common/runtime/errors.ts';
import { createKeyPair } from '../../common/storage/signature.ts';
import type { KeyPair } from '../../common/storage/signature.ts';

/**
 * The trainer's own Ed25519 key, made at first use, readable by its account alone. A coordinator that takes its models has
 * registered the public half.
 *
 * @throws AppError `TRAINER_KEY_UNREADABLE`
 */
export async function trainerKey(file: string): Promise<KeyPair> {
  const known = await readKey(file);
  if (known) return known;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const made = createKeyPair();
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeSynced(draft, made.privateKey);
    // A link appears whole or not at all, and never over another: of two trainers that start at once one key stays.
    await link(draft, file);
    return made;
  } catch (error) {
    const other = codeOf(error) === 'EEXIST' ? await readKey(file) : undefined;
    if (other) return other;
    throw unreadable(file, error);
  } finally {
    await rm(draft, { force: true });
  }
}

async function writeSynced(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readKey(file: string): Promise<KeyPair | undefined> {
  try {
    const privateKey = await readFile(file, 'utf8');
    const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
    return { privateKey, publicKey };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unreadable(file, error);
  }
}

const unreadable = (file: string, cause: unknown): AppError =>
  new AppError(
    'TRAINER_KEY_UNREADABLE',
    `The trainer's key ${file} cannot be used; expected an Ed25519 key as PEM, readable by this account. ` +
      'Mend its permissions, or remove it and register the new one that is made then.',
    { cause },
  );
