import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, codeOf, messageOf } from '../common/runtime/errors.ts';
import { sha256 } from '../common/storage/digest.ts';
import { writeDurably } from '../common/storage/object-store.ts';
import type { Parameters, TensorValue } from './engine/network.ts';

export const CHECKPOINT = 'checkpoint.bin';
const MAGIC = Buffer.from('camfleet checkpoint 2\n');
const DIGEST_BYTES = 64;

/** Where a run stands: a document and named groups of tensors (weights, momenta, …). */
export interface Checkpoint<Document> {
  document: Document;
  tensors: Readonly<Record<string, Parameters>>;
}

interface Header {
  document: unknown;
  tensors: { group: string; name: string; dims: readonly number[] }[];
}

/**
 * Replaces the checkpoint of `folder` at once or not at all: a crash or a full disk leaves the one before.
 *
 * @throws AppError `CHECKPOINT_UNWRITABLE`
 */
export async function saveCheckpoint(folder: string, { document, tensors }: Checkpoint<unknown>): Promise<void> {
  const entries = Object.entries(tensors).flatMap(([group, values]) =>
    [...values].map(([name, value]) => ({ group, name, value })),
  );
  const header: Header = {
    document,
    tensors: entries.map(({ group, name, value }) => ({ group, name, dims: value.dims })),
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const body = Buffer.concat([MAGIC, length, text, ...entries.map(({ value }) => bytesOf(value.data))]);
  try {
    await writeDurably(join(folder, CHECKPOINT), Buffer.concat([body, Buffer.from(sha256(body))]));
  } catch (error) {
    throw new AppError('CHECKPOINT_UNWRITABLE', unwritable(folder, body.length, error), { cause: error });
  }
}

function unwritable(folder: string, bytes: number, error: unknown): string {
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  const reason = ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '')
    ? `the disk is full (it needs ${size})`
    : messageOf(error);
  return (
    `The checkpoint in ${folder} cannot be written: ${reason}. The one before is untouched; make room or give the account ` +
    `the right to write, then go on with --resume ${folder}.`
  );
}

/**
 * @returns `undefined` where the folder has none
 * @throws AppError `CHECKPOINT_DAMAGED`
 */
export async function loadCheckpoint<Document>(folder: string): Promise<Checkpoint<Document> | undefined> {
  const path = join(folder, CHECKPOINT);
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const body = bytes.subarray(0, Math.max(0, bytes.length - DIGEST_BYTES));
  if (!body.subarray(0, MAGIC.length).equals(MAGIC) || sha256(body) !== bytes.subarray(body.length).toString()) {
    throw new AppError(
      'CHECKPOINT_DAMAGED',
      `${path} is not a whole checkpoint of this version; it was cut off or changed. Start the run anew in another folder.`,
    );
  }
  const start = MAGIC.length + 4;
  const end = start + body.readUInt32LE(MAGIC.length);
  const header = JSON.parse(body.subarray(start, end).toString('utf8')) as Header;
  return { document: header.document as Document, tensors: tensorsOf(header, body.subarray(end)) };
}

function tensorsOf({ tensors }: Header, bytes: Buffer): Record<string, Parameters> {
  const groups: Record<string, Map<string, TensorValue>> = {};
  let at = 0;
  for (const { group, name, dims } of tensors) {
    const size = dims.reduce((product, n) => product * n, 4);
    // A copy: floats must begin at a multiple of four, which they do not in the file.
    const data = new Float32Array(new Uint8Array(bytes.subarray(at, at + size)).buffer);
    (groups[group] ??= new Map()).set(name, { dims, data });
    at += size;
  }
  return groups;
}

const bytesOf = (data: Float32Array): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
