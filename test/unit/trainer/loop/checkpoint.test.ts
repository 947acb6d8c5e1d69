import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CHECKPOINT, loadCheckpoint, saveCheckpoint } from '../../../../trainer/checkpoint.ts';
import type { Parameters } from '../../../../trainer/engine/network.ts';
import { makeTestFolder } from '../../../support/folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await makeTestFolder('checkpoint');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const weights = (values: number[]): Parameters =>
  new Map([
    ['conv1/kernel', { dims: [values.length], data: Float32Array.from(values) }],
    ['conv1/bias', { dims: [1, 2], data: Float32Array.of(-0, 1e-40) }],
  ]);

test('a checkpoint comes back as it was, to the last bit', async () => {
  const document = { text: 'Größe', at: [1, null] };
  await saveCheckpoint(folder, { document, tensors: { weights: weights([1 / 3, -7]), best: weights([2]) } });
  const read = await loadCheckpoint(folder);
  expect(read?.document).toEqual(document);
  expect(read?.tensors['weights']).toEqual(weights([1 / 3, -7]));
  expect(Object.is(read?.tensors['best']?.get('conv1/bias')?.data[0], -0)).toBe(true);
});

test('a folder without a checkpoint has none', async () => {
  expect(await loadCheckpoint(folder)).toBeUndefined();
});

test('a checkpoint that was cut off or changed is not believed', async () => {
  await saveCheckpoint(folder, { document: {}, tensors: { weights: weights([1, 2, 3]) } });
  const path = join(folder, CHECKPOINT);
  const whole = await readFile(path);
  for (const damaged of [
    whole.subarray(0, 60),
    whole.subarray(0, -1),
    Buffer.from(whole).fill(1, 90, 91),
    Buffer.alloc(0),
  ]) {
    await writeFile(path, damaged);
    await expect(loadCheckpoint(folder)).rejects.toMatchObject({ code: 'CHECKPOINT_DAMAGED' });
  }
});

test('a checkpoint that cannot be written says why and how to go on', async () => {
  await writeFile(join(folder, 'file'), '');
  const saving = saveCheckpoint(join(folder, 'file/below'), { document: {}, tensors: {} });
  await expect(saving).rejects.toMatchObject({ code: 'CHECKPOINT_UNWRITABLE' });
  await expect(saving).rejects.toThrow(/cannot be written.*--resume/);
});

test('a disk that fills up half-way leaves the checkpoint before', async () => {
  await saveCheckpoint(folder, { document: { good: true }, tensors: { weights: weights([1]) } });
  await mkdir(join(folder, 'program'));
  const program = join(folder, 'program/save.mjs');
  const module = new URL('../../../../trainer/checkpoint.ts', import.meta.url).href;
  await writeFile(
    program,
    `import { saveCheckpoint } from ${JSON.stringify(module)};
     const big = new Map([['w', { dims: [100000], data: new Float32Array(100000) }]]);
     await saveCheckpoint(${JSON.stringify(folder)}, { document: { good: false }, tensors: { weights: big } })
       .then(() => console.log('written'), (error) => console.log(error.code));`,
  );
  // Files of this process may not grow beyond 64 KiB: the write ends in the middle, as on a full disk.
  const command = `ulimit -f 64 && exec "${process.execPath}" --import tsx "${program}"`;
  const environment = { ...process.env, TSX_DISABLE_CACHE: '1' };
  const { stdout } = await promisify(execFile)('bash', ['-c', command], { env: environment });
  expect(stdout.trim()).toBe('CHECKPOINT_UNWRITABLE');
  expect((await loadCheckpoint<{ good: boolean }>(folder))?.document.good).toBe(true);
  expect((await readdir(folder)).sort()).toEqual([CHECKPOINT, 'program']);
});
