import { expect, test } from 'vitest';
import { HostBreaker } from '../../../../agent/sources/host-breaker.ts';
import { HostRests } from '../../../../agent/sources/host-rests.ts';
import { parseRetryAfter } from '../../../../agent/sources/retry-after.ts';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';

function setUp({ failures = 3, random = () => 0 }: { failures?: number; random?: () => number } = {}) {
  const clock = new SimulatedClock();
  const changes: [string, number][] = [];
  const onChange = (host: string, ms: number) => void changes.push([host, ms]);
  const breaker = new HostBreaker({ clock, failures, firstMs: 30_000, ceilingMs: 3_600_000, random, onChange });
  return { clock, breaker, changes };
}

test('failures of different cameras keep all cameras of the host away; then one camera decides', async () => {
  const { clock, breaker, changes } = setUp();
  for (let camera = 1; camera <= 3; camera++) {
    expect(breaker.waitMs('h')).toBe(0);
    breaker.failed('h', camera);
  }
  expect([breaker.waitMs('h'), breaker.waitMs('other')]).toEqual([30_000, 0]);
  await clock.advance(30_000);
  expect(breaker.waitMs('h')).toBe(0);
  expect(breaker.waitMs('h')).toBe(5_000);
  breaker.failed('h', 1);
  expect(breaker.waitMs('h')).toBe(60_000);
  await clock.advance(60_000);
  expect(breaker.waitMs('h')).toBe(0);
  breaker.abandoned('h');
  expect(breaker.waitMs('h')).toBe(0);
  breaker.succeeded('h');
  expect([breaker.waitMs('h'), breaker.size]).toEqual([0, 0]);
  expect(changes).toEqual([['h', 30_000], ['h', 60_000], ['h', 0]]); // prettier-ignore
});

test('one camera that fails for ever leaves the others of its host in peace', () => {
  const { breaker } = setUp();
  for (let attempt = 0; attempt < 100; attempt++) breaker.failed('h', 7);
  expect(breaker.waitMs('h')).toBe(0);
  breaker.failed('h', 8);
  breaker.succeeded('h');
  breaker.failed('h', 9);
  breaker.failed('h', 10);
  expect(breaker.waitMs('h')).toBe(0);
});

test('attempts that were under way when it opened do not make it longer', () => {
  const { breaker, changes } = setUp();
  for (let camera = 1; camera <= 9; camera++) breaker.failed('h', camera);
  expect(changes).toEqual([['h', 30_000]]);
});

test('a dead host is asked ever less, once an hour at most, and never in step with others', async () => {
  const { clock, breaker, changes } = setUp();
  for (let camera = 1; camera <= 3; camera++) breaker.failed('h', camera);
  for (let tries = 0; tries < 10; tries++) {
    await clock.advance(breaker.waitMs('h'));
    expect(breaker.waitMs('h')).toBe(0);
    breaker.failed('h', 1);
  }
  expect(changes.map(([, ms]) => ms / 30_000)).toEqual([1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120]);
  const jittered = setUp({ random: () => 0.75 });
  for (let camera = 1; camera <= 3; camera++) jittered.breaker.failed('h', camera);
  expect(jittered.breaker.waitMs('h')).toBe(7_500);
});

test('a try that was never made keeps nobody away for good', async () => {
  const { clock, breaker } = setUp({ failures: 1 });
  breaker.failed('h');
  await clock.advance(30_000);
  expect([breaker.waitMs('h'), breaker.waitMs('h')]).toEqual([0, 5_000]);
  await clock.advance(60_000);
  expect(breaker.waitMs('h')).toBe(0);
});

test('what another agent found leads to one try, after which the host is known', async () => {
  const { clock, breaker } = setUp();
  breaker.told('h', 20_000);
  breaker.told('h', 90_000);
  expect(breaker.waitMs('h')).toBe(20_000);
  await clock.advance(20_000);
  expect([breaker.waitMs('h'), breaker.waitMs('h')]).toEqual([0, 5_000]);
  breaker.succeeded('h');
  expect(breaker.waitMs('h')).toBe(0);
});

test.each([
  ['120', 120_000],
  [' 0 ', 1_000],
  ['1.5', 1_500],
  ['999999999', 3_600_000],
  ['Sat, 01 Jan 2028 00:02:00 GMT', 120_000],
  ['Saturday, 01-Jan-28 00:02:00 GMT', 120_000],
  ['Fri, 31 Dec 2027 23:00:00 GMT', 1_000],
  ['Sat, 01 Jan 2078 00:02:00 GMT', 3_600_000],
  ['soon', undefined],
  ['-5', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After: %s means %s ms', (value, ms) => {
  expect(parseRetryAfter(value, Date.parse('2028-01-01T00:00:00Z'))).toBe(ms);
});

test('a date counts by the clock of the server that sent it', () => {
  const [until, date] = ['Tue, 01 Jan 2019 00:05:00 GMT', 'Tue, 01 Jan 2019 00:04:00 GMT'];
  expect(parseRetryAfter(until, Date.parse('2028-01-01T00:00:00Z'), date)).toBe(60_000);
});

function rests(random: () => number = () => 0) {
  const clock = new SimulatedClock();
  const told: [string, number][] = [];
  return { clock, told, rests: new HostRests({ clock, random, onRest: (host, ms) => void told.push([host, ms]) }) };
}

test('a host rests for as long as it says, as a whole, and others do not', async () => {
  const { clock, rests: hosts, told } = rests();
  hosts.asked('h', 429, 90_000);
  hosts.asked('h', 503, 20_000);
  expect([hosts.waitMs('h'), hosts.waitMs('other'), told]).toEqual([90_000, 0, [['h', 90_000]]]);
  await clock.advance(90_000);
  expect(hosts.waitMs('h')).toBe(0);
  hosts.answered('h');
  expect(hosts.size).toBe(0);
});

test('where it does not say how long, each answer makes it longer, until it answers something else', async () => {
  const { clock, rests: hosts } = rests();
  const waits: number[] = [];
  for (let round = 0; round < 9; round++) {
    hosts.asked('h', 429, undefined);
    hosts.asked('h', 429, undefined);
    waits.push(hosts.waitMs('h') / 1_000);
    await clock.advance(hosts.waitMs('h'));
  }
  expect(waits).toEqual([30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
  hosts.answered('h');
  hosts.asked('h', 503, undefined);
  expect(hosts.waitMs('h')).toBe(5_000);
  const jittered = rests(() => 0.9);
  jittered.rests.asked('h', 429, undefined);
  expect(jittered.rests.waitMs('h')).toBe(3_000);
});

test('what another agent was told counts here, too', () => {
  const { rests: hosts, told } = rests();
  hosts.told('h', 50_000);
  expect([hosts.waitMs('h'), told]).toEqual([50_000, []]);
});
