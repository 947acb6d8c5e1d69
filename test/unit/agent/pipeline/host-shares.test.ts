import { expect, test } from 'vitest';
import { Hosts, USUAL_BUDGET } from '../../../../agent/pipeline/hosts.ts';
import { HostShares } from '../../../../agent/pipeline/host-shares.ts';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';

const part = (host: string, concurrency: number, minDelayMs: number) => ({ host, concurrency, minDelayMs });

test('an agent may use the sum of the parts that it holds, and no longer than it holds them', () => {
  const shares = new HostShares();
  expect(shares.set(1, [part('large', 1, 400), part('small', 2, 100)])).toEqual({
    left: [part('large', 1, 400), part('small', 2, 100)],
    gone: [],
  });
  expect(shares.set(2, [part('large', 2, 400), part('other', 1, 0)])).toEqual({
    left: [part('large', 3, 200), part('other', 1, 0)],
    gone: [],
  });
  expect(shares.set(2, [part('large', 2, 400)])).toEqual({ left: [part('large', 3, 200)], gone: ['other'] });
  expect(shares.all()).toEqual([part('large', 3, 200), part('small', 2, 100)]);
  expect(shares.remove(1)).toEqual({ left: [part('large', 2, 400)], gone: ['small'] });
  expect(shares.remove(1)).toEqual({ left: [], gone: [] });
  expect(shares.remove(2)).toEqual({ left: [], gone: ['large'] });
});

test('a host of which nothing is left takes no memory', () => {
  const hosts = new Hosts({ clock: new SimulatedClock() });
  hosts.setBudget(part('large', 5, 0));
  expect(hosts.concurrencyOf('large')).toBe(5);
  hosts.forgetBudget('large');
  expect(hosts.concurrencyOf('large')).toBe(USUAL_BUDGET.concurrency);
  hosts.close();
});
