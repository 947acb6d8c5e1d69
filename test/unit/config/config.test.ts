import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadAgentConfig, loadCoordinatorConfig, sourcesFrom } from '../../../config/load.ts';
import type { Sources } from '../../../config/load.ts';

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'camfleet-config-'));
  file = join(folder, 'settings.json');
});

afterAll(() => rmSync(folder, { recursive: true }));

const write = (content: unknown): string => {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
};

const problemOf = (sources: Sources): string => {
  try {
    loadCoordinatorConfig(sources);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
  throw new Error('it was accepted');
};

describe('precedence', () => {
  test('a flag beats the environment, which beats the file, which beats the default', () => {
    const sources = {
      file: write({ listen: { port: 1111 }, leases: { ttlSeconds: 20 }, log: { level: 'warn' } }),
      environment: { CAMFLEET_LISTEN_PORT: '2222', CAMFLEET_LOG_LEVEL: 'error' },
      flags: { 'listen.port': '3333' },
    };
    const { config, describe: describeAll } = loadCoordinatorConfig(sources);
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 3333 },
      leases: { ttlSeconds: 20 },
      log: { level: 'error' },
    });
    const origins = Object.fromEntries(describeAll().map(({ key, origin }) => [key, origin]));
    expect(origins).toMatchObject({
      'listen.host': 'default',
      'listen.port': 'flag',
      'leases.ttlSeconds': 'file',
      'log.level': 'environment',
    });
  });

  test('the file in the data folder is used where there is one, the one that is named must exist', () => {
    writeFileSync(join(folder, 'coordinator.json'), '{"listen":{"port":4444}}');
    expect(loadCoordinatorConfig({ flags: { dataFolder: folder } }).config.listen.port).toBe(4444);
    expect(loadCoordinatorConfig({ flags: { dataFolder: join(folder, 'absent') } }).config.listen.port).toBe(8600);
    expect(problemOf({ file: join(folder, 'absent.json') })).toContain('absent.json cannot be read');
    expect(problemOf({ file: write('{"listen":') })).toContain('settings.json cannot be read as JSON');
  });
});

describe('errors name the key, the value and what is allowed', () => {
  test.each([
    [
      { flags: { 'listen.port': '99999' } },
      'listen.port must be a whole number from 0 to 65535; 99999 stands in the flag',
    ],
    [{ flags: { 'listen.port': '12abc' } }, '"12abc" stands in the flag --listen.port'],
    [{ environment: { CAMFLEET_LOG_LEVEL: 'loud' } }, 'log.level must be one of fatal, error, warn, info'],
    [{ environment: { CAMFLEET_INTAKE_WITNESS: 'no' } }, 'intake.witness must be true or false; "no" stands in'],
    [{ environment: { CAMFLEET_LEASES_TTL: '5' } }, 'there is no setting "CAMFLEET_LEASES_TTL"'],
    [
      { flags: { 'listen.prot': '1' } },
      'there is no setting "listen.prot" ("1" stands in the flag --listen.prot); known are listen.host, listen.port',
    ],
    [{ flags: { 'listen.host': '0.0.0.0' } }, 'only loopback is allowed for now'],
    [{ flags: { 'leases.ttlSeconds': 6 } }, 'leases.renewSeconds (5) must be less than half of leases.ttlSeconds (6)'],
  ])('%j', (sources, message) => {
    expect(problemOf(sources)).toContain(message);
  });

  test('all problems at once, from a file too', () => {
    const message = problemOf({ file: write({ listen: 5, frames: { quotaBytes: '10 GB' }, colour: 'red' }) });
    for (const key of ['"listen"', 'frames.quotaBytes', '"colour"']) expect(message).toContain(key);
  });
});

test('secrets appear neither in the description nor in an error', () => {
  const environment = { DATABASE_URL: 'postgres://me:hunter2@db/camfleet' };
  const loaded = loadCoordinatorConfig({ environment });
  expect(loaded.config.databaseUrl).toBe('postgres://me:hunter2@db/camfleet');
  expect(loaded.describe().find(({ key }) => key === 'databaseUrl')).toMatchObject({
    value: '***',
    origin: 'environment',
  });
  expect(JSON.stringify(loaded.describe())).not.toContain('hunter2');
  expect(problemOf({ environment: { DATABASE_URL: 'mysql://me:hunter2@db' } })).not.toContain('hunter2');
});

test("an agent's lists, optional values and defaults", () => {
  const { config } = loadAgentConfig({
    environment: { CAMFLEET_AGENT_EGRESS_ALLOW: '127.0.0.0/8, fd00::/8', CAMFLEET_AGENT_PLACE_LATITUDE: '-33.9' },
  });
  expect(config.egress.allow).toEqual(['127.0.0.0/8', 'fd00::/8']);
  expect(config.place).toEqual({ latitude: -33.9, longitude: null });
  expect(config.gate).toEqual({ maxAgeSeconds: 600, auditShare: 0.02, threshold: 4 });
  expect(() => loadAgentConfig({ flags: { 'egress.allow': '10.0.0.0/33' } })).toThrow('egress.allow must be a list of');
});

test('flags of a main program', () => {
  const sources = sourcesFrom(['--data', '/d', '--listen.port=0', '--config', 'c.json'], {});
  expect(sources).toEqual({ file: 'c.json', environment: {}, flags: { dataFolder: '/d', 'listen.port': '0' } });
  expect(() => sourcesFrom(['--port'], {})).toThrow('has no value');
  expect(() => sourcesFrom(['port'], {})).toThrow('is not a flag');
});
