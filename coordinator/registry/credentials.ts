import { createHmac, randomBytes } from 'node:crypto';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { credentialsSchema } from '../../common/domain/camera.ts';
import type { Credentials } from '../../common/domain/camera.ts';
import { AppError, codeOf } from '../../common/runtime/errors.ts';
import { writeDurably } from '../../common/storage/object-store.ts';
import { seal, SEAL_KEY_BYTES, unseal } from '../../common/storage/seal.ts';

const KEY_BYTES = SEAL_KEY_BYTES;

/** Reads the key of the credentials column from `keysFolder/credentials-key` (0600), or makes it at the first start. */
export async function loadCredentialsKey(keysFolder: string): Promise<Buffer> {
  const path = join(keysFolder, 'credentials-key');
  try {
    const key = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64');
    if (key.length === KEY_BYTES) return key;
    throw new AppError(
      'CREDENTIALS_KEY',
      `${path} is damaged: expected ${KEY_BYTES} bytes in base64. Restore it from a backup.`,
    );
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  const key = randomBytes(KEY_BYTES);
  await writeDurably(path, Buffer.from(`${key.toString('base64')}\n`));
  await chmod(path, 0o600);
  return key;
}

/** Seals a camera's credentials, bound to the camera: a value copied to another row does not open. AES-256-GCM. */
export class CredentialsVault {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    if (key.length !== KEY_BYTES)
      throw new AppError('CREDENTIALS_KEY', `The credentials key must have ${KEY_BYTES} bytes.`);
    this.#key = key;
  }

  seal(credentials: Credentials, camera: string): Buffer {
    return seal(this.#key, JSON.stringify(credentials), camera);
  }

  /** Rejects with `CREDENTIALS_UNREADABLE` where the key is another one or the value was changed. */
  open(sealed: Buffer, camera: string): Credentials {
    try {
      return credentialsSchema.parse(JSON.parse(unseal(this.#key, sealed, camera)));
    } catch {
      throw new AppError(
        'CREDENTIALS_UNREADABLE',
        `The credentials of ${camera} cannot be opened with this key. Restore DATA/keys, or set them anew.`,
      );
    }
  }

  /** Keyed, so that nobody who reads the database can guess a password by its digest. */
  digest(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}

/** The name that credentials are bound to. */
export const sealName = (source: string, sourceCameraId: string): string => `${source}\n${sourceCameraId}`;
