import { connect, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Dispatcher } from 'undici';
import { buildConnector } from 'undici';
import type { Egress, Wire } from './channel.ts';

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
  const client = new Client(url.origin, { connect: connectorOf(egress, anyCertificate), pipelining: 0 });
  try {
    const path = `${url.pathname}${url.search}`;
    const answer = await client.request({ method: 'POST', path, headers, body, signal });
    return { status: answer.statusCode, headers: answer.headers, text: await beginningOf(answer.body) };
  } finally {
    await client.destroy();
  }
}

function connectorOf(egress: Egress, anyCertificate: boolean): buildConnector.connector {
  const open = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    rejectUnauthorized: !anyCertificate,
    lookup: egress.lookup,
  });
  return (target, callback) => {
    try {
      checkLiteral(target.hostname, egress);
    } catch (error) {
      return void queueMicrotask(() => callback(error as Error, null));
    }
    open(target, callback);
  };
}

/** Sockets do not look up addresses, so those are judged before. */
function checkLiteral(host: string, egress: Egress): void {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare)) egress.check(bare, bare);
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
    checkLiteral(host, egress);
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
