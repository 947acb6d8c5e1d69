import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OUTCOME } from '../../../common/domain/fragment.ts';
import type { Fragment } from '../../../common/domain/fragment.ts';
import { systemClock } from '../../../common/runtime/clock.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { FolderStore } from '../../../common/storage/object-store.ts';
import { CaptureNow } from '../../../coordinator/learning/datasets/capture-now.ts';
import { Datasets } from '../../../coordinator/learning/datasets/datasets.ts';
import { Labels } from '../../../coordinator/learning/labels/labels.ts';
import { createResults } from '../../../coordinator/results/results.ts';
import type { Results } from '../../../coordinator/results/results.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { registryOn } from '../registry/support.ts';
import { addMembership, createHolder, fleetWindow, fragmentOf, send } from '../results/harness.ts';
import type { Holder } from '../results/harness.ts';

export const DAY_MS = 86_400_000;

/** Registry, results and learning on one database, and an agent that reports whatever the test says. */
export class LearningBench {
  readonly testDatabase: TestDatabase;
  readonly results: Results;
  readonly labels: Labels;
  readonly datasets: Datasets;
  readonly holder: Holder;
  readonly registry: ReturnType<typeof registryOn>;
  readonly now: number;
  /** Cameras that an agent was told to hurry. */
  readonly hurried: number[] = [];
  readonly #folder: string;
  #seq = 0;
  #serial = 0;

  constructor(testDatabase: TestDatabase, folder: string, holder: Holder, now: number, quotaBytes: number) {
    const { database } = testDatabase;
    this.testDatabase = testDatabase;
    this.#folder = folder;
    this.holder = holder;
    this.now = now;
    this.registry = registryOn(database);
    this.labels = new Labels({ database, trustedSources: ['farm'] });
    this.results = createResults({
      ...{ database, objects: new FolderStore(folder), window: fleetWindow, logger: silentLogger },
      settings: { reportMs: 5_000, quotaBytes, retentionDays: 90, sampleMs: 3_600_000 },
      onKept: (tx, frame) => this.labels.acceptClaim(tx, frame),
    });
    const captures = new CaptureNow({
      activeCameras: async () => (await this.registry.plannableCameras()).map(({ id }) => id),
      frames: this.results.frames,
      hurry: async (ids) => void this.hurried.push(...ids),
      clock: systemClock,
    });
    this.datasets = new Datasets({ database, captures });
  }

  get database(): TestDatabase['database'] {
    return this.testDatabase.database;
  }

  static async create({ quotaBytes = 10_000_000 } = {}): Promise<LearningBench> {
    const testDatabase = await createTestDatabase();
    const folder = await mkdtemp(join(tmpdir(), 'camfleet-learning-'));
    const now = Math.floor(await testDatabase.database.clockNow());
    const holder = await createHolder(testDatabase.database, { cameras: [], from: now - 60 * DAY_MS });
    return new LearningBench(testDatabase, folder, holder, now, quotaBytes);
  }

  async drop(): Promise<void> {
    await this.testDatabase.drop();
    await rm(this.#folder, { recursive: true });
  }

  /** A camera that this agent has held for 60 days. */
  async camera(source = 'farm', more: Record<string, unknown> = {}): Promise<number> {
    const { id } = await this.registry.add({
      ...{ source, sourceCameraId: `c${this.#serial}`, name: `Camera ${this.#serial}` },
      ...{ snapshotUrl: `http://user:pass${this.#serial}@cam${this.#serial++}.example/a.jpg?key=hidden` },
      ...{ latitude: -17.5, longitude: 179.25, country: 'FJ', city: 'Suva', timeZone: 'Pacific/Fiji' },
      ...{ licence: 'CC-BY-4.0', attribution: '=Example & Co', ...more },
    });
    await addMembership(this.database, { camera: id, shardId: this.holder.shardId, from: this.now - 60 * DAY_MS });
    return id;
  }

  /** Reports a picture and stores it where it is asked for; its digest, whether or not it was kept. */
  async frame(cameraId: number, at: number, more: Partial<Fragment> = {}, size = 100): Promise<string> {
    const bytes = Buffer.alloc(size, `picture ${this.#serial++} `);
    const digest = sha256(bytes);
    const outcomes = [OUTCOME.frame | OUTCOME.classified];
    const fragment = fragmentOf(cameraId, this.holder, [at], { frameDigest: digest, outcomes, ...more });
    const { wanted } = await send(this.results.intake, this.holder, ++this.#seq, [fragment]);
    if (wanted.length > 0) await this.results.frames.store(digest, cameraId, bytes);
    return digest;
  }

  /** A camera of the farm with frames of these days before now, labelled by its header. */
  async labelledCamera(label: string, days: readonly number[], size = 100): Promise<number> {
    const id = await this.camera();
    for (const day of days.toSorted((a, b) => b - a)) {
      await this.frame(id, this.now - day * DAY_MS - 1_000, { sceneLabel: label }, size);
    }
    return id;
  }

  async partOf(cameraId: number): Promise<string | undefined> {
    const sql = 'select part from camera_parts where camera_id = $1';
    return (await this.database.maybeOne<{ part: string }>(sql, [cameraId]))?.part;
  }
}
