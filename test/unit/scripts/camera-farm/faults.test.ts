import { Agent, request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { VERDICTS } from '../../../../common/domain/verdict.ts';
import type { Farm, FarmOptions } from '../../../../scripts/camera-farm/farm.ts';
import { startFarm } from '../../../../scripts/camera-farm/farm.ts';
import { FAULTS, FAULT_NAMES, faultList } from '../../../../scripts/camera-farm/faults.ts';

const opened: { stop: () => Promise<unknown> }[] = [];
afterEach(async () => {
  for (const item of opened.splice(0).reverse()) await item.stop();
});

async function farmOf(options: Partial<FarmOptions>): Promise<Farm> {
  const farm = await startFarm({ cameras: 4, mjpegShare: 0, width: 64, height: 64, ...options });
  opened.push(farm);
  return farm;
}

function client(): Agent {
  const agent = new Agent({ connections: 4 });
  opened.push({ stop: () => agent.destroy() });
  return agent;
}

async function statusesOf(farm: Farm, id: string, times: number): Promise<number[]> {
  const dispatcher = client();
  const statuses: number[] = [];
  for (let i = 0; i < times; i++) {
    const { statusCode, body } = await request(farm.urlOf(id), { dispatcher });
    await body.dump();
    statuses.push(statusCode);
  }
  return statuses;
}

const shareOf = (statuses: readonly number[], status: number) =>
  statuses.filter((one) => one === status).length / statuses.length;

test('the list for help has every fault, with a verdict that exists', () => {
  for (const name of FAULT_NAMES) {
    expect(faultList()).toMatch(new RegExp(`^ +${name} +${FAULTS[name].verdict} `, 'm'));
    expect(FAULTS[name].verdict in VERDICTS).toBe(true);
  }
});

test('a fault can spoil a share of one camera’s answers, switched while the farm runs', async () => {
  const farm = await farmOf({ changeEverySeconds: 0 });
  const control = (body: object) =>
    request(`${farm.url}/control`, { method: 'POST', body: JSON.stringify(body), dispatcher: client() });
  expect((await control({ camera: 'cam0001', fault: '503', share: 0.5 })).statusCode).toBe(200);
  const share = shareOf(await statusesOf(farm, 'cam0001', 100), 503);
  expect(share).toBeGreaterThan(0.3);
  expect(share).toBeLessThan(0.7);
  expect(shareOf(await statusesOf(farm, 'cam0002', 10), 200)).toBe(1);
  expect((await control({ camera: 'cam0001', fault: null })).statusCode).toBe(200);
  expect(shareOf(await statusesOf(farm, 'cam0001', 10), 200)).toBe(1);
  expect((await control({ camera: 'cam0001', fault: '503', share: 2 })).statusCode).toBe(400);
});

test('faults can spoil a share of all answers, except those of cameras with a fault of their own', async () => {
  const farm = await farmOf({ requestShares: { '500': 0.3, '404': 0.3 }, faultOf: { cam0004: '403' } });
  const statuses = await statusesOf(farm, 'cam0001', 100);
  for (const status of [500, 404]) {
    expect(shareOf(statuses, status)).toBeGreaterThan(0.15);
    expect(shareOf(statuses, status)).toBeLessThan(0.45);
  }
  expect(shareOf(await statusesOf(farm, 'cam0004', 10), 403)).toBe(1);
  await expect(startFarm({ cameras: 1, requestShares: { hang: 1.5 } })).rejects.toThrow(/faults.*from 0 to 1/);
});

test('a fault that only one kind of camera can have is dealt to that kind, and refused for the other', async () => {
  const farm = await farmOf({ cameras: 40, mjpegShare: 0.3, faultShares: { '404': 0.8, 'odd-boundary': 0.1 } });
  const kindsOf = (fault: string) =>
    new Set(farm.population.filter(({ id }) => farm.truthOf(id).fault === fault).map(({ kind }) => kind));
  expect(kindsOf('odd-boundary')).toEqual(new Set(['mjpeg']));
  const snapshot = farm.population.find(({ kind }) => kind === 'snapshot')!;
  expect(() => farm.setFault(snapshot.id, 'missing-boundary')).toThrow(/is for mjpeg cameras/);
});

test('one card stands for all cameras of a host', async () => {
  const farm = await farmOf({ cameras: 40, camerasPerHost: 10 });
  const cards = new Map<string, Set<string>>();
  for (const { id, host } of farm.population) {
    farm.setFault(id, 'placeholder');
    const { body } = await request(farm.urlOf(id), { dispatcher: client() });
    const bytes = Buffer.from(await body.arrayBuffer()).toString('base64');
    cards.set(host, (cards.get(host) ?? new Set()).add(bytes));
  }
  expect([...cards.values()].map((set) => set.size)).toEqual([1, 1, 1, 1]);
  expect(new Set([...cards.values()].flatMap((set) => [...set])).size).toBeGreaterThan(1);
});
