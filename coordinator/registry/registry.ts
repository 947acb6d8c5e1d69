import type { Brand } from '../../common/domain/brand.ts';
import type { Lifecycle } from '../../common/domain/camera.ts';
import type { CameraState } from '../../common/domain/health.ts';
import type { Assignment } from '../../common/protocol/agent-link.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { Database } from '../platform/database/database.ts';
import type { AddressRules } from './address.ts';
import { cameraInputSchema } from './camera.ts';
import type { Camera, CameraChange, CameraInput } from './camera.ts';
import { CamerasRepository, createStaging, mergeStaged, stage } from './cameras-repository.ts';
import type { PlannableCamera } from './cameras-repository.ts';
import { CredentialsVault } from './credentials.ts';
import { importCameras } from './import/import.ts';
import type { ImportOptions, ImportReport } from './import/import.ts';
import { ALWAYS, toAssignment, toCamera, toRow } from './rows.ts';
import type { CameraFilter } from './search.ts';

export type { PlannableCamera } from './cameras-repository.ts';
export { loadCredentialsKey } from './credentials.ts';

export interface RegistryOptions {
  database: Database;
  /** 32 bytes; see `loadCredentialsKey`. */
  credentialsKey: Buffer;
  /** After a change is committed: ids of the cameras that an agent may have to hear about. Must not throw. */
  onChanged?: (ids: readonly number[]) => void;
  /** Folders of this machine (`file:`) as cameras. Default: refused. */
  allowFiles?: boolean;
  /** Brands whose cameras need no paths. Default: none. */
  brands?: readonly Brand[];
}

export interface CameraPage {
  cameras: Camera[];
  /** Give it as `after` to go on; `null` on the last page. */
  next: number | null;
}

/** All cameras: who they are, where they are, how they are reached, and whether they are to be captured. */
export class Registry {
  readonly #database: Database;
  readonly #cameras: CamerasRepository;
  readonly #vault: CredentialsVault;
  readonly #rules: AddressRules;
  readonly #onChanged: (ids: readonly number[]) => void;

  constructor({ database, credentialsKey, onChanged, allowFiles = false, brands = [] }: RegistryOptions) {
    this.#database = database;
    this.#cameras = new CamerasRepository(database);
    this.#vault = new CredentialsVault(credentialsKey);
    this.#rules = { allowFiles, brands };
    this.#onChanged = onChanged ?? (() => undefined);
  }

  /** Adds one. Rejects with `CAMERA_INVALID`, `CAMERA_ADDRESS_INVALID`, `CAMERA_PLACE_INVALID` or, where source and id are known, `CAMERA_EXISTS`. */
  async add(input: CameraInput): Promise<Camera> {
    const parsed = cameraInputSchema.safeParse(input);
    if (!parsed.success) throw new AppError('CAMERA_INVALID', problemsOf(parsed.error.issues).join('; '));
    const row = toRow(parsed.data, this.#vault, this.#rules);
    const added = await this.#database.transaction(async (tx) => {
      await createStaging(tx);
      await stage(tx, [row]);
      const existing = await tx.maybeOne<{ id: number }>(
        'select id from cameras where source = $1 and source_camera_id = $2',
        [row.source, row.source_camera_id],
      );
      if (existing) {
        throw new AppError(
          'CAMERA_EXISTS',
          `Camera ${existing.id} has this source and id already; change that one, or give another sourceCameraId.`,
        );
      }
      return (await mergeStaged(tx, false)).added;
    });
    this.#onChanged(added);
    return this.get(added[0] ?? 0);
  }

  /** Rejects with `CAMERA_NOT_FOUND`. */
  async get(id: number): Promise<Camera> {
    const [camera] = await this.#cameras.get([id]);
    if (!camera) throw new AppError('CAMERA_NOT_FOUND', `There is no camera ${id}; "camfleet cameras list" shows all.`);
    return camera;
  }

  /** A page in the order of ids, beginning after the id `after`. */
  async list(filter: CameraFilter, { after = 0, limit = 100 } = {}): Promise<CameraPage> {
    const found = await this.#cameras.list(filter, after, limit + 1);
    const cameras = found.slice(0, limit);
    return { cameras, next: found.length > limit ? (cameras.at(-1)?.id ?? null) : null };
  }

  async count(filter: CameraFilter): Promise<number> {
    return this.#cameras.count(filter);
  }

  countStates(filter: CameraFilter): Promise<Partial<Record<CameraState, number>>> {
    return this.#cameras.countStates(filter);
  }

  /** Sets interval, hours, priority or tags of every camera that matches; gives how many really changed. */
  async set(filter: CameraFilter, change: CameraChange): Promise<number> {
    return (await this.change(filter, change)).changed;
  }

  /** The same; says also how many of the changed have no time zone, so that their hours count in UTC. */
  async change(filter: CameraFilter, change: CameraChange): Promise<{ changed: number; withoutZone?: number }> {
    const ids = await this.#cameras.set(filter, change);
    if (ids.length > 0) this.#onChanged(ids);
    const hasHours = change.activeHours !== undefined && change.activeHours !== ALWAYS;
    const withoutZone = hasHours ? await this.#cameras.withoutZone(ids) : 0;
    return { changed: ids.length, ...(withoutZone > 0 && { withoutZone }) };
  }

  /** Stops capturing until `resume`. */
  async pause(ids: readonly number[]): Promise<number> {
    return this.#move(ids, ['candidate', 'active'], 'paused');
  }

  /** Captures again, retired ones too. */
  async resume(ids: readonly number[]): Promise<number> {
    return this.#move(ids, ['candidate', 'paused', 'retired'], 'active');
  }

  /** Retires: no longer captured nor listed; what was observed stays. */
  async remove(ids: readonly number[]): Promise<number> {
    return this.#move(ids, ['candidate', 'active', 'paused'], 'retired');
  }

  /** Which of these names are hosts of cameras. */
  hostsAmong(names: readonly string[]): Promise<string[]> {
    return this.#cameras.hostsAmong(names);
  }

  /** Something outside this room decided that these are, or are not, to be captured. */
  changed(ids: readonly number[]): void {
    this.#onChanged(ids);
  }

  async #move(ids: readonly number[], from: readonly Lifecycle[], to: Lifecycle): Promise<number> {
    const moved = await this.#cameras.move(ids, from, to);
    if (moved.length > 0) this.#onChanged(moved);
    return moved.length;
  }

  /** What agents must know of these cameras, with credentials: for holders only. Streams are left out: nobody can fetch them yet. */
  async assignmentsOf(ids: readonly number[]): Promise<Omit<Assignment, 'memory'>[]> {
    const rows = await this.#cameras.sealed(ids);
    return rows
      .map((row) => toAssignment({ ...toCamera(row as never), credentials: row.credentials }, this.#vault))
      .filter((assignment) => assignment !== null);
  }

  /** Every camera that is to be captured and can be. */
  async plannableCameras(): Promise<PlannableCamera[]> {
    return this.#cameras.plannable();
  }

  /** Reads a file of cameras; see `importCameras`. */
  async import(bytes: AsyncIterable<Uint8Array>, options: ImportOptions = {}): Promise<ImportReport> {
    const { report, ids } = await importCameras(bytes, {
      ...options,
      database: this.#database,
      vault: this.#vault,
      rules: this.#rules,
    });
    if (ids.length > 0) this.#onChanged(ids);
    return report;
  }
}

export const createRegistry = (options: RegistryOptions): Registry => new Registry(options);

function problemsOf(issues: readonly { path: PropertyKey[]; message: string }[]): string[] {
  return issues.map(({ path, message }) => `${path.join('.') || 'camera'}: ${message}`);
}
