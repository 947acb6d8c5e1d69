import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { Dataset } from '../../../common/domain/dataset.ts';
import { importNetwork } from '../../../common/inference/import-network.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import { silentLogger } from '../../../common/runtime/logger.ts';
import { FolderStore } from '../../../common/storage/object-store.ts';
import { createKeyPair } from '../../../common/storage/signature.ts';
import { Models } from '../../../coordinator/learning/models/models.ts';
import { modelRoutes } from '../../../coordinator/learning/routes.ts';
import { trainingRoutes } from '../../../coordinator/learning/training/routes.ts';
import { Training } from '../../../coordinator/learning/training/training.ts';
import type { TrainingRules } from '../../../coordinator/learning/training/training.ts';
import { AccessControl } from '../../../coordinator/platform/http/access.ts';
import type { Role } from '../../../coordinator/platform/http/access.ts';
import { createHttp } from '../../../coordinator/platform/http/http.ts';
import type { Http } from '../../../coordinator/platform/http/http.ts';
import { createMetrics } from '../../../coordinator/platform/http/metrics.ts';
import { uploadRoutes } from '../../../coordinator/platform/http/uploads.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { makeTestFolder } from '../../support/folder.ts';
import { COLOURS, colourNetwork } from '../../support/networks.ts';
import { datasetOf } from '../../support/training.ts';

/** Training and models behind real doors, on a database of their own; what labels there are, the test says. */
export class TrainingBench {
  readonly fleetKey = createKeyPair();
  readonly tokens = {} as Record<Role, string>;
  readonly labels = { perClass: 10 };
  readonly snapshots = new Map<string, Dataset>();
  readonly rules: TrainingRules = {
    ...{ minimumNew: 20, minimumPerClass: 5, budgetSeconds: 30, passes: null, promote: 'better', margin: 0.01 },
  };
  db!: TestDatabase;
  http!: Http;
  models!: Models;
  training!: Training;
  #folder = '';

  async start(): Promise<void> {
    this.db = await createTestDatabase();
    this.#folder = await makeTestFolder('training');
    const { database } = this.db;
    const store = new FolderStore(join(this.#folder, 'objects'));
    const logger = silentLogger;
    const models = new Models({ database, store, key: this.fleetKey, logger, onPromoted: () => undefined });
    this.models = models;
    this.training = new Training({ database, models, rules: this.rules, logger, snapshots: this.#source() });
    const access = new AccessControl(database);
    for (const role of ['viewer', 'researcher', 'operator'] as const) {
      this.tokens[role] = (await access.create(role, role)).token;
    }
    this.http = await createHttp({
      listen: { host: '127.0.0.1', port: 0 },
      version: '0',
      access,
      sessions: { authenticate: async () => undefined },
      ...{ database, logger, metrics: createMetrics(), ready: {} },
      routes: [trainingRoutes(this.training), modelRoutes({ models, store }), uploadRoutes(store)],
      pageFolder: join(this.#folder, 'page'),
    });
    await this.http.start();
  }

  async stop(): Promise<void> {
    await this.http.stop();
    await this.db.drop();
    await rm(this.#folder, { recursive: true });
  }

  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    role: Role = 'operator',
  ): Promise<{ status: number; body: T }> {
    const isBytes = body instanceof Uint8Array;
    const response = await fetch(`${this.http.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.tokens[role]}`,
        ...(body !== undefined && { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }),
      },
      ...(body !== undefined && { body: isBytes ? new Uint8Array(body) : JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as T };
  }

  /** Registered as it is, which costs no child process. */
  async registerColours(): Promise<string> {
    const { manifest, files } = await importNetwork({ name: 'colours', onnx: colourNetwork(), labels: COLOURS });
    return (await this.models.register(manifest, files)).version;
  }

  #source(): ConstructorParameters<typeof Training>[0]['snapshots'] {
    const { labels, snapshots } = this;
    return {
      labels: async () => ({
        good: 3 * labels.perClass,
        classes: COLOURS.map((label) => ({ label, good: labels.perClass })),
      }),
      create: async (name) => {
        if (snapshots.has(name)) throw new AppError('DATASET_EXISTS', `There is a snapshot ${name}.`);
        snapshots.set(name, datasetOf(name, labels.perClass));
        return snapshots.get(name) as Dataset;
      },
      find: async (name) => {
        const found = snapshots.get(name);
        if (!found) throw new AppError('DATASET_NOT_FOUND', `There is no snapshot ${name}.`);
        return found;
      },
    };
  }
}

/** One for the whole file. */
export function useTrainingBench(): TrainingBench {
  const bench = new TrainingBench();
  beforeAll(() => bench.start());
  afterAll(() => bench.stop());
  return bench;
}
