// Stands in for an agent that is killed: keeps a stream open and says the process ids of its ffmpeg.
import { streamWorld } from './sources.ts';

const [transport, url] = process.argv.slice(2) as ['rtsp' | 'rtmp', string];
const world = streamWorld();
const source = world.source({ transport, url, minIntervalMs: 500 });
for await (const frame of source.frames(new AbortController().signal))
  console.log(`pids ${world.decoders.pids.join(',')}; ${frame.bytes?.length} bytes`);
