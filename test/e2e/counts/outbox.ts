import { cp, readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DIGEST_HEADER, batchSchema, receiptSchema } from '../../../common/protocol/rest.ts';
import type { Batch, Receipt } from '../../../common/protocol/rest.ts';
import { sha256 } from '../../../common/storage/digest.ts';

export interface OutboxBatch {
  batch: Batch;
  bytes: Buffer;
}

/** What lies in an agent's outbox of this session, in order. */
export async function outboxOf(folder: string, session: string): Promise<OutboxBatch[]> {
  const outbox = join(folder, 'outbox');
  const own = (await readdir(outbox)).find((name) => name.endsWith(session));
  if (own === undefined) return [];
  const names = (await readdir(join(outbox, own))).filter((name) => name.endsWith('.json')).sort();
  const read = async (name: string): Promise<OutboxBatch> => {
    const bytes = await readFile(join(outbox, own, name));
    return { batch: batchSchema.parse(JSON.parse(bytes.toString('utf8'))), bytes };
  };
  return Promise.all(names.map(read));
}

/** As a cloned machine has it: the lock names a process that lives elsewhere, and half-written files are gone. */
export async function copyDataFolder(from: string, to: string): Promise<void> {
  const isKept = (path: string): boolean => basename(path) !== 'agent.lock' && !path.endsWith('.draft');
  await cp(from, to, { recursive: true, filter: isKept });
}

export interface Answer {
  status: number;
  receipt: Receipt | undefined;
}

/** Hands a batch in beside its agent: the same bytes, with any key. */
export async function handIn(port: number, bytes: Buffer, authorization: string): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/agent/batches`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', [DIGEST_HEADER]: sha256(bytes) },
    body: Uint8Array.from(bytes),
  });
  const body: unknown = await response.json();
  return { status: response.status, receipt: response.ok ? receiptSchema.parse(body) : undefined };
}
