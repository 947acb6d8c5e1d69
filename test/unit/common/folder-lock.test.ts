import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockFolder } from '../../../common/runtime/folder-lock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'camfleet-lock-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the lock of the data folder', () => {
  const leave = async (text: string): Promise<void> => {
    await mkdir(join(folder, 'agent.lock'), { recursive: true });
    await writeFile(join(folder, 'agent.lock', 'left.json'), text);
  };

  test('refuses a second process of its kind and lets go when released', async () => {
    const release = await lockFolder(folder, 'agent');
    await expect(lockFolder(folder, 'agent')).rejects.toMatchObject({ code: 'DATA_FOLDER_IN_USE' });
    await (
      await lockFolder(folder, 'trainer')
    )();
    await release();
    await (
      await lockFolder(folder, 'agent')
    )();
    expect(await readdir(join(folder, 'agent.lock'))).toEqual([]);
  });

  test("removes a dead process's lock, also where its number now belongs to somebody else", async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '0']);
    for (const left of [
      { pid, started: '1' },
      { pid: process.pid, started: '1' },
    ].map((one) => JSON.stringify(one))) {
      await leave(left);
      await (
        await lockFolder(folder, 'agent')
      )();
      expect(await readdir(join(folder, 'agent.lock'))).toEqual([]);
    }
    await leave('half a li');
    await (
      await lockFolder(folder, 'agent')
    )();
  });

  test('of many that start at once exactly one wins', async () => {
    await leave(JSON.stringify({ pid: 2 ** 22 + 1, started: '1' }));
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => lockFolder(folder, 'agent')));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});
