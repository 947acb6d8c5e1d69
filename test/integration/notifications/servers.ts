import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import type { NotificationMessage } from '../../../common/protocol/notifications.ts';

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  json: NotificationMessage & { text: string; delivery: string; version: number };
}

export interface Receiver {
  url: string;
  port: number;
  received: Received[];
  /** What it answers from now on. */
  answer: { status: number; body?: string; headers?: Record<string, string> };
  close(): Promise<void>;
}

/** A real HTTP server that takes notes. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      const json = JSON.parse(body) as Received['json'];
      received.push({ path: request.url ?? '', headers: request.headers, body, json });
      const { status, headers, body: text = 'ok' } = receiver.answer;
      response.writeHead(status, headers).end(text);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    ...{ url: `http://127.0.0.1:${port}`, port, received, answer: { status: 200 } },
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return receiver;
}

export const signatureOf = (key: string, { headers, body }: Received): string =>
  `sha256=${createHmac('sha256', key)
    .update(`${String(headers['x-camfleet-timestamp'])}.${body}`)
    .digest('hex')}`;

export interface Mail {
  from: string;
  to: string[];
  /** As it came over the wire. */
  raw: string;
  secure: boolean;
  user: string | undefined;
}

export interface MailServer {
  port: number;
  mails: Mail[];
  close(): Promise<void>;
}

interface MailServerOptions {
  secure?: boolean;
  user?: string;
  password?: string;
  /** Refuses these recipients for good. */
  unknown?: string[];
  port?: number;
}

/** A real SMTP server with STARTTLS, or TLS from the first byte where `secure`. */
export async function startMailServer({
  secure = false,
  user,
  password,
  unknown = [],
  port: wanted = 0,
}: MailServerOptions = {}): Promise<MailServer> {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    secure,
    authOptional: user === undefined,
    disableReverseLookup: true,
    // No warning of its built-in certificate, which will do for a test.
    logger: false,
    onAuth: (auth, _session, done) => {
      if (auth.username === user && auth.password === password) return done(null, { user: auth.username ?? '' });
      // As some real servers do: what was tried stands in the answer.
      done(Object.assign(new Error(`Authentication failed for ${auth.password}`), { responseCode: 535 }));
    },
    onRcptTo: ({ address }, _session, done) =>
      unknown.includes(address) ? done(Object.assign(new Error('No such user here'), { responseCode: 550 })) : done(),
    onData: (stream, session, done) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(parts).toString(),
          secure: session.secure,
          user: session.user as string | undefined,
        });
        done(null, 'queued as 4711');
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((done) => server.listen(wanted, '127.0.0.1', done));
  const { port } = server.server.address() as AddressInfo;
  return { port, mails, close: () => new Promise((done) => void server.close(done)) };
}
