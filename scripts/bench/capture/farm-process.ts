import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Receipt } from '../../../common/protocol/rest.ts';
import { DIGEST_HEADER } from '../../../common/protocol/rest.ts';
import { startFarm } from '../../camera-farm/farm.ts';
import type { Farm } from '../../camera-farm/farm.ts';
import { answerQuestions, usage } from '../pinned.ts';
import type { FarmPlace, Scenario } from './scenario.ts';

// The farm's side of bench:capture: ring cameras, and the sink that takes the agent's batches.

const REPORT_MS = 5_000;
let farm: Farm | undefined;
let sinkBytes = 0;

/** The least that an outbox accepts as a receipt. Only the head of a batch is read: what a coordinator does with it is not measured here. */
const sink = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => void chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    sinkBytes += body.length;
    const [, session = '', seq] = /^\{"session":"([^"]+)","seq":(\d+)/.exec(body.toString('latin1', 0, 200)) ?? [];
    const digest = String(request.headers[DIGEST_HEADER]);
    const receipt: Receipt = { session, seq: Number(seq), digest, fragments: [], reportMs: REPORT_MS, wanted: [] };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(receipt));
  });
});
await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));

async function open(scenario: Scenario): Promise<FarmPlace> {
  await farm?.stop();
  const { width, height, mode, frames, scenes, cameras } = scenario;
  const opened = await startFarm({ cameras, width, height, ring: { mode, frames, scenes }, log: 'none' });
  farm = opened;
  return {
    sink: `http://127.0.0.1:${(sink.address() as AddressInfo).port}`,
    cameras: opened.population.map(({ id, host, name }) => ({ url: opened.urlOf(id), host, name })),
  };
}

answerQuestions({ open, usage, sinkBytes: () => sinkBytes }, async () => {
  await farm?.stop();
  sink.close();
});
