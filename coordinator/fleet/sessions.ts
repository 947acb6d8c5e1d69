import { randomBytes } from 'node:crypto';
import type { Handshake, Hello, Welcome } from '../../common/protocol/agent-link.ts';
import { firstTokenOf, incarnationAbove } from '../../common/protocol/lease-rules.ts';
import { agreeOnProtocol, PROTOCOL } from '../../common/protocol/version.ts';
import { fail, ok } from '../../common/runtime/result.ts';
import type { Result } from '../../common/runtime/result.ts';
import { sha256 } from '../../common/storage/digest.ts';
import { verifyBytes } from '../../common/storage/signature.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { endGrants } from './grants.ts';
import { Nonces } from './nonces.ts';
import type { AgentSession, FleetContext } from './types.ts';

/** Spares a query for each request of an agent; elsewhere revoked keys live on for this long, their windows do not. */
const CACHE_MS = 3_000;

/** What the agent signs in its handshake. */
export const handshakeText = ({ nonce, agentId, sessionId }: Omit<Handshake, 'protocol' | 'signature'>): string =>
  `camfleet-agent\n${nonce}\n${agentId}\n${sessionId}`;

/** Who an agent is: the handshake of each connection, the hello that begins a session, and the key of its HTTP side. */
export class Sessions {
  readonly #deps: FleetContext;
  readonly #nonces: Nonces;
  readonly #cache = new Map<string, { session: AgentSession; until: number }>();

  constructor(deps: FleetContext) {
    this.#deps = deps;
    this.#nonces = new Nonces(deps.database);
  }

  nonce(): Promise<string> {
    return this.#nonces.create();
  }

  /** Codes: PROTOCOL_UNSUPPORTED, NONCE_REFUSED, AGENT_UNKNOWN, AGENT_REVOKED, SIGNATURE_WRONG, SESSION_SUPERSEDED. */
  async handshake(shake: Handshake): Promise<Result<AgentSession>> {
    if (agreeOnProtocol(PROTOCOL, shake.protocol) === undefined) {
      return fail(
        'PROTOCOL_UNSUPPORTED',
        `This coordinator speaks protocol ${PROTOCOL.min} to ${PROTOCOL.max}, the agent ${shake.protocol.min} to ` +
          `${shake.protocol.max}; bring both to the same version.`,
      );
    }
    const { agentId, sessionId } = shake;
    const agent = await this.#deps.database.maybeOne<{ key: string; revoked: boolean; superseded: boolean }>(
      `select public_key as key, revoked_at is not null as revoked, exists (select from agent_sessions s
         where s.id = $2 and (s.superseded_at is not null or s.agent_id <> a.id)) as superseded from agents a where id = $1`,
      [agentId, sessionId],
    );
    if (!agent) return fail('AGENT_UNKNOWN', 'This coordinator does not know the agent; join with a new invitation.');
    if (!verifyBytes(agent.key, Buffer.from(handshakeText(shake)), shake.signature)) {
      return fail('SIGNATURE_WRONG', "The signature does not fit the agent's key; has its data folder changed?");
    }
    if (!(await this.#nonces.use(shake.nonce))) {
      return fail(
        'NONCE_REFUSED',
        'The nonce is not ours, older than a minute or used; fetch a new one and try again.',
      );
    }
    if (agent.revoked) return fail('AGENT_REVOKED', 'An operator revoked this agent; join with a new invitation.');
    return agent.superseded ? SUPERSEDED : ok({ agentId, sessionId });
  }

  /** Begins the session, or greets it again after a reconnect; a new one supersedes the agent's earlier one. */
  async hello(session: AgentSession, hello: Hello): Promise<Result<Welcome>> {
    const { database, settings } = this.#deps;
    const sessionKey = randomBytes(32).toString('base64url');
    const begun = await database.transaction((tx) => this.#begin(tx, session, hello, sha256(sessionKey)));
    if (!begun.ok) return begun;
    for (const sessionId of begun.value.superseded) this.#supersede(sessionId);
    // One that only connects anew changes nothing, and after an outage a whole fleet does so at once.
    if (begun.value.isNew) await this.#deps.requestPlan();
    const { ttlMs, renewMs, autonomyMs, reportMs } = settings;
    const modelVersion = this.#deps.modelVersion();
    const takedowns = await this.#deps.takedowns();
    return ok({ now: begun.value.now, sessionKey, ttlMs, renewMs, autonomyMs, reportMs, modelVersion, takedowns });
  }

  async #begin(
    tx: Queryable,
    { agentId, sessionId }: AgentSession,
    hello: Hello,
    keyHash: string,
  ): Promise<Result<{ now: number; isNew: boolean; superseded: string[] }>> {
    // Two hellos of one agent wait for each other here.
    const agent = await tx.maybeOne<{ revoked: boolean }>(
      'select revoked_at is not null as revoked from agents where id = $1 for no key update',
      [agentId],
    );
    if (!agent || agent.revoked) return fail('AGENT_REVOKED', 'An operator revoked this agent.');
    const own = await tx.maybeOne<{ superseded: boolean }>(
      'select superseded_at is not null or agent_id <> $2 as superseded from agent_sessions where id = $1',
      [sessionId, agentId],
    );
    if (own?.superseded === true) return SUPERSEDED;
    if (!(await startAbove(tx, hello.highestToken))) {
      return fail('TOKEN_IMPOSSIBLE', `No coordinator can have given the token ${hello.highestToken}.`);
    }
    const superseded = await tx.many<{ id: string }>(
      `update agent_sessions set superseded_at = clock_timestamp()
       where agent_id = $1 and id <> $2 and superseded_at is null returning id`,
      [agentId, sessionId],
    );
    const ids = superseded.map(({ id }) => id);
    await endGrants(tx, { where: 'session_id = any($1)', params: [ids], reason: 'superseded' });
    await writeFacts(tx, agentId, hello);
    const { now } = await tx.one<{ now: number }>(
      `insert into agent_sessions (id, agent_id, key_hash) values ($1, $2, $3)
       on conflict (id) do update set previous_key_hash = agent_sessions.key_hash, key_hash = excluded.key_hash,
         last_renewed_at = clock_timestamp()
       returning extract(epoch from clock_timestamp()) * 1000 as now`,
      [sessionId, agentId, keyHash],
    );
    return ok({ now, isNew: own === undefined, superseded: ids });
  }

  #supersede(sessionId: string): void {
    for (const [key, { session }] of this.#cache) if (session.sessionId === sessionId) this.#cache.delete(key);
    this.#deps.closeSession(sessionId, SUPERSEDED.error.message);
  }

  /** Whose key this is; `undefined` for an unknown, superseded or revoked one. */
  async authenticate(bearer: string): Promise<AgentSession | undefined> {
    const hash = sha256(bearer);
    const cached = this.#cache.get(hash);
    if (cached && cached.until > performance.now()) return cached.session;
    this.#cache.delete(hash);
    const session = await this.#deps.database.maybeOne<{ agentId: string; sessionId: string }>(
      `select s.agent_id as "agentId", s.id as "sessionId" from agent_sessions s join agents a on a.id = s.agent_id
       where (s.key_hash = $1 or s.previous_key_hash = $1) and s.superseded_at is null and a.revoked_at is null`,
      [hash],
    );
    if (session) this.#cache.set(hash, { session, until: performance.now() + CACHE_MS });
    return session;
  }

  /** Its keys stop working in this process at once. */
  forget(agentId: string): void {
    for (const [key, { session }] of this.#cache) if (session.agentId === agentId) this.#cache.delete(key);
  }

  async prune(): Promise<void> {
    for (const [key, { until }] of this.#cache) if (until < performance.now()) this.#cache.delete(key);
    await this.#nonces.prune();
  }
}

const SUPERSEDED = fail(
  'SESSION_SUPERSEDED',
  'A newer process of this agent took over; stop this one, or give it a data folder and an invitation of its own.',
);

/** A token that we never gave tells that this database is a restored one: go on above everything given before. */
async function startAbove(tx: Queryable, highestToken: number): Promise<boolean> {
  const isUnknown = async (): Promise<boolean> =>
    (await tx.one<{ last: number }>('select last_value - (not is_called)::int as last from fencing_tokens')).last <
    highestToken;
  if (highestToken === 0 || !(await isUnknown())) return true;
  const { incarnation } = await tx.one<{ incarnation: number }>('select incarnation from fleet_settings for update');
  if (!(await isUnknown())) return true;
  const next = incarnationAbove(highestToken, incarnation);
  if (next === undefined) return false;
  await tx.query('update fleet_settings set incarnation = $1', [next]);
  await tx.query(`select setval('fencing_tokens', $1, false)`, [firstTokenOf(next)]);
  return true;
}

async function writeFacts(
  tx: Queryable,
  agentId: string,
  { name, version, capacity, place, probe }: Hello,
): Promise<void> {
  await tx.query(
    `update agents set name = $2, version = $3, capacity = $4, latitude = $5, longitude = $6, probe = $7 where id = $1`,
    [agentId, name, version, capacity, place?.latitude ?? null, place?.longitude ?? null, JSON.stringify(probe)],
  );
}
