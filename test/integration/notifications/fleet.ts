import { randomUUID } from 'node:crypto';
import type { Verdict } from '../../../common/domain/verdict.ts';
import type { Database } from '../../../coordinator/platform/database/database.ts';
import { HealthPass } from '../../../coordinator/results/health/pass.ts';
import { SecondOpinions } from '../../../coordinator/results/health/second-opinion.ts';

interface NewCamera {
  host: string;
  name?: string;
  source?: string;
  country?: string;
  tags?: string[];
}

/** Cameras whose attempts go through the real health pass. */
export class FleetDouble {
  readonly #database: Database;
  readonly #pass: HealthPass;
  #clock = 0;
  #agent = '';

  constructor(database: Database) {
    this.#database = database;
    const guard = { secondOpinion: async () => null, trust: async () => undefined };
    this.#pass = new HealthPass(database, new SecondOpinions(database, guard));
  }

  async addAgent(name: string, silentSeconds = 0): Promise<string> {
    const id = randomUUID();
    await this.#database.query('insert into agents (id, name, public_key) values ($1, $2, $3)', [id, name, id]);
    await this.#database.query(
      `insert into agent_sessions (id, agent_id, last_renewed_at)
       values ($1, $2, clock_timestamp() - make_interval(secs => $3))`,
      [randomUUID(), id, silentSeconds],
    );
    return id;
  }

  async addCameras(cameras: readonly NewCamera[]): Promise<number[]> {
    const ids: number[] = [];
    for (const { host, name = host, source = 'test', country = null, tags = [] } of cameras) {
      const { id } = await this.#database.one<{ id: number }>(
        `insert into cameras (source, source_camera_id, kind, host, snapshot_url, name, interval_ms, priority, lifecycle, country, tags)
         values ($1, gen_random_uuid(), 'non_ip', $2, 'http://' || $2 || '/a.jpg', $3, 60000, 5, 'active', $4, $5) returning id`,
        [source, host, name, country, tags],
      );
      ids.push(id);
    }
    return ids;
  }

  /** Their next attempts end so, and health looks at each. */
  async show(cameras: readonly number[], ...verdicts: Verdict[]): Promise<void> {
    if (this.#agent === '') this.#agent = await this.addAgent('looker');
    for (const verdict of verdicts) {
      this.#clock = Math.max(this.#clock + 1_000, (await this.#database.clockNow()) - 500_000);
      await this.#database.query(
        `insert into camera_state (camera_id, verdict, since, last_attempt_at, last_good_at, evidence, agent_id, token)
         select id, $2, instant_of_ms($3), instant_of_ms($3), null, '{}', $4, 1 from unnest($1::bigint[]) as id
         on conflict (camera_id) do update set verdict = excluded.verdict, last_attempt_at = excluded.last_attempt_at,
           agent_id = excluded.agent_id, changed_at = clock_timestamp()`,
        [cameras, verdict, this.#clock, this.#agent],
      );
      await this.#pass.run();
    }
  }

  breakDown(cameras: readonly number[], verdict: Verdict = 'http_error'): Promise<void> {
    return this.show(cameras, 'good', verdict, verdict, verdict);
  }

  recover(cameras: readonly number[]): Promise<void> {
    return this.show(cameras, 'good', 'good', 'good');
  }
}
