import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { joinFleet, loadIdentity, signHandshake } from '../../../../agent/link/identity.ts';
import { createKeyPair, verifyBytes } from '../../../../common/storage/signature.ts';

const AGENT = '11111111-1111-4111-8111-111111111111';
const SESSION = '22222222-2222-4222-8222-222222222222';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the identity of an agent', () => {
  const keys: string[] = [];
  const join_ = (answers: boolean) =>
    joinFleet({
      dataFolder: folder,
      coordinatorUrl: 'http://127.0.0.1:1',
      invitation: 'an invitation of some length',
      name: 'east',
      send: ({ publicKey }) => {
        keys.push(publicKey);
        return answers
          ? Promise.resolve({ agentId: AGENT, coordinatorKey: createKeyPair().publicKey })
          : Promise.reject(new Error('the answer was lost'));
      },
    });

  test('a folder that never joined has none', async () => {
    expect(await loadIdentity(folder)).toBeUndefined();
  });

  test('an invitation becomes a key that only its owner can read, and that signs handshakes', async () => {
    const identity = await join_(true);
    expect(await loadIdentity(folder)).toEqual(identity);
    expect((await stat(join(folder, 'keys', 'agent.json'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'keys'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, 'keys'))).toEqual(['agent.json']);
    const { nonce, signature } = signHandshake(identity, SESSION, 'abc');
    const text = Buffer.from(`camfleet-agent\n${nonce}\n${AGENT}\n${SESSION}`);
    expect(verifyBytes(keys.at(-1)!, text, signature)).toBe(true);
  });

  test('a join whose answer was lost is repeated with the same key, so that the invitation is not lost', async () => {
    await expect(join_(false)).rejects.toThrow('lost');
    await join_(true);
    expect(keys.at(-1)).toBe(keys.at(-2));
  });

  test('an identity that cannot be read says what to do', async () => {
    await join_(true);
    await writeFile(join(folder, 'keys', 'agent.json'), '{"agentId":');
    await expect(loadIdentity(folder)).rejects.toMatchObject({ code: 'IDENTITY_UNREADABLE' });
  });
});
