import sharp from 'sharp';
import { fetch } from 'undici';
import { answerQuestions, usage } from '../pinned.ts';
import type { FarmPlace, Turn } from './scenario.ts';

// What a user would write: fetch, decode, resize, for many cameras at a time.

/** Enough to keep a core busy; more only makes them wait for each other. */
const CONCURRENCY = 32;

let cameras: FarmPlace['cameras'] = [];
let next = 0;

async function fetchOne(url: string): Promise<number> {
  const response = await fetch(url);
  const bytes = await response.arrayBuffer();
  await sharp(bytes).resize(224, 224).raw().toBuffer();
  return bytes.byteLength;
}

async function run(ms: number): Promise<Turn> {
  const began = usage();
  const turn = { frames: 0, unchanged: 0, failed: 0, lastFailure: '', bytes: 0 };
  const worker = async (): Promise<void> => {
    while (performance.now() - began.at < ms) {
      const { url } = cameras[next++ % cameras.length] as FarmPlace['cameras'][0];
      turn.bytes += await fetchOne(url);
      turn.frames++;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  const ended = usage();
  return { ...turn, cpuMs: ended.cpuMs - began.cpuMs, wallMs: ended.at - began.at };
}

answerQuestions({
  prepare: async (place: FarmPlace) => {
    ({ cameras } = place);
    await run(1_000);
  },
  run,
});
