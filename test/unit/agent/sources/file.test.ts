import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileSource } from '../../../../agent/sources/file.ts';
import type { SourceContext } from '../../../../agent/sources/source.ts';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'camfleet-file-'));
  mkdirSync(join(root, 'camera'));
  for (const name of ['b.jpg', 'a.jpg', 'c.jpg', '.hidden']) writeFileSync(join(root, 'camera', name), name);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const source = (query = '', folder = join(root, 'camera'), fileRoots = [root]) => {
  const context = { clock: new SimulatedClock(), fileRoots } as unknown as SourceContext;
  return new FileSource({ transport: 'file', url: pathToFileURL(folder).href + query }, context);
};

test('files come in name order, then the source ends', async () => {
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { bytes } of source().frames(new AbortController().signal)) seen.push(String(bytes));
  })();
  await expect(reading).rejects.toMatchObject({ code: 'SOURCE_ENDED' });
  expect(seen).toEqual(['a.jpg', 'b.jpg', 'c.jpg']);
});

test('with loop=1 it begins again', async () => {
  const looping = source('?loop=1');
  const seen: string[] = [];
  for (let i = 0; i < 5; i++) seen.push(String((await looping.fetchOnce()).bytes));
  expect(seen).toEqual(['a.jpg', 'b.jpg', 'c.jpg', 'a.jpg', 'b.jpg']);
});

test('folders that the operator did not name are refused, also through a link', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'camfleet-other-'));
  symlinkSync(outside, join(root, 'link'));
  for (const folder of [outside, join(root, 'link'), join(root, 'camera', '..', '..')]) {
    await expect(source('', folder).fetchOnce()).rejects.toMatchObject({ code: 'SOURCE_BLOCKED' });
  }
  await expect(source('', join(root, 'camera'), []).fetchOnce()).rejects.toMatchObject({ code: 'SOURCE_BLOCKED' });
  rmSync(outside, { recursive: true });
});

test('a missing folder ends the source with the reason', async () => {
  await expect(source('', join(root, 'nowhere')).fetchOnce()).rejects.toMatchObject({ code: 'SOURCE_ENDED' });
});
