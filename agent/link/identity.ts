import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Handshake } from '../../common/protocol/agent-link.ts';
import { PROTOCOL } from '../../common/protocol/version.ts';
import type { Join, Joined } from '../../common/protocol/rest.ts';
import { AppError, codeOf } from '../../common/runtime/errors.ts';
import { createKeyPair, signBytes } from '../../common/storage/signature.ts';

const identitySchema = z.object({
  agentId: z.uuid(),
  name: z.string(),
  coordinatorUrl: z.string(),
  /** Signs model manifests; SPKI PEM. */
  coordinatorKey: z.string(),
  privateKey: z.string(),
});
export type Identity = z.infer<typeof identitySchema>;

const pathOf = (dataFolder: string): string => join(dataFolder, 'keys', 'agent.json');

/** `undefined` for a folder that never joined. */
export async function loadIdentity(dataFolder: string): Promise<Identity | undefined> {
  const path = pathOf(dataFolder);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return identitySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError(
      'IDENTITY_UNREADABLE',
      `The identity in ${path} cannot be read. Restore it from a backup, or remove it and join again with a new invitation.`,
      { cause },
    );
  }
}

export interface JoinOptions {
  dataFolder: string;
  coordinatorUrl: string;
  invitation: string;
  name?: string | undefined;
  send(join: Join): Promise<Joined>;
}

/**
 * Swaps an invitation for an identity. The key pair is made here and written before the invitation is spent, so that a crash in
 * between does not lose the identity that the coordinator already knows.
 */
export async function joinFleet(options: JoinOptions): Promise<Identity> {
  const { dataFolder, coordinatorUrl } = options;
  const name = options.name ?? hostname().slice(0, 60);
  const { publicKey, privateKey } = await pendingKey(dataFolder);
  const joined = await options.send({ invitation: options.invitation, name, publicKey });
  const identity: Identity = { ...joined, name, coordinatorUrl, privateKey };
  await writeSecret(dataFolder, 'agent.json', JSON.stringify(identity));
  await rm(join(dataFolder, 'keys', 'pending.json'), { force: true });
  return identity;
}

const keySchema = z.object({ publicKey: z.string(), privateKey: z.string() });

async function pendingKey(dataFolder: string): Promise<z.infer<typeof keySchema>> {
  const text = await readFile(join(dataFolder, 'keys', 'pending.json'), 'utf8').catch(() => '{}');
  const earlier = keySchema.safeParse(JSON.parse(text));
  if (earlier.success) return earlier.data;
  const pair = createKeyPair();
  await writeSecret(dataFolder, 'pending.json', JSON.stringify(pair));
  return pair;
}

async function writeSecret(dataFolder: string, name: string, text: string): Promise<void> {
  const folder = join(dataFolder, 'keys');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const draft = join(folder, `${name}.new`);
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, join(folder, name));
}

/** What proves a connection to come from this agent: a signature over a nonce that serves once. */
export function signHandshake(identity: Identity, sessionId: string, nonce: string): Handshake {
  const text = `camfleet-agent\n${nonce}\n${identity.agentId}\n${sessionId}`;
  return {
    protocol: PROTOCOL,
    agentId: identity.agentId,
    sessionId,
    nonce,
    signature: signBytes(identity.privateKey, Buffer.from(text)),
  };
}
