import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { createDatabase } from '../../../coordinator/platform/database/database.ts';
import type { Database } from '../../../coordinator/platform/database/database.ts';
import { startFarm } from '../../../scripts/camera-farm/farm.ts';
import type { Farm } from '../../../scripts/camera-farm/farm.ts';
import { Api } from '../../../scripts/machine/api.ts';
import { eventually } from '../../support/eventually.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { startProcess } from '../../support/processes.ts';
import type { TestProcess } from '../../support/processes.ts';
import { assertCounts } from './assert-counts.ts';
import type { CountsReport, Stop } from './assert-counts.ts';
import { Line } from './proxy.ts';
import { readCounted } from './witness.ts';

export const CAMERAS = 24;

/**
 * In `npm test` the clocks are shortened; `npm run test:counts` takes the product's own, suspends an agent for a minute and keeps
 * the coordinator away for five, with CAMFLEET_TEST_LONG=1 for an hour besides.
 */
export const CLOCKS =
  process.env['CAMFLEET_TEST_CLOCKS'] === 'real'
    ? // A killed agent's cameras are promised to another one within 20 s.
      {
        ...{ takeoverMs: 20_000, spreadMs: 60_000, awayMs: 300_000, limitMs: 900_000 },
        ...{ suspendMs: 60_000, autonomyMs: 3_600_000, settings: {} as Record<string, string> },
      }
    : {
        // The TTL of 4 s, and beyond it the planner's tick, the offer, the acceptance, and two busy cores.
        ...{ takeoverMs: 10_000, spreadMs: 25_000, awayMs: 10_000, limitMs: 120_000 },
        ...{ suspendMs: 7_000, autonomyMs: 6_000 },
        settings: {
          CAMFLEET_LEASES_TTL_SECONDS: '4',
          CAMFLEET_LEASES_RENEW_SECONDS: '1',
          CAMFLEET_REPORTS_INTERVAL_SECONDS: '1',
          CAMFLEET_PLANNER_INTERVAL_SECONDS: '1',
        },
      };

const COORDINATOR_ENV = {
  DATABASE_URL: undefined,
  REDIS_URL: undefined,
  CAMFLEET_INTAKE_WITNESS: 'true',
  CAMFLEET_POLITENESS_MIN_DELAY_MS: '0',
  ...CLOCKS.settings,
};
const AGENT_ENV = {
  CAMFLEET_AGENT_EGRESS_ALLOW: '127.0.0.0/8',
  CAMFLEET_AGENT_CAPTURE_ATTEMPT_HEADER: 'true',
  // Several agents share two cores here.
  CAMFLEET_AGENT_CAPTURE_WORKERS: '1',
};

/** An agent's process on its data folder, with its own line to the coordinator. */
export interface TestAgent {
  readonly name: string;
  readonly folder: string;
  readonly line: Line;
  readonly env: Readonly<Record<string, string>>;
  process: TestProcess;
  /** The session of the running process. */
  session: string;
}

/** Cameras, a coordinator with its servers and agents, all real; what tests do to them is told to `stops`. */
export class TestFleet {
  readonly folder: string;
  readonly farm: Farm;
  readonly agents: TestAgent[] = [];
  readonly stops: Stop[] = [];
  coordinator!: TestProcess;
  api!: Api;
  database!: Database;
  /** Of figures for the report at the end. */
  readonly figures: Record<string, unknown> = {};
  readonly #settings: Readonly<Record<string, string>>;
  #port = 0;

  private constructor(folder: string, farm: Farm, settings: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.farm = farm;
    this.#settings = settings;
  }

  /** @param settings of the coordinator beside those of `CLOCKS`, as environment variables. */
  static async start(agents = 2, settings: Readonly<Record<string, string>> = {}): Promise<TestFleet> {
    const farm = await startFarm({
      cameras: CAMERAS,
      seed: 'counts',
      camerasPerHost: 2,
      intervalSeconds: 1,
      mjpegShare: 0.25,
      // Slower than the interval: each part is due when it comes, so each has to be counted.
      partsPerSecond: 0.4,
      changeEverySeconds: 3,
      width: 176,
      height: 144,
    });
    const fleet = new TestFleet(await makeTestFolder('counts'), farm, settings);
    try {
      await fleet.startCoordinator();
      await fleet.api.upload('/cameras/import', Buffer.from(farm.camerasAs('csv')));
      for (let number = 1; number <= agents; number++) await fleet.addAgent(`agent-${number}`);
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  get dataFolder(): string {
    return join(this.folder, 'data');
  }

  get coordinatorPort(): number {
    return this.#port;
  }

  /** Also after it was killed: on the same data, on another port, which the agents' lines follow. */
  async startCoordinator(): Promise<void> {
    this.coordinator = startProcess('dist/coordinator/main.js', {
      args: ['--data', this.dataFolder, '--port', '0'],
      env: { ...COORDINATOR_ENV, ...this.#settings },
      endAfterTest: false,
    });
    const [, url = ''] = (await this.coordinator.says(
      /"url":"(http:[^"]+)","msg":"coordinator runs"/,
      60_000,
    )) as RegExpExecArray;
    this.#port = Number(new URL(url).port);
    this.api = new Api(url, (await readFile(join(this.dataFolder, 'keys', 'admin-token'), 'utf8')).trim());
    this.database ??= await createDatabase({
      connection: {
        host: join(this.dataFolder, 'services', 'run'),
        port: 5432,
        user: 'camfleet',
        database: 'camfleet',
      },
      logger: silentLogger,
      poolSize: 2,
    });
  }

  async addAgent(
    name: string,
    { folder = join(this.folder, name), env = {} }: { folder?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<TestAgent> {
    const { invitation } = await this.api.post<{ invitation: string }>('/agents/invitations', { uses: 1 });
    const line = new Line(() => this.#port);
    await line.listen();
    const process = this.#launch({ name, folder, line, env }, ['--join', invitation]);
    const agent: TestAgent = { name, folder, line, env, process, session: '' };
    this.agents.push(agent);
    agent.session = await this.#sessionOf(agent);
    return agent;
  }

  /** A new process on the agent's data folder, or on another one that holds a copy of it. */
  async restartAgent(agent: TestAgent, folder = agent.folder): Promise<void> {
    const earlier = agent.session;
    agent.process = this.#launch({ ...agent, folder }, []);
    agent.session = await this.#sessionOf(agent, earlier);
  }

  /** kill -9; what it had not handed in is lost. */
  async killAgent(agent: TestAgent): Promise<void> {
    this.stops.push({ session: agent.session, kind: 'killed', at: Date.now() });
    await agent.process.kill();
  }

  /** SIGTERM, until it has ended. */
  async drainAgent(agent: TestAgent): Promise<void> {
    agent.process.signal('SIGTERM');
    await agent.process.exit(28_000);
  }

  #launch(
    { name, folder, line, env }: Pick<TestAgent, 'name' | 'folder' | 'line' | 'env'>,
    args: readonly string[],
  ): TestProcess {
    return startProcess('dist/agent/main.js', {
      args: ['--data', folder, '--url', line.url, '--name', name, ...args],
      env: { ...AGENT_ENV, ...env },
      endAfterTest: false,
    });
  }

  async #sessionOf({ name, process }: TestAgent, earlier = ''): Promise<string> {
    await process.says(/: RUNNING \(/, 60_000);
    const find = async (): Promise<string | undefined> => {
      const row = await this.database.maybeOne<{ id: string }>(
        `select s.id from agent_sessions s join agents a on a.id = s.agent_id
         where a.name = $1 and s.superseded_at is null and s.id::text <> $2`,
        [name, earlier],
      );
      return row?.id;
    };
    return eventually(find, { what: `a new session of ${name}` });
  }

  /** The open grants: they stay the same as long as no lease ends. */
  async tokens(): Promise<number[]> {
    const rows = await this.database.many<{ token: number }>(
      'select token from grants where until_at is null order by 1',
    );
    return rows.map(({ token }) => token);
  }

  /** Counted attempts of a session, or of all. */
  async countedOf(session: string | null = null): Promise<number> {
    const sql = 'select count(*)::int as total from counted_attempts where $1::uuid is null or session_id = $1';
    return (await this.database.one<{ total: number }>(sql, [session])).total;
  }

  /** How many cameras each session holds now. */
  async held(): Promise<Map<string, number>> {
    const rows = await this.database.many<{ session: string; cameras: number }>(
      `select g.session_id as session, count(*)::int as cameras from grants g
       join memberships m on m.shard_id = g.shard_id and m.until_at is null where g.until_at is null group by 1`,
    );
    return new Map(rows.map(({ session, cameras }) => [session, cameras]));
  }

  /** Until these agents, and nobody else, hold all cameras; each of them some. Returns how long it took, ms. */
  async heldBy(agents: readonly TestAgent[], withinMs: number): Promise<number> {
    const began = performance.now();
    const names = agents.map(({ name }) => name).join(' and ');
    const look = async (): Promise<boolean> => {
      const held = await this.held();
      const own = agents.map(({ session }) => held.get(session) ?? 0);
      return own.every((cameras) => cameras > 0) && own.reduce((sum, cameras) => sum + cameras, 0) === CAMERAS;
    };
    await eventually(look, { withinMs, everyMs: 50, what: `all cameras to be held by ${names}` });
    return Math.round(performance.now() - began);
  }

  /** Until the cameras' newest answers are counted: every session's last `count` rounds or so. */
  async runs(seconds: number): Promise<void> {
    const from = this.farm.requests.length;
    const wanted = Math.round(CAMERAS * 0.5 * seconds);
    await eventually(() => this.farm.requests.length - from >= wanted, {
      withinMs: 30_000,
      what: `${wanted} further answers of the cameras`,
    });
  }

  /** Waits until all that the cameras answered up to now is counted or excused, and nothing is wrong. */
  async verify(name: string, withinMs = 20_000): Promise<CountsReport> {
    const asOf = Date.now();
    const began = performance.now();
    const lines = this.agents.map(({ line }) => line);
    const compare = async (): Promise<CountsReport> =>
      assertCounts({ farm: this.farm, counted: await readCounted(this.database, lines), stops: this.stops, asOf });
    const report = await eventually(compare, { withinMs, everyMs: 250, what: 'the counts to be right' });
    this.figures[name] = {
      completed: report.completed,
      counted: report.counted,
      ...report.excused,
      settledMs: Math.round(performance.now() - began),
    };
    return report;
  }

  /** Pid of a server that the coordinator started. */
  async pidOf(server: 'postgres' | 'redis'): Promise<number> {
    const file = server === 'postgres' ? 'postgres/postmaster.pid' : 'redis/redis.pid';
    return Number((await readFile(join(this.dataFolder, 'services', file), 'utf8')).split('\n')[0]);
  }

  async stop(): Promise<void> {
    for (const { process, line } of this.agents) {
      await process.kill();
      await line.close();
    }
    await this.database?.close();
    // A coordinator that a failed test left dead would leave its servers alive.
    if (this.coordinator?.hasEnded) await this.startCoordinator().catch(() => undefined);
    await this.coordinator?.end(30_000);
    await this.farm.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
