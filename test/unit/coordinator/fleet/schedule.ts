import { HEARTBEAT_GAP_MS } from '../../../../common/protocol/lease-rules.ts';
import { ModelCoordinator, TTL_MS } from './model.ts';
import type { ModelGrant } from './model.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import type { Attempt, Figures, Surroundings } from './simulated-agent.ts';
import { randomFrom, Timeline } from './timeline.ts';

const RENEW_MS = 5_000;
/** Trouble ends here; from then on everything must come to rest. */
const TROUBLE_MS = 120_000;
const QUIET_MS = 60_000;
const ACK_TIMEOUT_MS = 5_000;
const CAPTURE_MS = 2_500;

/** One run: a coordinator, some agents, a bad network, and somebody who kills. */
class World implements Surroundings {
  readonly time = new Timeline();
  readonly random: () => number;
  readonly coordinator: ModelCoordinator;
  readonly agents: SimulatedAgent[];
  readonly losses = new Losses();
  isUp = true;
  hasTrouble = true;
  readonly counted: Attempt[] = [];
  readonly figures: Figures = {
    ...{ grants: 0, takeovers: 0, handovers: 0, kills: 0, outages: 0, counted: 0, refused: 0, moves: 0 },
  };

  constructor(seed: number) {
    this.random = randomFrom(seed);
    this.coordinator = new ModelCoordinator(3 + Math.floor(this.random() * 4));
    this.agents = Array.from(
      { length: 2 + Math.floor(this.random() * 3) },
      (_, n) => new SimulatedAgent(`agent-${n}`, this),
    );
  }

  /** A message on its way: late, lost, or twice; nothing arrives at a coordinator that is down. */
  send(work: () => void, isCut: () => boolean, reaches: () => boolean): void {
    if (isCut()) return;
    const copies = this.hasTrouble && this.random() < 0.1 ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.hasTrouble && this.random() < 0.12) continue;
      const slow = this.hasTrouble && this.random() < 0.1;
      this.time.after(this.random() * (slow ? 8_000 : 200), () => {
        if (!isCut() && reaches()) work();
      });
    }
  }

  /** A request with its answer, either of which may fail to come. */
  ask<T>(agent: SimulatedAgent, handle: () => T, answered: (value: T) => void): void {
    const session = agent.session;
    const isCut = (): boolean => agent.isCut;
    const isSame = (): boolean => agent.session === session && agent.isRunning;
    const askedAt = this.time.now;
    const answer = (value: T): void => {
      if (this.time.now - askedAt <= ACK_TIMEOUT_MS) answered(value);
    };
    this.send(
      () => {
        const value = handle();
        this.send(() => answer(value), isCut, isSame);
      },
      isCut,
      () => this.isUp,
    );
  }

  /** Also some that it does not hold: intake decides, not the agent. */
  camerasAround(shard: number): number[] {
    return this.coordinator.memberships
      .filter((one) => one.until === null && (one.shard === shard || this.random() < 0.05))
      .map(({ camera }) => camera);
  }

  agentOf(name: string): SimulatedAgent | undefined {
    return this.agents.find((agent) => agent.name === name);
  }

  /** An attempt comes to intake some time later, in any order, perhaps from a session that has ended meanwhile. */
  report(attempt: Attempt): void {
    this.time.after(this.random() * 20_000, () => {
      const { agent, session, token, camera, at } = attempt;
      if (!this.isUp) return;
      if (!this.coordinator.counts(agent, session, token, camera, at)) return void this.figures.refused++;
      this.figures.counted++;
      this.counted.push(attempt);
    });
  }

  heard(session: string): void {
    this.losses.heard(session, this.time.now);
  }

  took(old: ModelGrant, by: ModelGrant): void {
    this.losses.judge(old, by, this.time.now);
  }

  goDown(): void {
    if (this.isUp) this.losses.wentDown(this.time.now);
    this.isUp = false;
  }

  comeBack(): void {
    if (!this.isUp) this.losses.cameBack(this.time.now);
    this.isUp = true;
  }

  every(ms: number, work: () => void): void {
    this.time.after(ms * (0.9 + 0.2 * this.random()), () => {
      work();
      this.every(ms, work);
    });
  }
}

/**
 * Who may lose a shard to somebody else without a hand-over, by a bookkeeping of its own: only who was not heard for a TTL, and
 * after an outage that no renewal survives only who was not heard for a TTL after it.
 */
class Losses {
  readonly failures: string[] = [];
  readonly #heardAt = new Map<string, number>();
  #downAt = 0;
  #backAt = -Infinity;

  heard(session: string, now: number): void {
    this.#heardAt.set(session, now);
  }

  wentDown(now: number): void {
    this.#downAt = now;
  }

  cameBack(now: number): void {
    if (now - this.#downAt > HEARTBEAT_GAP_MS) this.#backAt = now;
  }

  judge(old: ModelGrant, by: ModelGrant, now: number): void {
    if (by.reason === 'handover') return;
    const silentMs = now - (this.#heardAt.get(old.sessionId) ?? -Infinity);
    const what = `${old.sessionId} lost shard ${old.shardId} to ${by.sessionId} (${by.reason})`;
    if (silentMs <= TTL_MS) this.failures.push(`${what} though it was heard ${silentMs} ms before`);
    else if (now - this.#backAt <= TTL_MS)
      this.failures.push(`${what} ${now - this.#backAt} ms after an outage in which nobody could renew`);
  }
}

export function runSchedule(seed: number): { failures: string[]; figures: Figures } {
  const world = new World(seed);
  setUp(world);
  world.time.runUntil(TROUBLE_MS);
  endTrouble(world);
  world.time.runUntil(TROUBLE_MS + QUIET_MS);
  world.figures.grants = world.coordinator.grants.length;
  return { failures: [...doubleOwners(world), ...stuck(world), ...world.losses.failures], figures: world.figures };
}

function setUp(world: World): void {
  const { coordinator, time, random } = world;
  world.coordinator.start(0);
  world.every(500, () => world.isUp && coordinator.heartbeat(time.now));
  world.every(1_000, () => {
    if (!world.isUp) return;
    coordinator.plan(time.now, world.hasTrouble ? random : () => 1);
    for (const agent of world.agents)
      world.send(
        () => agent.request(),
        () => agent.isCut,
        () => agent.isRunning,
      );
  });
  for (const agent of world.agents) {
    time.after(random() * 5_000, () => agent.start());
    world.every(RENEW_MS, () => agent.renew());
    world.every(CAPTURE_MS, () => agent.capture());
  }
  world.every(12_000, () => world.hasTrouble && makeTrouble(world));
}

/** Something happens to somebody, and ends some time later. */
function makeTrouble(world: World): void {
  const { time, random, figures } = world;
  const agent = world.agents[Math.floor(random() * world.agents.length)];
  if (!agent) return;
  const later = (least: number, most: number, work: () => void): void =>
    time.after(least + random() * (most - least), work);
  const kind = Math.floor(random() * 6);
  if (kind === 0) {
    figures.kills++;
    agent.kill();
    later(100, 40_000, () => !agent.isRunning && agent.start());
  } else if (kind === 1) {
    agent.isCut = true;
    later(1_000, 45_000, () => (agent.isCut = false));
  } else if (kind === 2) {
    agent.isStopped = true;
    later(1_000, 45_000, () => (agent.isStopped = false));
  } else if (kind === 3) {
    figures.outages++;
    world.goDown();
    later(200, 30_000, () => {
      if (!world.isUp && random() < 0.5) world.coordinator.start(time.now);
      world.comeBack();
    });
  } else if (kind === 4) {
    agent.isDraining = true;
    later(5_000, 40_000, () => (agent.isDraining = false));
  } else {
    agent.release();
  }
}

function endTrouble(world: World): void {
  world.hasTrouble = false;
  world.comeBack();
  for (const agent of world.agents) {
    Object.assign(agent, { isCut: false, isStopped: false, isDraining: false });
    if (!agent.isRunning) agent.start();
  }
}

/** Owners of a camera by the history of grants and memberships, and what was counted against it. */
function doubleOwners({ coordinator, counted, figures }: World): string[] {
  const failures: string[] = [];
  const owned = coordinator.memberships.flatMap((member) =>
    coordinator.grants
      .filter(({ shardId }) => shardId === member.shard)
      .map((grant) => ({
        camera: member.camera,
        token: grant.token,
        grant,
        from: Math.max(member.from, grant.from),
        until: Math.min(member.until ?? Infinity, grant.until ?? Infinity),
      }))
      .filter(({ from, until }) => from < until),
  );
  owned.sort((a, b) => a.camera - b.camera || a.from - b.from);
  for (const [index, one] of owned.entries()) {
    const { agent, sessionId, token } = one.grant;
    // A boundary belongs to whoever comes after it.
    if (one.until < Infinity && coordinator.counts(agent, sessionId, token, one.camera, one.until)) {
      failures.push(`camera ${one.camera} still counts for token ${token} at its end`);
    }
    const next = owned[index + 1];
    if (next?.camera === one.camera && next.from < one.until) {
      failures.push(`camera ${one.camera} has tokens ${one.token} and ${next.token} at ${next.from}`);
    }
  }
  const owners = new Map<string, number>();
  for (const { agent, session, token, camera, at } of counted) {
    const key = `${camera}@${at}`;
    if ((owners.get(key) ?? token) !== token) failures.push(`${key} was counted for two tokens`);
    owners.set(key, token);
    if (!coordinator.counts(agent, session, token, camera, at))
      failures.push(`${key} lies outside its window afterwards`);
  }
  const tokens = new Set(coordinator.grants.map(({ token }) => token));
  if (tokens.size !== coordinator.grants.length) failures.push('a token was given twice');
  const cameras = new Set(coordinator.memberships.map(({ camera }) => camera)).size;
  figures.moves = coordinator.memberships.length - cameras;
  return failures;
}

/** After a minute without trouble every shard is captured by the agent that it is granted to, and no camera waits. */
function stuck(world: World): string[] {
  const { coordinator } = world;
  const failures = [...coordinator.moves].map(([camera, { to }]) => `camera ${camera} still waits to join shard ${to}`);
  for (const shard of coordinator.shards.keys()) {
    const grant = coordinator.open(shard);
    const lease = grant && world.agentOf(grant.agent)?.leases.get(shard);
    if (!grant) failures.push(`shard ${shard} is granted to nobody`);
    else if (lease?.grant.token !== grant.token)
      failures.push(`shard ${shard} is granted to ${grant.sessionId}, who does not know`);
  }
  for (const { name, leases } of world.agents) {
    for (const [shard, { grant }] of leases) {
      if (grant.until !== null) failures.push(`${name} still captures shard ${shard}, which it lost`);
    }
  }
  return failures;
}
