import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { modelFiles, modelManifestSchema } from '../domain/model.ts';
import type { ModelFile, ModelManifest } from '../domain/model.ts';
import { AppError, codeOf } from '../runtime/errors.ts';
import { sha256 } from '../storage/digest.ts';
import { writeDurably } from '../storage/object-store.ts';
import { signBytes, verifyBytes } from '../storage/signature.ts';

export const MANIFEST = 'manifest.json';
export const SIGNATURE = 'manifest.sig';

export interface SignedManifest {
  /** SHA-256 of the manifest's bytes. */
  version: string;
  bytes: Buffer;
  /** Ed25519 over `bytes`, base64. */
  signature: string;
  manifest: ModelManifest;
}

export function signManifest(manifest: ModelManifest, privateKey: string): SignedManifest {
  const bytes = Buffer.from(JSON.stringify(modelManifestSchema.parse(manifest)));
  return { version: sha256(bytes), bytes, signature: signBytes(privateKey, bytes), manifest };
}

/**
 * Nothing of a manifest is looked at before its signature is right.
 *
 * @throws AppError `MODEL_UNSIGNED`, `MODEL_INVALID`
 */
export function openManifest(bytes: Buffer, signature: string, publicKey: string): SignedManifest {
  if (!verifyBytes(publicKey, bytes, signature)) {
    throw new AppError(
      'MODEL_UNSIGNED',
      'The signature of this model is missing or was not made with the key that was expected; import or publish the model anew.',
    );
  }
  const parsed = modelManifestSchema.safeParse(parseJson(bytes));
  if (!parsed.success) {
    throw new AppError('MODEL_INVALID', `The model's manifest does not fit its schema: ${parsed.error.message}`);
  }
  return { version: sha256(bytes), bytes, signature, manifest: parsed.data };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Files that a manifest names, with their digests. */
export function filesOf(manifest: ModelManifest): { name: ModelFile; digest: string; bytes: number }[] {
  return modelFiles.flatMap((name) => {
    const file = manifest.files[name];
    return file ? [{ name, ...file }] : [];
  });
}

/** @throws AppError `MODEL_TAMPERED` */
export function checkFile(name: string, bytes: Uint8Array, expected: { digest: string; bytes: number }): void {
  if (bytes.length === expected.bytes && sha256(bytes) === expected.digest) return;
  throw new AppError(
    'MODEL_TAMPERED',
    `${name} has ${bytes.length} bytes and another digest than the manifest says (${expected.bytes} bytes, ` +
      `${expected.digest.slice(0, 12)}…); it was cut off or changed on its way.`,
  );
}

/** Writes a whole artifact as the folder `folder`, which appears at once or not at all. */
export async function writeArtifact(
  folder: string,
  signed: SignedManifest,
  fileOf: (name: ModelFile, digest: string) => Promise<Buffer>,
): Promise<void> {
  const temporary = `${folder}.incoming`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  for (const file of filesOf(signed.manifest)) {
    const bytes = await fileOf(file.name, file.digest);
    checkFile(file.name, bytes, file);
    await writeDurably(join(temporary, file.name), bytes);
  }
  await writeDurably(join(temporary, SIGNATURE), Buffer.from(signed.signature));
  await writeDurably(join(temporary, MANIFEST), signed.bytes);
  await mkdir(dirname(folder), { recursive: true });
  await rm(folder, { recursive: true, force: true });
  await rename(temporary, folder);
}

/** Reads and checks a folder written by `writeArtifact`, every byte of it. @throws AppError as `openManifest` and `checkFile` */
export async function readArtifact(folder: string, publicKey: string): Promise<SignedManifest> {
  try {
    const bytes = await readFile(join(folder, MANIFEST));
    const signed = openManifest(bytes, (await readFile(join(folder, SIGNATURE))).toString('utf8'), publicKey);
    for (const file of filesOf(signed.manifest)) checkFile(file.name, await readFile(join(folder, file.name)), file);
    return signed;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new AppError('MODEL_INCOMPLETE', `The model in ${folder} lacks a file.`, { cause: error });
  }
}
