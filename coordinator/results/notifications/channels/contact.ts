import { connect, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Dispatcher } from 'undici';
import { createConnector } from '../../../../common/network/address-rule.ts';
import type { Wire } from './channel.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Enough of an answer to say what is wrong; a server that says more is not listened to. */
const MOST_ANSWER_BYTES = 2_000;

export interface Posted {
  status: number;
  headers: Dispatcher.ResponseData['headers'];
  /** The beginning of the answer. */
  text: string;
}

/** One POST on a connection of its own, behind the rule. Redirects are an answer like any other: nobody follows them. */
export async function post(
  url: URL,
  { headers, body, anyCertificate }: { headers: Record<string, string>; body: string; anyCertificate: boolean },
  { egress, signal }: Wire,
): Promise<Posted> {
  const rule = { connectTimeoutMs: CONNECT_TIMEOUT_MS, allowInvalidCertificates: anyCertificate };
  const client = new Client(url.origin, { connect: createConnector(egress, rule) });
  try {
    const path = `${url.pathname}${url.search}`;
    const answer = await client.request({ method: 'POST', path, headers, body, signal });
    return { status: answer.statusCode, headers: answer.headers, text: await beginningOf(answer.body) };
  } finally {
    await client.destroy();
  }
}

async function beginningOf(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of body) {
    parts.push(part);
    length += part.length;
    if (length >= MOST_ANSWER_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, MOST_ANSWER_BYTES).toString('utf8');
}

/** A plain connection, behind the rule. Whoever gets it closes it. */
export function openSocket(host: string, port: number, { egress, signal }: Wire): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    // Sockets do not look up addresses, so those are judged before.
    if (isIP(host)) egress.check(host, host);
    const socket = connect({ host, port, lookup: egress.lookup });
    const timer = setTimeout(
      () => give(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`)),
      CONNECT_TIMEOUT_MS,
    );
    const abort = (): void => give(signal.reason as Error);
    const give = (error?: Error): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.off('error', give);
      if (!error) return resolve(socket);
      socket.destroy();
      reject(error);
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', give);
    socket.once('connect', () => give());
  });
}
