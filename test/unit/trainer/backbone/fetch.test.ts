import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { downloadWeights } from '../../../../trainer/backbone/fetch.ts';

const body = randomBytes(400_000);
const md5 = createHash('md5').update(body).digest('hex');
let server: Server;
let url: string;
let folder: string;
let file: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let ranges: (string | undefined)[];

beforeAll(async () => {
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/weights.h5`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'camfleet-fetch-'));
  file = join(folder, 'downloads', 'weights.h5');
  ranges = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Sends what was asked for, and breaks off after `most` bytes. */
const serve =
  (most = body.length, takesRanges = true) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    const from = takesRanges ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    if (from >= body.length) return void response.writeHead(416).end();
    const rest = body.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': rest.length,
      ...(from > 0 && { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` }),
    });
    if (rest.length <= most) return void response.end(rest);
    response.write(rest.subarray(0, most), () => setImmediate(() => response.destroy()));
  };

test('a file is downloaded, checked and kept; a second time nothing is asked for', async () => {
  answer = serve();
  const progress: number[] = [];
  await downloadWeights({ url, md5 }, { file, onProgress: (done, total) => progress.push(done / total) });
  expect((await readFile(file)).equals(body)).toBe(true);
  expect(progress.at(-1)).toBe(1);
  await downloadWeights({ url, md5 }, { file });
  expect(ranges).toEqual([undefined]);
});

test('a connection that breaks again and again is taken up where it broke', async () => {
  answer = serve(90_000);
  await downloadWeights({ url, md5 }, { file });
  expect((await readFile(file)).equals(body)).toBe(true);
  expect(ranges.length).toBeGreaterThan(2);
  expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toBe(true);
});

test('a later try goes on from what an earlier one left', async () => {
  answer = serve();
  await downloadWeights({ url, md5 }, { file });
  await rm(file);
  await writeFile(`${file}.part`, body.subarray(0, 123_456));
  await downloadWeights({ url, md5 }, { file });
  expect(ranges.at(-1)).toBe('bytes=123456-');
  expect((await readFile(file)).equals(body)).toBe(true);
});

test('a server without ranges makes it start over', async () => {
  answer = serve(body.length, false);
  await downloadWeights({ url, md5 }, { file }).catch(() => undefined);
  await rm(file);
  await writeFile(`${file}.part`, randomBytes(1_000));
  await downloadWeights({ url, md5 }, { file });
  expect((await readFile(file)).equals(body)).toBe(true);
});

test('a whole part is not asked for again', async () => {
  answer = serve();
  await downloadWeights({ url, md5 }, { file });
  await rm(file);
  await writeFile(`${file}.part`, body);
  await downloadWeights({ url, md5 }, { file });
  expect((await readFile(file)).equals(body)).toBe(true);
});

test('a wrong checksum is refused and nothing of it is kept', async () => {
  answer = serve();
  await expect(downloadWeights({ url, md5: '0'.repeat(32) }, { file })).rejects.toThrow(`MD5 ${md5}, expected 0000`);
  await expect(stat(file)).rejects.toThrow();
  await expect(stat(`${file}.part`)).rejects.toThrow();
});

test('a refusal and a silent or absent server are told apart, with the way out', async () => {
  answer = (_, response) => void response.writeHead(404).end();
  await expect(downloadWeights({ url, md5 }, { file })).rejects.toThrow(/answered 404.*--url/);
  answer = () => undefined;
  await expect(downloadWeights({ url, md5 }, { file, stallMs: 30 })).rejects.toMatchObject({
    code: 'DOWNLOAD_UNREACHABLE',
  });
  await expect(downloadWeights({ url: 'http://127.0.0.1:1/w.h5', md5 }, { file })).rejects.toThrow(
    /cannot be reached from here.*backbone import FILE/,
  );
});
