import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, codeOf, messageOf } from '../../common/runtime/errors.ts';
import { listFolder, writeDurably } from '../../common/storage/object-store.ts';
import type { TensorValue } from '../engine/network.ts';
import { backboneDigest, backboneManifestSchema } from './manifest.ts';
import type { BackboneManifest } from './manifest.ts';

export const MANIFEST = 'backbone.json';

/** Where a data folder keeps its backbones, one folder a digest. */
export const backbonesOf = (dataFolder: string): string => join(dataFolder, 'backbones');

/** Writes a backbone as `root/<digest>`, which appears at once or not at all. @returns that folder */
export async function writeBackbone(
  root: string,
  manifest: BackboneManifest,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<string> {
  const digest = backboneDigest(manifest.identity);
  const folder = join(root, digest);
  const temporary = `${folder}.incoming`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  for (const [name, bytes] of files) await writeDurably(join(temporary, name), bytes);
  await writeDurably(join(temporary, MANIFEST), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  await rm(folder, { recursive: true, force: true });
  await rename(temporary, folder);
  return folder;
}

/**
 * Reads backbone.json and checks that it is the one of its own digest.
 *
 * @throws AppError `BACKBONE_NOT_FOUND`, `BACKBONE_DAMAGED`
 */
export async function readManifest(folder: string): Promise<{ digest: string; manifest: BackboneManifest }> {
  const path = join(folder, MANIFEST);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new AppError('BACKBONE_NOT_FOUND', `${folder} is no backbone: it has no ${MANIFEST}.`, { cause: error });
  }
  try {
    const manifest = backboneManifestSchema.parse(JSON.parse(text));
    return { digest: backboneDigest(manifest.identity), manifest };
  } catch (error) {
    throw new AppError('BACKBONE_DAMAGED', `${path} cannot be read; import the backbone anew. ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** @throws AppError `BACKBONE_DAMAGED` where a file is missing or has other bytes than its digest says */
export async function checkFiles(folder: string, { identity }: BackboneManifest): Promise<void> {
  for (const [name, expected] of Object.entries(identity.files) as [string, string][]) {
    const found = await digestsOf(join(folder, name)).catch(() => undefined);
    if (found?.sha256 === expected) continue;
    throw new AppError(
      'BACKBONE_DAMAGED',
      `${join(folder, name)} is ${found ? 'not the file that backbone.json names' : 'missing'} (expected SHA-256 ` +
        `${expected.slice(0, 12)}…); import the backbone anew.`,
    );
  }
}

export interface BackboneEntry {
  digest: string;
  folder: string;
  manifest: BackboneManifest;
}

/** Backbones of a data folder, oldest first; what is not whole is left out. */
export async function listBackbones(root: string): Promise<BackboneEntry[]> {
  const entries: BackboneEntry[] = [];
  for (const name of await listFolder(root)) {
    if (!/^[0-9a-f]{64}$/.test(name)) continue;
    const folder = join(root, name);
    const found = await readManifest(folder).catch(() => undefined);
    if (found?.digest === name) entries.push({ ...found, folder });
  }
  return entries.sort((a, b) => a.manifest.createdAt.localeCompare(b.manifest.createdAt));
}

/**
 * One backbone by its name, its digest or the beginning of its digest; of several with one name the newest.
 *
 * @throws AppError `BACKBONE_NOT_FOUND`, `BACKBONE_AMBIGUOUS`
 */
export async function findBackbone(root: string, nameOrDigest: string): Promise<BackboneEntry> {
  const entries = await listBackbones(root);
  const named = entries.findLast(({ manifest }) => manifest.name === nameOrDigest);
  if (named) return named;
  const matching = /^[0-9a-f]{4,64}$/.test(nameOrDigest)
    ? entries.filter(({ digest }) => digest.startsWith(nameOrDigest))
    : [];
  if (matching.length === 1) return matching[0] as BackboneEntry;
  if (matching.length > 1)
    throw new AppError(
      'BACKBONE_AMBIGUOUS',
      `${matching.length} backbones begin with ${nameOrDigest}; give more digits.`,
    );
  const known = [...new Set(entries.map(({ manifest }) => manifest.name))];
  throw new AppError(
    'BACKBONE_NOT_FOUND',
    `There is no backbone ${JSON.stringify(nameOrDigest)} in ${root}; ` +
      (known.length > 0
        ? `known are ${known.join(', ')}.`
        : 'get one with "camfleet backbone fetch inception-v3" or "camfleet backbone import FILE".'),
  );
}

/** SHA-256, MD5 and length of a file of any size. */
export async function digestsOf(path: string): Promise<{ sha256: string; md5: string; bytes: number }> {
  const [sha, md5] = [createHash('sha256'), createHash('md5')];
  let bytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    sha.update(chunk);
    md5.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: sha.digest('hex'), md5: md5.digest('hex'), bytes };
}

/** Arrays one after another, float32 little endian. */
export function packArrays(values: Iterable<TensorValue>): Buffer {
  return Buffer.concat([...values].map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)));
}

/** @throws AppError `BACKBONE_DAMAGED` where the bytes are not as many as the index says */
export function unpackArrays(bytes: Buffer, index: BackboneManifest['top']): Map<string, TensorValue> {
  const all = new Float32Array(Uint8Array.from(bytes).buffer);
  const arrays = new Map<string, TensorValue>();
  let at = 0;
  for (const { name, dims } of index) {
    const size = dims.reduce((product, dim) => product * dim, 1);
    arrays.set(name, { dims, data: all.slice(at, at + size) });
    at += size;
  }
  if (at !== all.length)
    throw new AppError('BACKBONE_DAMAGED', `top.f32 holds ${all.length} numbers, its index names ${at}.`);
  return arrays;
}
