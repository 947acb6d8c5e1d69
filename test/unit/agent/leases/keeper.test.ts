import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Grant, GrantState, Renew, ShardDelta } from '../../../../common/protocol/agent-link.ts';
import { LeaseKeeper } from '../../../../agent/leases/keeper.ts';
import type { KeeperLink, Lease } from '../../../../agent/leases/keeper.ts';
import { CoordinatorTime } from '../../../../agent/leases/time.ts';
import { SimulatedClock } from '../../../../common/runtime/clock.ts';
import { silentLogger } from '../../../../common/runtime/logger.ts';
import { fail, ok } from '../../../../common/runtime/result.ts';

const grant = (shardId: number, token: number): Grant => ({
  shardId,
  token,
  revision: 1,
  from: 0,
  cameras: [],
  hosts: [],
});

/** Answers like a coordinator that follows a script. */
class ScriptedLink implements KeeperLink {
  isReady = true;
  answering = true;
  offers: number[] = [];
  states = new Map<number, GrantState['state']>();
  revisions = new Map<number, number>();
  acknowledges = true;
  workAvailable = false;
  readonly calls: { event: string; request: unknown }[] = [];
  #token = 100;

  call: KeeperLink['call'] = async (event, request) => {
    this.calls.push({ event, request });
    return (this.answering ? this.#answer(event, request) : fail('NO_ANSWER', 'nobody')) as never;
  };

  count(event: string): number {
    return this.calls.filter((call) => call.event === event).length;
  }

  #answer(event: string, request: unknown): unknown {
    switch (event) {
      case 'work:request':
        return ok({ offers: this.offers.map((shardId) => ({ offerId: `o${shardId}`, shardId, cameras: 0, load: 0 })) });
      case 'work:accept': {
        const { shardId } = request as { shardId: number };
        this.offers = this.offers.filter((other) => other !== shardId);
        return ok(grant(shardId, this.#token++));
      }
      case 'lease:renew':
        return ok({
          now: 1,
          grants: (request as Renew).grants.map(({ shardId, token }) => ({
            shardId,
            token,
            state: this.states.get(shardId) ?? 'held',
            revision: this.revisions.get(shardId) ?? 1,
          })),
          stretch: { factor: 1, belowPriority: 0 },
          modelVersion: null,
          workAvailable: this.workAvailable,
        });
      case 'shard:sync': {
        const { shardId, token } = request as { shardId: number; token: number };
        const revision = this.revisions.get(shardId) ?? 1;
        return ok({ shardId, token, revision, upsert: [], remove: [7], hosts: [] } satisfies ShardDelta);
      }
      case 'shard:acknowledge':
        return this.acknowledges ? ok({}) : fail('NO_ANSWER', 'lost');
      case 'agent:drain':
        return ok({ successors: true });
      default:
        return ok({});
    }
  }
}

describe('the lease keeper', () => {
  let clock: SimulatedClock;
  let link: ScriptedLink;
  let keeper: LeaseKeeper;
  let leases: Lease[];
  let events: string[];

  beforeEach(() => {
    clock = new SimulatedClock();
    link = new ScriptedLink();
    leases = [];
    events = [];
    keeper = new LeaseKeeper({
      link,
      holder: {
        take: (lease) => void leases.push(lease),
        change: (_, delta) => void events.push(`change ${delta.revision}`),
        begin: (_, delta) => void events.push(`begin ${delta.revision}`),
        stretch: () => {},
      },
      time: new CoordinatorTime(),
      clock,
      logger: silentLogger,
      status: () => ({ capacity: 1, rate: 0, late: 0, modelVersion: null, outboxBatches: 0 }),
    });
  });
  afterEach(() => keeper.stop('stopped'));

  const begin = async (...shards: number[]) => {
    link.offers = shards;
    keeper.welcome({ renewMs: 5_000, autonomyMs: 3_600_000 });
    await clock.advance(100);
  };

  test('accepts what is offered, one shard after the other, and renews all of them in one message', async () => {
    await begin(1, 2, 3);
    expect(keeper.held.map(({ shardId }) => shardId)).toEqual([1, 2, 3]);
    expect(keeper.highestToken).toBe(102);
    const before = link.count('lease:renew');
    await clock.advance(5_000);
    expect(link.count('lease:renew')).toBe(before + 1);
    expect((link.calls.at(-1)?.request as Renew).grants).toHaveLength(3);
  });

  test('a silent coordinator ends nothing until autonomy ends', async () => {
    await begin(1);
    link.answering = false;
    await clock.advance(3_599_000);
    expect(leases[0]?.signal.aborted).toBe(false);
    await clock.advance(10_000);
    expect(leases[0]?.signal.aborted).toBe(true);
    expect(keeper.held).toEqual([]);
  });

  test('contact before the end of autonomy starts it anew', async () => {
    await begin(1);
    link.answering = false;
    await clock.advance(3_000_000);
    link.answering = true;
    await clock.advance(10_000);
    link.answering = false;
    await clock.advance(3_000_000);
    expect(leases[0]?.signal.aborted).toBe(false);
  });

  test.each(['taken', 'revoked', 'superseded', 'unknown'] as const)(
    'a shard that is %s ends at once',
    async (state) => {
      await begin(1, 2);
      link.states.set(1, state);
      await clock.advance(5_000);
      expect(leases.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    },
  );

  test('a hint about another token of the shard ends nothing', async () => {
    await begin(1);
    keeper.leaseLost({ shardId: 1, token: 99, reason: 'taken' });
    expect(leases[0]?.signal.aborted).toBe(false);
    keeper.leaseLost({ shardId: 1, token: 100, reason: 'taken' });
    expect(leases[0]?.signal.aborted).toBe(true);
  });

  test('a change is applied, acknowledged and only then begun', async () => {
    await begin(1);
    link.revisions.set(1, 2);
    keeper.shardChanged({ shardId: 1, revision: 2 });
    await clock.advance(10);
    expect(events).toEqual(['change 2', 'begin 2']);
    expect(link.calls.map(({ event }) => event)).toContain('shard:acknowledge');
  });

  test('a lost acknowledgement leads to the same change again at the next renewal', async () => {
    await begin(1);
    link.revisions.set(1, 2);
    link.acknowledges = false;
    await clock.advance(5_000);
    expect(events).toEqual(['change 2']);
    link.acknowledges = true;
    await clock.advance(5_000);
    expect(events).toEqual(['change 2', 'change 2', 'begin 2']);
    await clock.advance(5_000);
    expect(events).toHaveLength(3);
  });

  test('a lost wake-up costs a renewal, not the work', async () => {
    await begin();
    link.offers = [4];
    link.workAvailable = true;
    await clock.advance(5_000);
    expect(keeper.held.map(({ shardId }) => shardId)).toEqual([4]);
  });

  test('draining keeps what is held and takes nothing new', async () => {
    await begin(1);
    expect(await keeper.drain()).toBe(true);
    link.offers = [2];
    link.workAvailable = true;
    await clock.advance(10_000);
    expect(keeper.held.map(({ shardId }) => shardId)).toEqual([1]);
    expect(link.calls.findLast(({ event }) => event === 'lease:renew')?.request).toMatchObject({ draining: true });
  });

  test('where nothing can be recorded the shards go back, and are wanted again when there is room', async () => {
    await begin(1, 2);
    await keeper.pause('the disk is full');
    expect(leases.every(({ signal }) => signal.aborted)).toBe(true);
    expect(link.calls.at(-1)).toMatchObject({
      event: 'work:release',
      request: { shards: [{ shardId: 1 }, { shardId: 2 }] },
    });
    link.offers = [3];
    keeper.requestWork();
    await clock.advance(10);
    expect(keeper.held).toEqual([]);
    keeper.resume();
    await clock.advance(10);
    expect(keeper.held.map(({ shardId }) => shardId)).toEqual([3]);
  });
});
