import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { CoordinatorHttp } from '../../../agent/link/coordinator-http.ts';
import { Pictures } from '../../../agent/report/pictures.ts';
import { Uploads } from '../../../agent/uploads.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { eventually } from '../../support/eventually.ts';

test('pictures are what is dropped where there is no room for all: the oldest first, each one that was wanted counted', async () => {
  const taken: string[] = [];
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      taken.push(String(request.url).split('/').at(-1) ?? '');
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const pictures = new Pictures(1_000);
  const digests = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(64));
  digests.forEach((digest, index) => pictures.put(index + 1, digest, Buffer.alloc(400)));
  expect(pictures.size).toBe(800);
  const uploads = new Uploads({
    http: new CoordinatorHttp({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
    pool: { picture: async (digest) => pictures.get(digest) ?? null },
    logger: silentLogger,
  });
  // A receipt that comes late, after an outage, wants all of them.
  uploads.want(digests.map((digest, index) => ({ cameraId: index + 1, digest, reason: 'verdict' as const })));
  await eventually(() => taken.length + uploads.dropped === 4);
  expect(taken).toEqual(digests.slice(2));
  expect(uploads.dropped).toBe(2);
});
