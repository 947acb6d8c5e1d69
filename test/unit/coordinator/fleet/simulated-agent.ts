import type { ModelCoordinator, ModelGrant } from './model.ts';
import type { Timeline } from './timeline.ts';

export interface Attempt {
  agent: string;
  session: string;
  token: number;
  camera: number;
  at: number;
}

export interface Figures {
  grants: number;
  takeovers: number;
  handovers: number;
  kills: number;
  outages: number;
  counted: number;
  refused: number;
  moves: number;
}

const AUTONOMY_MS = 600_000;

export interface Surroundings {
  readonly coordinator: ModelCoordinator;
  readonly time: Timeline;
  readonly figures: Figures;
  random(): number;
  ask<T>(agent: SimulatedAgent, handle: () => T, answered: (value: T) => void): void;
  camerasAround(shard: number): number[];
  report(attempt: Attempt): void;
  /** A hello or a renewal of a current session was handled. */
  heard(session: string): void;
  /** `by` has just taken the place of `old`. */
  took(old: ModelGrant, by: ModelGrant): void;
}

/** An agent that speaks the protocol; whatever is between two of its messages may be lost. */
export class SimulatedAgent {
  readonly name: string;
  readonly #world: Surroundings;
  session = '';
  isRunning = false;
  isStopped = false;
  isCut = false;
  isDraining = false;
  readonly leases = new Map<number, { grant: ModelGrant; revision: number }>();
  #runs = 0;
  #greeted = false;
  #heardAt = 0;

  constructor(name: string, world: Surroundings) {
    this.name = name;
    this.#world = world;
  }

  start(): void {
    this.session = `${this.name}/${++this.#runs}`;
    Object.assign(this, { isRunning: true, isStopped: false, isDraining: false });
    this.leases.clear();
    this.#greeted = false;
    this.#heardAt = this.#world.time.now;
  }

  kill(): void {
    this.isRunning = false;
    this.leases.clear();
  }

  get #works(): boolean {
    return this.isRunning && !this.isStopped;
  }

  renew(): void {
    if (!this.#works) return;
    const { coordinator, time } = this.#world;
    const session = this.session;
    if (!this.#greeted) {
      return this.#world.ask(
        this,
        () => {
          const isWelcome = coordinator.hello(this.name, session, time.now);
          if (isWelcome) this.#world.heard(session);
          return isWelcome;
        },
        (isWelcome) => this.#welcomed(isWelcome),
      );
    }
    const named = [...this.leases].map(([shardId, { grant, revision }]) => ({ shardId, token: grant.token, revision }));
    this.#world.ask(
      this,
      () => {
        const answer = coordinator.renew(session, named, time.now, this.isDraining);
        if (answer?.grants.every(({ state }) => state !== 'superseded')) this.#world.heard(session);
        return answer;
      },
      (answer) => {
        if (!answer || this.isStopped) return;
        this.#heardAt = time.now;
        for (const state of answer.grants) {
          const lease = this.leases.get(state.shardId);
          if (lease?.grant.token !== state.token) continue;
          if (state.state !== 'held') this.leases.delete(state.shardId);
          else if (state.revision > lease.revision) this.#sync(state.shardId, state.revision);
          if (state.state === 'superseded') this.kill();
        }
        if (answer.work && this.isRunning) this.request();
      },
    );
  }

  #welcomed(isWelcome: boolean): void {
    if (!isWelcome) return this.kill();
    this.#greeted = true;
    this.request();
  }

  #sync(shardId: number, revision: number): void {
    const lease = this.leases.get(shardId);
    if (!lease) return;
    lease.revision = revision;
    const { session } = this;
    const one = { shardId, token: lease.grant.token, revision };
    this.#world.ask(
      this,
      () => this.#world.coordinator.acknowledge(session, one, this.#world.time.now),
      () => undefined,
    );
  }

  request(): void {
    if (!this.#works || !this.#greeted || this.isDraining) return;
    const { coordinator, time, figures } = this.#world;
    const session = this.session;
    this.#world.ask(
      this,
      () => coordinator.request(session, time.now),
      (offers) => {
        for (const offer of offers) {
          this.#world.ask(
            this,
            () => {
              const old = coordinator.open(offer.shardId);
              const grant = coordinator.accept(session, offer, time.now);
              if (grant && old && old.until !== null) {
                figures[grant.reason === 'takeover' ? 'takeovers' : 'handovers']++;
                this.#world.took(old, grant);
              }
              return grant && { grant, revision: grant.acknowledged };
            },
            (begun) => begun && !this.isStopped && this.leases.set(offer.shardId, begun),
          );
        }
      },
    );
  }

  release(): void {
    const session = this.session;
    const tokens = [...this.leases.values()].map(({ grant }) => grant.token);
    this.leases.clear();
    this.#world.ask(
      this,
      () => this.#world.coordinator.release(session, tokens, this.#world.time.now),
      () => undefined,
    );
  }

  /** Captures what it believes to hold; the attempts arrive at intake some time later. */
  capture(): void {
    const { time, random } = this.#world;
    if (!this.#works) return;
    if (time.now - this.#heardAt > AUTONOMY_MS) return this.leases.clear();
    for (const [shard, { grant }] of this.leases) {
      // It cannot know where a camera belongs at this very moment: intake decides.
      const cameras = this.#world.camerasAround(shard);
      const camera = cameras[Math.floor(random() * cameras.length)];
      if (camera !== undefined)
        this.#world.report({ agent: this.name, session: this.session, token: grant.token, camera, at: time.now });
    }
  }
}
