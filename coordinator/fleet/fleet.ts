import { systemClock } from '../../common/runtime/clock.ts';
import { Grouped } from '../../common/runtime/grouped.ts';
import type { Service } from '../../common/runtime/service.ts';
import { Agents } from './agents.ts';
import type { AgentInfo } from './agents.ts';
import { FleetLoop } from './fleet-loop.ts';
import { Leases } from './leases.ts';
import { linkHandlers } from './link-handlers.ts';
import { HostLedger, readLeaders } from './hosts/ledger.ts';
import type { LinkHandlers } from './link-handlers.ts';
import { Memberships } from './membership.ts';
import { askSecondOpinion, trustAgain } from './second-opinion.ts';
import type { Opinion } from './second-opinion.ts';
import { Sessions } from './sessions.ts';
import type { FleetDeps } from './types.ts';
import { lockWindows, membershipsOf } from './window.ts';

export interface FleetStatus {
  agents: AgentInfo[];
  stretch: { factor: number; belowPriority: number };
  /** Cameras slower than asked, and cameras that nobody has room for. */
  slowed: number;
  unassigned: number;
  shards: number;
  /** Attempts a second: asked for, and what the agents can take. */
  demand: number;
  capacity: number;
  /** What to add, `null` where nothing is missing. */
  advice: string | null;
}

/** The fleet as other rooms see it. */
export interface Fleet extends Service {
  handlers: LinkHandlers;
  agents: Agents;
  sessions: Sessions;
  /** For the public door that gives nonces away. */
  nonces: { create(): Promise<string> };
  /** For intake, inside its transaction. */
  window: { lockWindows: typeof lockWindows; membershipsOf: typeof membershipsOf; isHandingOver(): boolean };
  /** To be called after a change of cameras has committed. Holders know within two seconds. */
  camerasChanged(cameraIds: readonly number[]): Promise<void>;
  /** Asks for a new plan, for instance after an import. */
  requestPlan(): Promise<void>;
  status(): Promise<FleetStatus>;
  /** Its cameras fail together: another agent gets one of its shards to look, and it gets no more. `null`: there is no other. */
  secondOpinion(agentId: string): Promise<Opinion | null>;
  /** Ends that suspicion. */
  trust(agentId: string): Promise<void>;
  /** Deletes what ended more than so many days ago: no batch can refer to it any more. */
  prune(days: number): Promise<void>;
}

export function createFleet(given: FleetDeps): Fleet {
  const deps = { ...countedByLeader(given), requestPlan: planRequests(given) };
  const sessions = new Sessions(deps);
  const memberships = new Memberships(deps);
  const hosts = new HostLedger(deps, async (leaders) => memberships.camerasChanged(await camerasOf(deps, leaders)));
  const leases = new Leases(deps);
  const agents = new Agents(deps, {
    planWanted: () => deps.requestPlan(),
    revoked: (agentId, sessionIds, ended) => {
      sessions.forget(agentId);
      for (const { shardId, token } of ended) deps.notify(agentId, 'lease:lost', { shardId, token, reason: 'revoked' });
      for (const sessionId of sessionIds) deps.closeSession(sessionId, 'An operator revoked this agent.');
    },
  });
  const loop = new FleetLoop(deps, { memberships, prune: () => sessions.prune() });
  return {
    handlers: linkHandlers(deps, { sessions, leases, memberships, hosts }),
    agents,
    sessions,
    nonces: { create: () => sessions.nonce() },
    window: { lockWindows, membershipsOf, isHandingOver: () => leases.isAccepting },
    camerasChanged: (ids) => memberships.camerasChanged(ids),
    requestPlan: () => deps.requestPlan(),
    status: () => readStatus(deps, agents),
    secondOpinion: (agentId) => askSecondOpinion(deps, agentId),
    trust: (agentId) => trustAgain(deps, agentId),
    prune: (days) => prune(deps, days),
    start: () => loop.start(),
    stop: () => loop.stop(),
  };
}

/** One row is written; a fleet that connects at once would queue for it. */
function planRequests({ database }: FleetDeps): () => Promise<void> {
  const requests = new Grouped<undefined, undefined>({
    work: async (asked) => {
      await database.query('update fleet_settings set plan_request = plan_request + 1');
      return asked;
    },
    ...{ gapMs: 100, mostItems: 10_000, clock: systemClock },
  });
  return () => requests.ask(undefined);
}

/** Names that share an address are one host, for the planner as for politeness. */
function countedByLeader(deps: FleetDeps): FleetDeps {
  const led = async <T extends { host: string }>(cameras: Promise<T[]>): Promise<T[]> => {
    const [list, leaders] = await Promise.all([cameras, readLeaders(deps.database)]);
    return leaders.size === 0 ? list : list.map((one) => ({ ...one, host: leaders.get(one.host) ?? one.host }));
  };
  return {
    ...deps,
    plannableCameras: () => led(deps.plannableCameras()),
    assignmentsOf: (ids) => led(deps.assignmentsOf(ids)),
  };
}

/** Cameras that are counted by these hosts now. */
async function camerasOf({ database }: FleetDeps, hosts: readonly string[]): Promise<number[]> {
  const rows = await database.many<{ id: number }>(
    `select camera_id as id from memberships where host = any($1) and until_at is null
     union select camera_id from moves where host = any($1)`,
    [hosts],
  );
  return rows.map(({ id }) => id);
}

async function readStatus({ database }: FleetDeps, agents: Agents): Promise<FleetStatus> {
  const list = await agents.list();
  const { plan, factor, belowPriority } = await database.one<{
    plan: Partial<FleetStatus>;
    factor: number;
    belowPriority: number;
  }>('select plan, stretch_factor as factor, stretch_below as "belowPriority" from fleet_settings');
  const { slowed = 0, unassigned = 0, shards = 0, demand = 0, capacity = 0, advice = null } = plan;
  return { agents: list, stretch: { factor, belowPriority }, slowed, unassigned, shards, demand, capacity, advice };
}

async function prune({ database }: FleetDeps, days: number): Promise<void> {
  for (const table of ['grants', 'memberships']) {
    await database.query(`delete from ${table} where until_at < clock_timestamp() - make_interval(days => $1)`, [days]);
  }
}
