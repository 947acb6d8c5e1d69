import { describe, expect, test } from 'vitest';
import { HostRests } from '../../../agent/sources/host-rests.ts';
import { Manners } from '../../../agent/sources/manners.ts';
import { systemClock } from '../../../common/runtime/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { missingForStreams } from '../../support/streams/servers.ts';
import { playlist, serving, tcpServer, world } from '../../support/streams/worlds.ts';

const missing = missingForStreams();

describe.skipIf(missing !== undefined)('RTSP and RTMP of servers that mean harm', () => {
  test.each(['rtsp://127.0.0.1:PORT/inside', 'http://127.0.0.1:PORT/', 'rtsp://localhost:PORT/'])(
    'a redirection to %s is an error, and nobody goes there',
    async (location) => {
      const inside = await tcpServer((socket) => socket.end());
      const target = location.replace('PORT', String(inside.port));
      const { port } = await tcpServer((socket) =>
        socket.on('data', (data) => {
          const number = /CSeq: (\d+)/i.exec(data.toString())?.[1];
          socket.write(`RTSP/1.0 302 Found\r\nCSeq: ${number}\r\nLocation: ${target}\r\n\r\n`);
        }),
      );
      await expect(
        world()
          .source({ transport: 'rtsp', url: `rtsp://127.0.0.1:${port}/x` })
          .fetchOnce({}),
      ).rejects.toMatchObject({
        code: 'SOURCE_REDIRECTS',
      });
      expect(inside.connections()).toBe(0);
    },
  );

  test.each(['rtsp', 'rtmp'] as const)(
    '%s: who hangs up, sends garbage or nothing is told apart',
    async (transport) => {
      const { source } = world();
      const url = (port: number): string => `${transport}://127.0.0.1:${port}/live/x`;
      const hangsUp = await tcpServer((socket) => socket.once('data', () => socket.end()));
      await expect(source({ transport, url: url(hangsUp.port) }).fetchOnce({})).rejects.toMatchObject({
        code: 'SOURCE_ENDED',
      });
      const resets = await tcpServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
      await expect(source({ transport, url: url(resets.port) }).fetchOnce({})).rejects.toMatchObject({
        code: expect.stringMatching(/SOURCE_(REFUSED|INTERRUPTED)/),
      });
      const babbles = await tcpServer((socket) => socket.on('data', () => socket.write(Buffer.alloc(200_000, 0x99))));
      await expect(source({ transport, url: url(babbles.port) }).fetchOnce({})).rejects.toMatchObject({
        code: expect.stringMatching(/SOURCE_(PROTOCOL|ENDED)/),
      });
    },
  );

  test.each(['rtsp', 'rtmp'] as const)(
    '%s: who breaks off before ffmpeg has its turn is refused, and the thread lives on',
    async (transport) => {
      // No child was started yet: looking for ffmpeg takes longer than this camera stays.
      const all = world();
      const { port } = await tcpServer((socket) => setTimeout(() => socket.resetAndDestroy(), 3));
      await expect(
        all.source({ transport, url: `${transport}://127.0.0.1:${port}/live/x` }).fetchOnce({}),
      ).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
      expect(all.decoders.running + all.limiter.size).toBe(0);
    },
  );

  test('a camera that says nothing is given up at its deadline', async () => {
    const { source, decoders, limiter } = world({ stallMs: 700 });
    const { port } = await tcpServer(() => {});
    const drips = await serving({ '/x.m3u8': playlist('#EXTINF:2,', `http://127.0.0.1:${port}/a.ts`) });
    for (const [transport, url] of [
      ['rtsp', `rtsp://127.0.0.1:${port}/x`],
      ['rtmp', `rtmp://127.0.0.1:${port}/live/x`],
      ['hls', `${drips.url}/x.m3u8`],
    ] as const)
      await expect(source({ transport, url }).fetchOnce({}), transport).rejects.toMatchObject({
        code: 'SOURCE_TIMEOUT',
        details: { timeoutMs: 700 },
      });
    await eventually(() => decoders.running === 0 && limiter.size === 0, { withinMs: 5_000 });
  });

  test('a camera that is overloaded is left alone, its host with it', async () => {
    const rests = new HostRests({ clock: systemClock });
    const { source } = world({ manners: new Manners({ rests, clock: systemClock }) });
    const { port, connections } = await tcpServer((socket) =>
      socket.on('data', (data) => {
        const number = /CSeq: (\d+)/i.exec(data.toString())?.[1];
        socket.write(`RTSP/1.0 503 Service Unavailable\r\nCSeq: ${number}\r\nRetry-After: 60\r\n\r\n`);
      }),
    );
    const camera = source({ transport: 'rtsp', url: `rtsp://127.0.0.1:${port}/x` });
    await expect(camera.fetchOnce({})).rejects.toMatchObject({ code: 'SOURCE_HTTP_ERROR' });
    await expect(camera.fetchOnce({})).rejects.toMatchObject({ code: 'SOURCE_PUT_OFF' });
    expect(rests.waitMs('127.0.0.1')).toBeGreaterThan(50_000);
    expect(connections()).toBe(1);
  });

  test('a lost lease does not wait for a deadline', async () => {
    const { source, decoders, limiter } = world();
    const { port } = await tcpServer(() => {});
    const lease = new AbortController();
    const attempt = source({ transport: 'rtsp', url: `rtsp://127.0.0.1:${port}/x` }).fetchOnce({
      signal: lease.signal,
    });
    await eventually(() => decoders.running === 1);
    lease.abort(new Error('taken'));
    await expect(attempt).rejects.toThrow('taken');
    await eventually(() => decoders.running === 0 && limiter.size === 0, { withinMs: 5_000 });
  });
});
