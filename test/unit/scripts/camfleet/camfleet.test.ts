import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startProgram } from '../../../../scripts/camfleet/processes.ts';
import { createProgram } from '../../../../scripts/camfleet/program.ts';
import { table } from '../../../../scripts/camfleet/terminal.ts';
import { answers, asked, folder, run, url } from './command-bench.ts';

/** Names of all commands that do something; those that are programs of their own explain themselves. */
function verbsBelow(command: Command, path: string): string[] {
  return command.commands.flatMap((child) => {
    const name = `${path} ${child.name()}`.trim();
    if (PROGRAMS.has(name)) return [];
    const own = child.commands.length === 0 || child.registeredArguments.length > 0 || name === 'train' ? [name] : [];
    return [...own, ...verbsBelow(child, name)];
  });
}
const PROGRAMS = new Set(['up', 'coordinator', 'agent', 'trainer']);

describe('usage', () => {
  test.each([
    'cameras list --colour red',
    'cameras paint',
    'cameras show seventeen',
    'cameras list --json --jsonl',
    'jobs show',
    'agents invite --uses 0',
    'cameras set --priority 3',
  ])('"%s" exits 2 and says why, asking nobody', async (line) => {
    const { exit, stdout, stderr } = await run(line);
    expect([exit, stdout]).toEqual([2, '']);
    expect(stderr).not.toBe('');
    expect(asked).toEqual([]);
  });

  test('every verb has help with examples', async () => {
    const context = { terminal: { out: () => {}, err: () => {}, isInteractive: false, showsProgress: false } };
    const verbs = verbsBelow(createProgram({ ...context, environment: {} }, ''), '');
    expect(verbs.length).toBeGreaterThan(60);
    for (const name of [
      ...['add', 'import', 'list', 'show', 'set', 'pause', 'resume', 'remove'].map((verb) => `cameras ${verb}`),
      ...['invite', 'list', 'show', 'drain', 'cordon', 'revoke'].map((verb) => `agents ${verb}`),
      ...['list', 'show', 'import', 'promote'].map((verb) => `models ${verb}`),
      ...['list', 'show', 'retry', 'cancel'].map((verb) => `jobs ${verb}`),
      'status',
      'config show',
    ])
      expect(verbs).toContain(name);
    for (const name of verbs) {
      const { exit, stdout } = await run(`${name} --help`);
      expect([name, exit]).toEqual([name, 0]);
      expect(stdout).toContain(`camfleet ${name}`);
      expect(stdout).toMatch(/\nExamples?:?\n/);
    }
    expect((await run('--help')).stdout).toMatch(/up\b[^]*coordinator[^]*agent/);
    expect((await run('--version')).stdout).toBe('1.2.3\n');
  });

  test('the programs explain themselves without starting', async () => {
    let said = '';
    await startProgram(['agent', '--help'], (text) => (said += text));
    expect(said).toContain('--join');
    expect(startProgram(['status'], () => undefined)).toBeUndefined();
  });
});

describe('failures', () => {
  test('nobody listening exits 1 and says how to start', async () => {
    const { exit, stderr } = await run('status --url http://127.0.0.1:9 --token x');
    expect(exit).toBe(1);
    expect(stderr).toContain('camfleet up');
  });

  test.each([
    [401, 3],
    [403, 3],
    [400, 2],
    [404, 1],
    [500, 1],
  ])('an answer %i exits %i with the words of the coordinator', async (status, exit) => {
    answers['GET /cameras/7'] = { status, body: { code: 'X', message: 'this is why' } };
    expect(await run('cameras show 7')).toEqual({ exit, stdout: '', stderr: 'this is why\n' });
  });

  test("the data folder's token goes to no other machine, and its absence is explained", async () => {
    expect(await run('status --url http://coordinator.example')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('--token'),
    });
    expect(await run('status --data /nowhere')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('/nowhere/keys/admin-token'),
    });
    expect(asked).toEqual([]);
  });

  test('the token of `quickstart` is found beside it, that of `up` before it', async () => {
    const [home, before] = [await mkdtemp(join(tmpdir(), 'camfleet-home-')), process.cwd()];
    process.chdir(home);
    onTestFinished(async () => (process.chdir(before), rm(home, { recursive: true })));
    answers['GET /jobs'] = { body: { jobs: [] } };
    for (const data of ['data/quickstart', 'data']) {
      await mkdir(join(data, 'keys'), { recursive: true });
      await writeFile(join(data, 'keys/admin-token'), `cft_${data}\n`);
      expect((await run('jobs list', { CAMFLEET_URL: url })).exit).toBe(0);
      expect(asked.at(-1)?.token).toBe(`Bearer cft_${data}`);
    }
  });

  test('a wrong setting exits 2 and names it', async () => {
    const { exit, stderr } = await run('config show', { CAMFLEET_LISTEN_PORT: 'eighty' });
    expect([exit, stderr]).toEqual([2, expect.stringContaining('listen.port')]);
  });
});

describe('cameras', () => {
  const camera = {
    id: 1,
    name: 'A\u001b[31m',
    state: 'online',
    verdict: 'good',
    lastGoodAt: null,
    intervalMs: 60_000,
    country: 'US',
    city: null,
    host: 'h',
    lifecycle: 'active',
  };

  test('list asks page after page with the filter, in all three forms', async () => {
    answers['GET /cameras'] = { body: { cameras: [camera], next: null, count: 1 } };
    const words = await run('cameras list --text bridge --box -180,-10,5,10 --state black --limit 5');
    expect(asked[0]).toMatchObject({
      query: { text: 'bridge', box: '-180,-10,5,10', state: 'black', limit: '5' },
      token: 'Bearer cft_admin',
    });
    expect(words.stdout).toContain('never');
    expect(words.stdout).not.toContain('\u001b');
    expect(JSON.parse((await run('cameras list --json')).stdout)).toEqual({ cameras: [camera], count: 1 });
    expect((await run('cameras list --jsonl')).stdout).toBe(`${JSON.stringify(camera)}\n`);
  });

  test('add sends what the options say', async () => {
    answers['POST /cameras'] = { status: 201, body: { id: 5, name: 'x' } };
    const line =
      'cameras add http://c.example/a.jpg --near 1.5,-2 --interval 5min --tags a,b --user u --password p --priority 9';
    expect(await run(line)).toMatchObject({ exit: 0, stdout: 'Camera 5 (x) was added.\n' });
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({
      source: 'manual',
      snapshotUrl: 'http://c.example/a.jpg',
      latitude: 1.5,
      longitude: -2,
      intervalMs: 300_000,
      tags: ['a', 'b'],
      priority: 9,
      credentials: { user: 'u', password: 'p' },
    });
  });

  test('set, pause and remove name their cameras', async () => {
    answers['PATCH /cameras'] = { body: { changed: 2 } };
    answers['POST /cameras/pause'] = { body: { changed: 1 } };
    expect((await run('cameras set 1 2 --interval 10s')).stdout).toBe('2 cameras were changed.\n');
    expect((await run('cameras set --all --add-tags x')).exit).toBe(0);
    expect((await run('cameras pause 3 4')).stdout).toBe('1 of 2 cameras were paused.\n');
    expect(asked.map(({ query, body }) => [query, JSON.parse(body)])).toEqual([
      [{ ids: '1,2' }, { intervalMs: 10_000 }],
      [{ all: 'true' }, { addTags: ['x'] }],
      [{}, { ids: [3, 4] }],
    ]);
  });

  test('import draws how far it is where somebody sees it, and nowhere else', async () => {
    const file = join(folder, 'long.csv');
    await writeFile(file, `id,url\n${'a,http://h.example/a.jpg\n'.repeat(20_000)}`);
    const report = { read: 1, added: 1, changed: 0, unchanged: 0, rejected: 0, retired: 0, rejections: [], notes: [] };
    answers['POST /cameras/import'] = { body: report };
    const seen = await run(['cameras', 'import', file], undefined, true);
    const drawn = seen.stderr.split('\r').slice(1);
    expect(drawn[0]).toMatch(/^Importing [█░]{30} +\d+ %$/);
    expect(drawn[0], 'not only at the end').not.toContain('100 %');
    expect(drawn.at(-1)).toBe(`Importing ${'█'.repeat(30)} 100 %\n`);
    expect(seen.stdout).not.toContain('█');
    expect((await run(['cameras', 'import', file])).stderr).toBe('');
  });

  test('import says how many rejected rows it lists at most', async () => {
    expect((await run('cameras import --help')).stdout).toMatch(
      /--rejected <file> +write rejected rows .*\s+.*the\s+first\s+100,000/,
    );
    const report = { read: 150_000, added: 0, changed: 0, unchanged: 0, retired: 0, rejections: [], notes: [] };
    answers['POST /cameras/import'] = { body: { ...report, rejected: 150_000 } };
    const file = join(folder, 'bad.csv');
    await writeFile(file, 'id,url\n');
    expect((await run(['cameras', 'import', file])).stdout).toContain(
      '--rejected FILE writes the first 100,000 of them.',
    );
    answers['POST /cameras/import'] = { body: { ...report, rejected: 30 } };
    expect((await run(['cameras', 'import', file])).stdout).toContain('--rejected FILE writes all of them.');
  });

  test('import streams the file and tells of rejected rows', async () => {
    const file = join(folder, 'mine.csv');
    const rejected = join(folder, 'rejected.jsonl');
    await writeFile(file, 'url\nx\n');
    const rejections = [{ line: 2, reason: 'no address' }];
    answers['POST /cameras/import'] = {
      body: { read: 1, added: 0, changed: 0, unchanged: 0, rejected: 1, retired: 0, rejections, notes: [] },
    };
    const { exit, stdout } = await run(['cameras', 'import', file, '--sync', '--rejected', rejected]);
    expect([exit, stdout]).toEqual([0, expect.stringContaining('line 2: no address')]);
    expect(asked[0]).toMatchObject({
      body: 'url\nx\n',
      query: { format: 'csv', source: 'mine', sync: 'true', mostRejections: '100000' },
    });
    expect(await readFile(rejected, 'utf8')).toBe(`${JSON.stringify(rejections[0])}\n`);
    await run(['cameras', 'import', file, '--json']);
    expect(asked.at(-1)?.query['mostRejections'], 'programs get every rejection').toBe('100000');
    expect((await run('cameras import /nowhere.csv')).exit).toBe(2);
  });
});

describe('agents, models, jobs', () => {
  test('an invitation comes as the line to paste', async () => {
    answers['POST /agents/invitations'] = { status: 201, body: { invitation: 'CODE', expiresAt: 0, uses: 3 } };
    expect((await run('agents invite --uses 3')).stdout).toContain(`camfleet agent --coordinator ${url} --join CODE`);
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ uses: 3 });
  });

  test('uncordon ends cordon and drain', async () => {
    for (const path of ['cordon', 'drain']) answers[`POST /agents/a%201/${path}`] = { body: { id: 'i', name: 'a 1' } };
    expect((await run(['agents', 'uncordon', 'a 1'])).stdout).toBe('Agent a 1 gets cameras again.\n');
    expect(asked.map(({ path, body }) => [path, body])).toEqual([
      ['/agents/a%201/cordon', '{"on":false}'],
      ['/agents/a%201/drain', '{"on":false}'],
    ]);
  });

  test('a model is uploaded, made and promoted', async () => {
    const [onnx, labels] = [join(folder, 'net.onnx'), join(folder, 'labels.txt')];
    await writeFile(onnx, 'bytes');
    await writeFile(labels, 'cat\r\ndog\n\n');
    answers['POST /uploads'] = { status: 201, body: { upload: 'uploads/1' } };
    answers['POST /models'] = { status: 201, body: { version: 'abcdef0123', name: 'net' } };
    answers['POST /models/abcdef0123/promote'] = { body: {} };
    expect((await run(['models', 'import', '--onnx', onnx, '--labels', labels, '--promote'])).exit).toBe(0);
    expect(asked.map(({ path }) => path)).toEqual(['/uploads', '/models', '/models/abcdef0123/promote']);
    expect(JSON.parse(asked[1]?.body ?? '')).toEqual({ name: 'net', onnxUpload: 'uploads/1', labels: ['cat', 'dog'] });
  });

  test.each([
    [403, 'FORBIDDEN'],
    [400, 'MODEL_UNSIGNED'],
    [400, 'MODEL_TAMPERED'],
  ])('a model that is not to be trusted is refused with 3 (%i %s)', async (status, code) => {
    answers['POST /models/abcdef0123/promote'] = { status, body: { code, message: 'this is why' } };
    expect((await run('models promote abcdef0123')).exit).toBe(3);
  });

  test('jobs are listed and cancelled', async () => {
    answers['GET /jobs'] = {
      body: {
        jobs: [{ id: 4, kind: 'cameras.import', state: 'running', attempts: 1, createdAt: Date.now(), error: null }],
      },
    };
    answers['POST /jobs/4/cancel'] = { body: {} };
    expect((await run('jobs list --state running')).stdout).toContain('cameras.import');
    expect((await run('jobs cancel 4')).exit).toBe(0);
  });
});

test('config show says where each value came from and hides secrets', async () => {
  const environment = { CAMFLEET_LISTEN_PORT: '8700', DATABASE_URL: 'postgres://me:secret@db/camfleet' };
  const { stdout } = await run('config show --json', environment);
  const { settings } = JSON.parse(stdout) as { settings: { key: string; value: unknown; origin: string }[] };
  expect(settings).toContainEqual(expect.objectContaining({ key: 'listen.port', value: 8700, origin: 'environment' }));
  expect(stdout).not.toContain('secret@');
});

test('a table lines its columns up', () => {
  expect(
    table(
      ['NAME', 'N'],
      [
        ['a', 7],
        ['long name', 12],
      ],
    ),
  ).toBe('NAME        N\na           7\nlong name  12\n');
});
