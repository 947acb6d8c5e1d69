import type { ModelManifest } from '../../../common/domain/model.ts';
import { checkFile, filesOf, openManifest, signManifest } from '../../../common/inference/artifact.ts';
import type { ModelReport } from '../../../common/protocol/agent-link.ts';
import { AppError } from '../../../common/runtime/errors.ts';
import type { Logger } from '../../../common/runtime/logger.ts';
import type { ObjectStore } from '../../../common/storage/object-store.ts';
import { sha256 } from '../../../common/storage/digest.ts';
import { signBytes } from '../../../common/storage/signature.ts';
import type { KeyPair } from '../../../common/storage/signature.ts';
import type { Database } from '../../platform/database/database.ts';
import { buildModel, proveModel } from './build.ts';
import type { NetworkToImport } from './build.ts';

export interface ModelSummary {
  version: string;
  name: string;
  origin: string;
  labels: number;
  metrics: Record<string, number>;
  createdAt: Date;
  inForce: boolean;
  /** Agents by their newest word on this model. */
  agents: Record<'fetched' | 'proved' | 'active' | 'refused', number>;
}

export interface ModelsOptions {
  database: Database;
  store: ObjectStore;
  /** Signs what this fleet runs. */
  key: KeyPair;
  logger: Logger;
  /** Called after the model in force changed. */
  onPromoted(version: string | null): void;
}

/** An artifact that a trainer made. */
export interface PublishedArtifact {
  manifest: Buffer;
  /** The trainer's, over the manifest's bytes; base64. */
  signature: string;
  /** The trainer's; SPKI PEM. */
  publicKey: string;
}

const CURRENT_FRESH_MS = 1_000;

const SUMMARY = `
  select m.version, m.name, m.origin, m.labels, m.metrics, m.created_at as "createdAt",
         m.version = f.version is true as "inForce",
         jsonb_build_object(
           'fetched', count(r) filter (where r.state = 'fetched'), 'proved', count(r) filter (where r.state = 'proved'),
           'active', count(r) filter (where r.state = 'active'), 'refused', count(r) filter (where r.state = 'refused')
         ) as agents
  from models m cross join model_in_force f left join model_reports r on r.version = m.version`;

/** The model registry: what there is, what is in force, and what the agents say of it. */
export class Models {
  readonly #database: Database;
  readonly #store: ObjectStore;
  readonly #key: KeyPair;
  readonly #logger: Logger;
  readonly #onPromoted: (version: string | null) => void;
  #current: { version: string | null; readAt: number } | undefined;

  constructor({ database, store, key, logger, onPromoted }: ModelsOptions) {
    this.#database = database;
    this.#store = store;
    this.#key = key;
    this.#logger = logger;
    this.#onPromoted = onPromoted;
  }

  /** SPKI PEM; agents verify manifests with it. */
  get publicKey(): string {
    return this.#key.publicKey;
  }

  /** Makes a signed artifact of any ONNX classifier. The same file and labels again give a new version of the same files. */
  async import(network: NetworkToImport): Promise<ModelSummary> {
    const { manifest, files } = await buildModel(network);
    return this.register(manifest, files);
  }

  /**
   * Takes a finished artifact as it is: the bytes of its manifest stay, and so does its version; the fleet's key signs them beside
   * the trainer's. Nothing is kept before every digest is right and the golden frames are.
   *
   * @throws AppError MODEL_UNSIGNED, MODEL_INVALID, MODEL_TAMPERED, MODEL_SELF_TEST_FAILED, MODEL_UNLOADABLE
   */
  async publish(artifact: PublishedArtifact, fileOf: (name: string) => Promise<Buffer>): Promise<ModelSummary> {
    const { manifest } = openManifest(artifact.manifest, artifact.signature, artifact.publicKey);
    const files = new Map<string, Buffer>();
    for (const file of filesOf(manifest)) {
      const bytes = await fileOf(file.name);
      checkFile(file.name, bytes, file);
      files.set(file.name, bytes);
    }
    await proveModel(manifest, files);
    return this.#register(artifact.manifest, manifest, files);
  }

  register(manifest: ModelManifest, files: ReadonlyMap<string, Buffer>): Promise<ModelSummary> {
    return this.#register(signManifest(manifest, this.#key.privateKey).bytes, manifest, files);
  }

  async #register(bytes: Buffer, manifest: ModelManifest, files: ReadonlyMap<string, Buffer>): Promise<ModelSummary> {
    const version = sha256(bytes);
    for (const { name, digest } of filesOf(manifest)) await this.#store.put(keyOf(digest), files.get(name) as Buffer);
    await this.#database.query(
      `insert into models (version, name, manifest, signature, origin, labels, metrics)
       values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing`,
      [
        version,
        manifest.name,
        bytes,
        signBytes(this.#key.privateKey, bytes),
        manifest.origin,
        manifest.labels.length,
        manifest.metrics ?? {},
      ],
    );
    this.#logger.info({ version, model: manifest.name }, 'model registered');
    return this.show(version);
  }

  list(): Promise<ModelSummary[]> {
    return this.#database.many<ModelSummary>(`${SUMMARY} group by m.version, f.version order by m.created_at desc`);
  }

  /** @param version whole, or its first 8 and more digits. @throws AppError MODEL_NOT_FOUND, MODEL_AMBIGUOUS */
  async show(version: string): Promise<ModelSummary> {
    if (!/^[0-9a-f]{8,64}$/.test(version)) throw notFound(version);
    const found = await this.#database.many<ModelSummary>(
      `${SUMMARY} where m.version like $1 || '%' group by m.version, f.version limit 2`,
      [version],
    );
    if (found.length > 1)
      throw new AppError('MODEL_AMBIGUOUS', `Several models begin with ${version}; give more digits.`);
    if (!found[0]) throw notFound(version);
    return found[0];
  }

  /** Puts a model in force; agents fetch and prove it before they switch. */
  async promote(version: string): Promise<ModelSummary> {
    const model = await this.show(version);
    await this.#database.query(
      `update model_in_force set previous = version, version = $1, since = now() where version is distinct from $1`,
      [model.version],
    );
    this.#current = undefined;
    this.#onPromoted(model.version);
    return this.show(model.version);
  }

  /** Version in force, `null` while there is none. Every renewal asks, so an answer serves for a second. */
  async current(): Promise<string | null> {
    if (!this.#current || performance.now() - this.#current.readAt > CURRENT_FRESH_MS) {
      const { version } = await this.#database.one<{ version: string | null }>('select version from model_in_force');
      this.#current = { version, readAt: performance.now() };
    }
    return this.#current.version;
  }

  /** What an agent says of a model. Words on a model that is not known (any more) are dropped. */
  async report(agentId: string, report: ModelReport): Promise<void> {
    await this.#database.query(
      `insert into model_reports (agent_id, version, state, reason, at)
       select $1, version, $3, $4, now() from models where version = $2
       on conflict (agent_id, version) do update set state = excluded.state, reason = excluded.reason, at = excluded.at`,
      [agentId, report.version, report.state, report.reason ?? null],
    );
    if (report.state === 'refused') this.#logger.warn({ agentId, ...report }, 'an agent refused a model');
  }

  async manifest(version: string): Promise<{ bytes: Buffer; signature: string }> {
    const found = await this.#database.maybeOne<{ bytes: Buffer; signature: string }>(
      'select manifest as bytes, signature from models where version = $1',
      [version],
    );
    if (!found) throw notFound(version);
    return found;
  }

  /** A file of a model by its name in the manifest. */
  async file(version: string, name: string): Promise<Buffer> {
    const manifest = JSON.parse((await this.manifest(version)).bytes.toString('utf8')) as ModelManifest;
    const file = filesOf(manifest).find((candidate) => candidate.name === name);
    if (!file) throw new AppError('MODEL_FILE_NOT_FOUND', `Model ${version.slice(0, 12)} has no file ${name}.`);
    return this.#store.get(keyOf(file.digest));
  }
}

const keyOf = (digest: string): string => `models/${digest.slice(0, 2)}/${digest}`;

const notFound = (version: string): AppError =>
  new AppError('MODEL_NOT_FOUND', `There is no model ${version}; \`camfleet models list\` shows what there is.`);
