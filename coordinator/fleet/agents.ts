import { randomBytes, randomUUID } from 'node:crypto';
import type { ProbeItem } from '../../common/protocol/agent-link.ts';
import type { Join, Joined } from '../../common/protocol/rest.ts';
import { AppError } from '../../common/runtime/errors.ts';
import { sha256 } from '../../common/storage/digest.ts';
import { fingerprint } from '../../common/storage/signature.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { endGrants } from './grants.ts';
import type { EndedGrant } from './grants.ts';
import type { FleetDeps } from './types.ts';

const INVITATION_MINUTES = 15;
const CODE_BYTES = 24;

export interface Invitation {
  code: string;
  expiresAt: number;
  uses: number;
}

export type AgentState = 'online' | 'draining' | 'cordoned' | 'offline' | 'revoked';

export interface AgentInfo {
  id: string;
  name: string;
  state: AgentState;
  version: string | null;
  /** Attempts a second: what it can take, and what it did lately. */
  capacity: number;
  rate: number;
  /** Cameras captured now, shards held, cameras late by more than half their interval. */
  cameras: number;
  shards: number;
  late: number;
  outboxBatches: number;
  /** Batches that intake refused for good, pictures dropped since the agent began. */
  refusedBatches: number;
  picturesDropped: number;
  modelVersion: string | null;
  latitude: number | null;
  longitude: number | null;
  probe: ProbeItem[];
  joinedAt: number;
  lastSeenAt: number | null;
}

interface AgentRow extends Omit<AgentInfo, 'state'>, Record<string, unknown> {
  revoked: boolean;
  cordoned: boolean;
  draining: boolean;
  fresh: boolean;
}

export interface AgentsHooks {
  /** Something about who may capture changed. */
  planWanted(): Promise<void>;
  /** The agent's keys must stop working now. */
  revoked(agentId: string, sessionIds: string[], ended: EndedGrant[]): void;
}

/** Invitations, identities and what operators order of agents. */
export class Agents {
  readonly #deps: FleetDeps;
  readonly #hooks: AgentsHooks;

  constructor(deps: FleetDeps, hooks: AgentsHooks) {
    this.#deps = deps;
    this.#hooks = hooks;
  }

  /** Valid for 15 minutes and `uses` agents. The code is shown once; the database keeps its hash. */
  async invite({ createdBy, uses = 1 }: { createdBy: string; uses?: number }): Promise<Invitation> {
    if (!Number.isInteger(uses) || uses < 1 || uses > 1_000) {
      throw new AppError('INVITATION_USES', `An invitation serves 1 to 1000 agents, not ${uses}.`);
    }
    const code = randomBytes(CODE_BYTES).toString('base64url');
    const { expires } = await this.#deps.database.one<{ expires: Date }>(
      `insert into invitations (code_hash, uses_left, created_by, expires_at)
       values ($1, $2, $3, clock_timestamp() + make_interval(mins => $4)) returning expires_at as expires`,
      [sha256(code), uses, createdBy, INVITATION_MINUTES],
    );
    return { code, expiresAt: expires.getTime(), uses };
  }

  /**
   * An invitation becomes an identity. The same key with the same invitation again gets the same identity and uses nothing up:
   * the first answer may have been lost. Rejects with `INVITATION_REFUSED` or `PUBLIC_KEY`.
   */
  async join({ invitation, name, publicKey }: Join): Promise<Joined> {
    assertReadable(publicKey);
    const { coordinatorKey, database } = this.#deps;
    return database.transaction(async (tx) => {
      const known = await tx.maybeOne<{ id: string }>(
        `select a.id from agents a join invitations i on i.id = a.invitation_id
         where a.public_key = $1 and i.code_hash = $2 and a.revoked_at is null`,
        [publicKey, sha256(invitation)],
      );
      if (known) return { agentId: known.id, coordinatorKey };
      const used = await tx.maybeOne<{ id: number }>(
        `update invitations set uses_left = uses_left - 1
         where code_hash = $1 and uses_left > 0 and expires_at > clock_timestamp() returning id`,
        [sha256(invitation)],
      );
      if (!used) {
        throw new AppError(
          'INVITATION_REFUSED',
          'This invitation is unknown, used up or older than 15 minutes; make a new one with `camfleet agents invite`.',
        );
      }
      const agentId = randomUUID();
      const { rowCount } = await tx.query(
        `insert into agents (id, name, public_key, invitation_id) values ($1, $2, $3, $4) on conflict (public_key) do nothing`,
        [agentId, name, publicKey, used.id],
      );
      if (rowCount === 0) {
        throw new AppError('PUBLIC_KEY', 'This key belongs to another agent; let the agent make a new one.');
      }
      return { agentId, coordinatorKey };
    });
  }

  /** Gets no new shards, keeps those it has; `false` ends it. */
  async cordon(agentId: string, on = true): Promise<void> {
    await this.#order(agentId, 'cordoned', on);
  }

  /** Hands its shards over to others as they accept, and gets no new ones; `false` ends it. */
  async drain(agentId: string, on = true): Promise<void> {
    await this.#order(agentId, 'draining', on);
  }

  async #order(agentId: string, column: 'cordoned' | 'draining', on: boolean): Promise<void> {
    const { rowCount } = await this.#deps.database.query(
      `update agents set ${column} = $2 where id = $1 and revoked_at is null`,
      [agentId, on],
    );
    if (rowCount === 0) throw notFound(agentId);
    await this.#hooks.planWanted();
  }

  /** Ends the agent's windows and keys at once and for ever. */
  async revoke(agentId: string): Promise<void> {
    const { sessionIds, ended } = await this.#deps.database.transaction(async (tx) => {
      const { rowCount } = await tx.query(
        'update agents set revoked_at = coalesce(revoked_at, clock_timestamp()) where id = $1',
        [agentId],
      );
      if (rowCount === 0) throw notFound(agentId);
      const sessionIds = await lockSessions(tx, agentId);
      return {
        sessionIds,
        ended: await endGrants(tx, { where: 'agent_id = $1', params: [agentId], reason: 'revoked' }),
      };
    });
    this.#hooks.revoked(agentId, sessionIds, ended);
    await this.#hooks.planWanted();
  }

  async list(): Promise<AgentInfo[]> {
    const rows = await this.#deps.database.many<AgentRow>(AGENTS, [this.#deps.settings.ttlMs]);
    return rows.map(({ revoked, cordoned, draining, fresh, ...row }) => ({
      ...row,
      state: stateOf({ revoked, cordoned, draining, fresh }),
    }));
  }

  /** Rejects with `AGENT_NOT_FOUND`. */
  async show(agentId: string): Promise<AgentInfo> {
    const agent = (await this.list()).find(({ id }) => id === agentId);
    if (!agent) throw notFound(agentId);
    return agent;
  }
}

/** An acceptance that is under way holds its session's row: it ends before the caller goes on, or begins after. */
async function lockSessions(tx: Queryable, agentId: string): Promise<string[]> {
  const rows = await tx.many<{ id: string }>(
    'select id from agent_sessions where agent_id = $1 and superseded_at is null order by id for no key update',
    [agentId],
  );
  return rows.map(({ id }) => id);
}

function stateOf(row: Pick<AgentRow, 'revoked' | 'cordoned' | 'draining' | 'fresh'>): AgentState {
  if (row.revoked) return 'revoked';
  if (!row.fresh) return 'offline';
  if (row.draining) return 'draining';
  return row.cordoned ? 'cordoned' : 'online';
}

function assertReadable(publicKey: string): void {
  try {
    fingerprint(publicKey);
  } catch (cause) {
    throw new AppError('PUBLIC_KEY', 'publicKey must be an Ed25519 key in SPKI PEM form.', { cause });
  }
}

const notFound = (agentId: string): AppError =>
  new AppError('AGENT_NOT_FOUND', `There is no agent "${agentId}" (or it is revoked); see \`camfleet agents list\`.`);

const AGENTS = `
  with held as (
    select g.agent_id, count(distinct g.shard_id)::int as shards, count(m.camera_id)::int as cameras
    from grants g left join memberships m on m.shard_id = g.shard_id and m.until_at is null
    where g.until_at is null group by g.agent_id
  )
  select a.id, a.name, a.version, a.capacity, coalesce(s.rate, 0) as rate, coalesce(held.cameras, 0) as cameras,
    coalesce(held.shards, 0) as shards, coalesce(s.late, 0) as late, coalesce(s.outbox_batches, 0) as "outboxBatches",
    coalesce(s.refused_batches, 0) as "refusedBatches", coalesce(s.pictures_dropped, 0) as "picturesDropped",
    s.model_version as "modelVersion", a.latitude, a.longitude, a.probe,
    extract(epoch from a.joined_at) * 1000 as "joinedAt", extract(epoch from s.last_renewed_at) * 1000 as "lastSeenAt",
    a.revoked_at is not null as revoked, a.cordoned, a.draining or coalesce(s.draining, false) as draining,
    coalesce(s.last_renewed_at > clock_timestamp() - make_interval(secs => $1 / 1000.0), false) as fresh
  from agents a left join agent_sessions s on s.agent_id = a.id and s.superseded_at is null
  left join held on held.agent_id = a.id order by a.joined_at, a.id`;
