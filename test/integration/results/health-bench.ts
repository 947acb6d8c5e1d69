import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Verdict } from '../../../common/domain/verdict.ts';
import type { IncidentRow } from '../../../common/protocol/health.ts';
import type { Database } from '../../../coordinator/platform/database/database.ts';
import { listIncidents } from '../../../coordinator/results/health/incident-queries.ts';
import { HealthPass } from '../../../coordinator/results/health/pass.ts';
import { SecondOpinions } from '../../../coordinator/results/health/second-opinion.ts';
import type { FleetGuard } from '../../../coordinator/results/health/second-opinion.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';

export interface FleetGuardDouble extends FleetGuard {
  asked: string[];
  trusted: string[];
}

/** A fleet whose answer to a suspicion is always the same. */
export const fleetThatAnswers = (answer: Awaited<ReturnType<FleetGuard['secondOpinion']>> = null): FleetGuardDouble => {
  const fleet: FleetGuardDouble = {
    asked: [],
    trusted: [],
    secondOpinion: async (agentId) => {
      fleet.asked.push(agentId);
      return answer;
    },
    trust: async (agentId) => void fleet.trusted.push(agentId),
  };
  return fleet;
};

/** A database that every test of a file finds empty, with cameras whose attempts go through the real health pass. */
export class HealthBench {
  /** When the newest attempts were, ms. */
  clock = 0;
  #own: TestDatabase | undefined;

  /** For the top of a test file. */
  static use(): HealthBench {
    const bench = new HealthBench();
    beforeAll(async () => {
      bench.#own = await createTestDatabase();
    });
    afterAll(() => bench.#own?.drop());
    afterEach(() => bench.#empty());
    return bench;
  }

  get database(): Database {
    if (!this.#own) throw new Error('The database is there from the first test on, not before.');
    return this.#own.database;
  }

  passOf(fleet: FleetGuard = fleetThatAnswers()): HealthPass {
    return new HealthPass(this.database, new SecondOpinions(this.database, fleet));
  }

  async addAgent(name = 'a'): Promise<string> {
    const id = randomUUID();
    await this.database.query('insert into agents (id, name, public_key) values ($1, $2, $3)', [id, name, id]);
    return id;
  }

  /** One a host; a host may be named several times. */
  async addCameras(hosts: readonly string[], source = 'test'): Promise<number[]> {
    const rows = await this.database.many<{ id: number }>(
      `insert into cameras (source, source_camera_id, kind, host, snapshot_url, name, interval_ms, priority, lifecycle)
       select $2, gen_random_uuid(), 'non_ip', host, 'http://' || host || '/a.jpg', host, 60000, 5, 'active'
       from unnest($1::text[]) as host returning id`,
      [hosts, source],
    );
    return rows.map(({ id }) => id);
  }

  /** Every camera was tried by the agent, later than the last time; gives when, ms. */
  async tried(cameras: readonly number[], verdict: Verdict, agentId: string): Promise<number> {
    this.clock = Math.max(this.clock + 1_000, (await this.database.clockNow()) - 500_000);
    await this.database.query(
      `insert into camera_state as s (camera_id, verdict, since, last_attempt_at, last_good_at, evidence, agent_id, token)
       select id, $2, instant_of_ms($3), instant_of_ms($3), null, '{}', $4, 1 from unnest($1::bigint[]) as id
       on conflict (camera_id) do update set verdict = excluded.verdict, last_attempt_at = excluded.last_attempt_at,
         since = case when s.verdict = excluded.verdict then s.since else excluded.since end,
         agent_id = excluded.agent_id, changed_at = clock_timestamp()`,
      [cameras, verdict, this.clock, agentId],
    );
    return this.clock;
  }

  /** Their attempts end so, one after another, and health looks at each. */
  async shows(
    pass: HealthPass,
    cameras: readonly number[],
    verdicts: readonly Verdict[],
    agentId: string,
  ): Promise<void> {
    for (const verdict of verdicts) {
      await this.tried(cameras, verdict, agentId);
      await pass.run();
    }
  }

  /** Suspicions began so many ms earlier. */
  async later(ms: number): Promise<void> {
    await this.database.query(
      `update agent_suspicions set since = since - make_interval(secs => $1 / 1000.0), asked_at = asked_at - make_interval(secs => $1 / 1000.0)`,
      [ms],
    );
  }

  async statesOf(cameras: readonly number[]): Promise<string[]> {
    const rows = await this.database.many<{ state: string }>(
      'select state from camera_health where camera_id = any($1::bigint[]) order by camera_id',
      [cameras],
    );
    return rows.map(({ state }) => state);
  }

  async openIncidents(): Promise<IncidentRow[]> {
    return (await listIncidents(this.database, { open: true }, { limit: 50 })).incidents;
  }

  #empty(): Promise<unknown> {
    return this.database
      .query(`truncate cameras, camera_state, camera_health, camera_timeline, incidents, incident_cameras, frames,
      frame_references, agent_suspicions, memberships, grants, agent_sessions, agents, shards, open_spans, placeholders, camera_events, camera_memories restart identity cascade`);
  }
}
