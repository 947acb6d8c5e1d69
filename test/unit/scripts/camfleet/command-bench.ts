import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { runCommand } from '../../../../scripts/camfleet/program.ts';

// A server that answers what the test says and notes what it was asked, over real HTTP: importing this starts it for the file.

interface Asked {
  method: string;
  path: string;
  query: Record<string, string>;
  body: string;
  token: string;
}

let server: Server;
export let folder: string;
export let url: string;
export let asked: Asked[];
export let answers: Record<string, { status?: number; body: unknown }>;

beforeAll(async () => {
  server = createServer(
    (request, response) =>
      void answer(request).then(({ status = 200, body }) => response.writeHead(status).end(JSON.stringify(body))),
  );
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), 'camfleet-cli-'));
  await mkdir(join(folder, 'keys'));
  await writeFile(join(folder, 'keys', 'admin-token'), 'cft_admin\n');
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  asked = [];
  answers = {};
});

async function answer(request: IncomingMessage): Promise<{ status?: number; body: unknown }> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  const { pathname, searchParams } = new URL(request.url ?? '/', url);
  const path = pathname.replace('/api/v1', '');
  const method = request.method ?? '';
  asked.push({
    method,
    path,
    query: Object.fromEntries(searchParams),
    body: Buffer.concat(parts).toString(),
    token: request.headers.authorization ?? '',
  });
  return (
    answers[`${method} ${path}`] ?? { status: 404, body: { code: 'ROUTE_NOT_FOUND', message: `nothing at ${path}` } }
  );
}

/** Runs one command against this file's server, as a pipe would, or where people see stderr. */
export async function run(
  line: string | string[],
  environment: NodeJS.ProcessEnv = { CAMFLEET_URL: url, CAMFLEET_DATA_FOLDER: folder },
  showsProgress = false,
) {
  let [stdout, stderr] = ['', ''];
  const terminal = {
    out: (text: string) => void (stdout += text),
    err: (text: string) => void (stderr += text),
    isInteractive: false,
    showsProgress,
  };
  const exit = await runCommand(typeof line === 'string' ? line.split(' ') : line, { terminal, environment }, '1.2.3');
  return { exit, stdout, stderr };
}
