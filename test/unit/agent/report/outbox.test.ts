import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { batchSchema, DIGEST_HEADER } from '../../../../common/protocol/rest.ts';
import type { Batch } from '../../../../common/protocol/rest.ts';
import { CoordinatorHttp } from '../../../../agent/link/coordinator-http.ts';
import { Outbox } from '../../../../agent/report/outbox.ts';
import { systemClock } from '../../../../common/runtime/clock.ts';
import { silentLogger } from '../../../../common/runtime/logger.ts';
import { sha256 } from '../../../../common/storage/digest.ts';
import { eventually } from '../../../support/eventually.ts';

const SESSION_1 = '11111111-1111-4111-8111-111111111111';
const SESSION_2 = '22222222-2222-4222-8222-222222222222';

/** A real server that keeps marks as intake does, and misbehaves when told. */
class Intake {
  readonly marks = new Map<string, number>();
  readonly applied: { session: string; seq: number; fragments: number }[] = [];
  readonly refuse = new Set<string>();
  /** Statuses for the next requests; 0 breaks the connection; `lost` applies and then breaks it. */
  next: (number | 'lost')[] = [];
  requests = 0;
  inFlight = 0;
  mostInFlight = 0;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.requests++;
        const bytes = Buffer.concat(chunks);
        const special = this.next.shift();
        const answer = special === undefined || special === 'lost' ? this.#take(bytes) : { status: special, body: {} };
        this.inFlight--;
        if (special === 0 || special === 'lost') return request.socket.destroy();
        expect(request.headers[DIGEST_HEADER]).toBe(sha256(bytes));
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #take(bytes: Buffer): { status: number; body: unknown } {
    const batch: Batch = batchSchema.parse(JSON.parse(bytes.toString()));
    const { session, seq } = batch;
    const receipt = { session, seq, digest: sha256(bytes), fragments: [], reportMs: 5_000, wanted: [] };
    const expected = (this.marks.get(session) ?? 0) + 1;
    if (this.refuse.has(`${session} ${seq}`) && batch.fragments.length > 0)
      return { status: 422, body: { code: 'BATCH_INVALID', message: 'no' } };
    if (seq === expected - 1) return { status: 200, body: receipt };
    if (seq !== expected)
      return { status: 409, body: { code: 'BATCH_OUT_OF_ORDER', message: 'no', details: { expected } } };
    this.marks.set(session, seq);
    this.applied.push({ session, seq, fragments: batch.fragments.length });
    return { status: 200, body: receipt };
  }
}

const fragment: Batch['fragments'][number] = {
  cameraId: 1,
  token: 1,
  verdict: 'good',
  label: null,
  modelVersion: null,
  firstSequence: 0,
  at: [1],
  outcomes: [1],
  bytes: 1,
  evidence: {},
  frameDigest: null,
  scores: null,
  memory: { lastAttemptAt: 1 },
};

describe('the outbox', () => {
  let folder: string;
  let intake: Intake;
  let url: string;
  const open: Outbox[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'outbox-'));
    intake = new Intake();
    url = await intake.listen();
  });
  afterEach(async () => {
    for (const outbox of open.splice(0)) outbox.stop();
    intake.close();
    await rm(folder, { recursive: true, force: true });
  });

  const create = async (session: string, options: { maxBytes?: number; url?: string } = {}): Promise<Outbox> => {
    const outbox = new Outbox({
      folder,
      session,
      maxBytes: options.maxBytes ?? 1e6,
      sender: new CoordinatorHttp({ url: options.url ?? url, timeoutMs: 2_000 }),
      clock: systemClock,
      logger: silentLogger,
    });
    open.push(outbox);
    await outbox.start();
    return outbox;
  };
  const delivered = (outbox: Outbox) => outbox.flushed(AbortSignal.timeout(8_000));
  const files = async () =>
    (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.json')).toSorted();

  test('delivers batches in order, one at a time, and a receipt releases the file', async () => {
    const outbox = await create(SESSION_1);
    for (let i = 0; i < 5; i++) await outbox.add([fragment], 1);
    await delivered(outbox);
    expect(intake.applied.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(intake.mostInFlight).toBe(1);
    expect(await files()).toEqual([]);
  });

  test('tries again after broken connections, 429 and 503, and a lost receipt counts nothing twice', async () => {
    intake.next = [0, 429, 503, 'lost'];
    const outbox = await create(SESSION_1);
    await outbox.add([fragment], 1);
    await outbox.add([fragment], 1);
    const hurry = setInterval(() => outbox.hurry(), 20);
    await delivered(outbox).finally(() => clearInterval(hurry));
    expect(intake.applied.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(intake.requests).toBe(6);
  });

  test('a new process delivers what an earlier one left, first and under its own numbers', async () => {
    const first = await create(SESSION_1, { url: 'http://127.0.0.1:1' });
    await first.add([fragment], 1);
    await first.add([fragment], 1);
    first.stop();
    const second = await create(SESSION_2);
    await second.add([fragment], 1);
    await delivered(second);
    expect(intake.applied.map(({ session, seq }) => `${session[0]} ${seq}`)).toEqual(['1 1', '1 2', '2 1']);
    expect((await readdir(folder)).filter((name) => name.endsWith(SESSION_1))).toEqual([]);
  });

  test('what was half written at a crash is not delivered', async () => {
    const first = await create(SESSION_1, { url: 'http://127.0.0.1:1' });
    await first.add([fragment], 1);
    first.stop();
    const [session] = (await readdir(folder)).filter((name) => name.endsWith(SESSION_1));
    await writeFile(join(folder, session!, '000000000002.json.draft'), '{"session":');
    const second = await create(SESSION_2);
    await delivered(second);
    expect(intake.applied).toEqual([{ session: SESSION_1, seq: 1, fragments: 1 }]);
  });

  test('a refused batch is moved aside with its reason, and those after it still arrive', async () => {
    intake.refuse.add(`${SESSION_1} 2`);
    const outbox = await create(SESSION_1);
    for (let i = 0; i < 3; i++) await outbox.add([fragment], 1);
    await delivered(outbox);
    expect(intake.applied).toEqual([
      { session: SESSION_1, seq: 1, fragments: 1 },
      { session: SESSION_1, seq: 2, fragments: 0 },
      { session: SESSION_1, seq: 3, fragments: 1 },
    ]);
    expect(outbox.refused).toBe(1);
    expect(await files()).toEqual([`refused/${SESSION_1}-2.json`]);
    expect(await readFile(join(folder, `refused/${SESSION_1}-2.txt`), 'utf8')).toContain('BATCH_INVALID');
  });

  test('a batch that was applied long ago is let go', async () => {
    intake.marks.set(SESSION_1, 5);
    const outbox = await create(SESSION_1);
    await outbox.add([fragment], 1);
    await delivered(outbox);
    expect(await files()).toEqual([]);
    expect(outbox.refused).toBe(0);
  });

  test('says that it is full, writes nothing then, and takes batches again when there is room', async () => {
    const outbox = await create(SESSION_1, { url: 'http://127.0.0.1:1', maxBytes: 700 });
    await outbox.add([fragment], 1);
    await outbox.add([fragment], 1);
    await expect(outbox.add([fragment], 1)).rejects.toMatchObject({ code: 'OUTBOX_FULL' });
    expect(outbox.size).toBe(2);
    outbox.stop();
    const second = await create(SESSION_2, { maxBytes: 700 });
    await delivered(second);
    await second.add([fragment], 1);
    await eventually(() => intake.applied.length === 3);
  });
});
