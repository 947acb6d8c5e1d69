import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ProbeReport } from '../../../../scripts/camfleet/probe/report.ts';
import { runCommand } from '../../../../scripts/camfleet/program.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const pictures: Buffer[] = [];
beforeAll(async () => {
  for (let seed = 1; seed <= 3; seed++) {
    const pixels = Buffer.from(Array.from({ length: 160 * 120 }, (_, i) => ((i * 7 * (seed + 3)) ^ (i >> 5)) & 255));
    pictures.push(
      await sharp(pixels, { raw: { width: 160, height: 120, channels: 1 } })
        .jpeg()
        .toBuffer(),
    );
  }
});

async function camera(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  closers.push(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Told {
  code: number;
  out: string;
  err: string;
}

const camfleet = (...args: string[]): Promise<Told> => camfleetIn({}, ...args);

async function camfleetIn(environment: Record<string, string>, ...args: string[]): Promise<Told> {
  const told: Told = { code: 0, out: '', err: '' };
  const terminal = {
    out: (text: string) => void (told.out += text),
    err: (text: string) => void (told.err += text),
    isInteractive: false,
    showsProgress: false,
  };
  told.code = await runCommand(['cameras', 'probe', ...args], { terminal, environment }, '0.0.0');
  return told;
}

const allowed = ['--allow', '127.0.0.0/8'];
const probed = async (...args: string[]): Promise<ProbeReport & { code: number }> => {
  const { code, out } = await camfleet(...args, ...allowed, '--json');
  return { ...(JSON.parse(out) as ProbeReport), code };
};

describe('camfleet cameras probe', () => {
  test('introduces itself as agents do, with the address of its operator', async () => {
    const seen: (string | undefined)[] = [];
    const url = await camera((request, response) => {
      seen.push(request.headers['user-agent']);
      response.writeHead(404).end();
    });
    await camfleetIn({ CAMFLEET_AGENT_EGRESS_CONTACT: 'ops@example.org' }, url, ...allowed);
    expect(new Set(seen)).toEqual(new Set(['camfleet/0.1 (public camera observation; ops@example.org)']));
  });

  test('fetches nothing that the coordinator has on its list of take-downs, nor follows a redirect to it', async () => {
    let asked = 0;
    const url = await camera((_request, response) => void (asked++, response.writeHead(404).end()));
    const other = await camera((_request, response) => void response.writeHead(302, { location: `${url}/x` }).end());
    const takedowns = [{ id: 1, kind: 'prefix', value: `${url}/`, reason: 'asked by the owner' }];
    const coordinator = await camera((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ takedowns }));
    });
    const knows = ['--url', coordinator, '--token', 'test', ...allowed];
    const refused = await camfleet(`${url}/cam.jpg`, ...knows);
    expect(refused).toMatchObject({ code: 3, err: expect.stringContaining('asked by the owner') });
    const led = await camfleet(`${other}/cam.jpg`, ...knows, '--seconds', '0', '--json');
    expect(JSON.parse(led.out)).toMatchObject({
      verdict: 'blocked',
      advice: [expect.stringContaining('list of take-downs')],
    });
    expect(asked).toBe(0);
  });

  test('says so where there is no coordinator that knows of take-downs, and fetches', async () => {
    const url = await camera((_request, response) => void response.writeHead(404).end());
    const { err } = await camfleet(url, '--url', 'http://127.0.0.1:1', '--token', 'test', ...allowed);
    expect(err).toContain('The list of take-downs is not known here');
  });

  test('says what a snapshot camera has, and how often it changes', async () => {
    let turn = 0;
    const url = await camera((request, response) => {
      const picture = pictures[(turn >> 1) % 3]!;
      const etag = `"${turn >> 1}"`;
      turn++;
      if (request.headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end();
      response.writeHead(200, { 'content-type': 'image/jpeg', etag, server: 'Netwave IP Camera' }).end(picture);
    });
    const report = await probed(`${url}/snapshot.cgi`, '--seconds', '4');
    expect(report).toMatchObject({
      ...{
        code: 0,
        transport: 'snapshot',
        verdict: 'good',
        width: 160,
        height: 120,
        conditional: true,
        signIn: 'none',
      },
      brand: { name: 'Foscam', by: 'server' },
      advice: [],
    });
    // Every second request brings a new picture, and there is one a second.
    expect(report.refresh!.intervalMs).toBeGreaterThan(1_800);
    expect(report.refresh!.intervalMs).toBeLessThan(3_500);
    const { out } = await camfleet(`${url}/snapshot.cgi`, ...allowed, '--seconds', '0');
    expect(out).toMatch(/found +good: a picture that shows something/);
    expect(out).toMatch(/picture +160 x 120 px/);
    expect(out).toMatch(/brand +Foscam, by its Server header/);
  });

  test('recognises a stream by what it answers, and counts its pictures', async () => {
    const url = await camera((_request, response) => {
      response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace;boundary=b' });
      let turn = 0;
      const timer = setInterval(() => response.write(Buffer.concat([Buffer.from('--b\r\nContent-Type: image/jpeg\r\n\r\n'), pictures[turn++ % 3]!, Buffer.from('\r\n')])), 50); // prettier-ignore
      response.on('close', () => clearInterval(timer));
    });
    const report = await probed(`${url}/live`, '--seconds', '1');
    expect(report).toMatchObject({ code: 0, transport: 'mjpeg', verdict: 'good', conditional: null });
    expect(report.refresh!.pictures).toBeGreaterThan(5);
    expect(report.refresh!.intervalMs).toBeLessThan(200);
  });

  test('signs in, and says what to do where it cannot', async () => {
    const url = await camera((request, response) => {
      const isRight = request.headers.authorization === `Basic ${Buffer.from('viewer:let me').toString('base64')}`;
      if (isRight) response.writeHead(200, { 'content-type': 'image/jpeg' }).end(pictures[0]);
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="AXIS_00408C0FFEE0"' }).end();
    });
    const path = `${url}/jpg/image.jpg`;
    const without = await probed(path);
    expect(without).toMatchObject({
      code: 1,
      verdict: 'unauthorized',
      signIn: 'missing',
      brand: { name: 'Axis', by: 'realm' },
    });
    expect(without.advice[0]).toContain('--user and --password');
    expect(without.advice).toContain(`cameras of Axis mostly have ${url}/axis-cgi/jpg/image.cgi`);
    const wrong = await camfleet(path, '--user', 'viewer', '--password', 'guessed', ...allowed);
    expect(wrong.out).toMatch(/sign-in +refuses the credentials/);
    expect(wrong.out + wrong.err).not.toContain('guessed');
    const withThem = await probed(path.replace('//', '//viewer:let%20me@'), '--seconds', '0');
    expect(withThem).toMatchObject({ code: 0, verdict: 'good', signIn: 'accepted' });
    expect(JSON.stringify(withThem)).not.toMatch(/let.{1,3}me/);
  });

  test.each([
    ['404', 'http_error', /HTTP 404/, /check the path/],
    ['page', 'not_an_image', /a web page/, /address of the picture itself/],
    ['loop', 'protocol_error', /found +protocol_error/, /redirects in a circle/],
    ['inside', 'blocked', /192\.168\.1\.9: private/, /sends whoever asks on to 192\.168\.1\.9/],
  ])('%s: the reason and what to try', async (path, verdict, reason, advice) => {
    const url = await camera((request, response) => {
      if (request.url === '/404') response.writeHead(404).end();
      else if (request.url === '/page') response.writeHead(200, { 'content-type': 'text/html' }).end('<html><head>');
      else response.writeHead(302, { location: request.url === '/loop' ? '/loop' : 'http://192.168.1.9/' }).end();
    });
    const { code, out, err } = await camfleet(`${url}/${path}`, ...allowed, '--seconds', '0');
    expect(code).toBe(1);
    expect(out).toMatch(new RegExp(`found +${verdict}`));
    expect(out).toMatch(reason);
    expect(out).toMatch(advice);
    expect(err).toBe('No picture came.\n');
  });

  test('does not go where an agent may not, and says how to allow it', async () => {
    let asked = 0;
    const url = await camera((_request, response) => void (asked++, response.end()));
    const { code, out } = await camfleet(`${url}/`);
    expect([code, asked]).toEqual([1, 0]);
    expect(out).toMatch(/found +blocked: .*\(127\.0\.0\.1: loopback\)/);
    expect(out).toMatch(/--allow 127\.0\.0\.1/);
  });

  test('takes the address of a camera by its id from the coordinator', async () => {
    const url = await camera((request, response) => {
      if (request.url?.startsWith('/api/v1/cameras/17')) {
        const address = { scheme: 'http', host: '127.0.0.1', port: Number(new URL(url).port) };
        return void response.end(JSON.stringify({ kind: 'ip', ...address, snapshotPath: '/now.jpg', videoPath: null }));
      }
      response.writeHead(200, { 'content-type': 'image/jpeg' }).end(pictures[0]);
    });
    const report = await probed('17', '--url', url, '--token', 'cft_test', '--seconds', '0');
    expect(report).toMatchObject({ code: 0, url: `${url}/now.jpg`, verdict: 'good', refresh: { intervalMs: null } });
  });

  test('what is no address is a usage error', async () => {
    expect((await camfleet('ftp://example.org/x.jpg')).code).toBe(2);
    expect((await camfleet('somewhere')).code).toBe(2);
  });
});
