import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Receipt } from '../../../common/protocol/rest.ts';
import { DIGEST_HEADER } from '../../../common/protocol/rest.ts';

const REPORT_MS = 5_000;

interface Sink {
  url: string;
  bytes(): number;
  close(): void;
}

/** The least that an outbox accepts as a receipt. Only the head of a batch is read: what a coordinator does with it is not measured here. */
export async function openSink(): Promise<Sink> {
  let bytes = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      bytes += body.length;
      const [, session = '', seq] = /^\{"session":"([^"]+)","seq":(\d+)/.exec(body.toString('latin1', 0, 200)) ?? [];
      const digest = String(request.headers[DIGEST_HEADER]);
      const receipt: Receipt = { session, seq: Number(seq), digest, fragments: [], reportMs: REPORT_MS, wanted: [] };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(receipt));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, bytes: () => bytes, close: () => void server.close() };
}
