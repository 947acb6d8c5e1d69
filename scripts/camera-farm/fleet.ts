import type { Clock } from '../../common/runtime/clock.ts';
import { AppError } from '../../common/runtime/errors.ts';
import type { FaultAnswer } from './fault-answers.ts';
import type { FaultName } from './faults.ts';
import { FAULTS, fits } from './faults.ts';
import type { Picture } from './picture.ts';
import type { ChangingPictures } from './pictures.ts';
import type { FarmCamera } from './camera.ts';
import type { Random } from './random.ts';
import { seeded } from './random.ts';
import { snapshotPathOf, videoPathOf } from './records.ts';

interface CameraState {
  camera: FarmCamera;
  fault: FaultName | null;
  /** Of the camera's answers that the fault spoils, 0 to 1. */
  share: number;
  /** The picture of the moment in which the fault began. */
  held: Picture | undefined;
  turn: number;
  serial: number;
  /** Called when the fault changes: open streams end or go on with other parts. */
  listeners: Set<() => void>;
}

/** What a camera gives now: its picture, or what its fault makes of it. */
export type Outcome = { fault: null; picture: Picture } | { fault: FaultName; answer: FaultAnswer };

export interface FleetSettings {
  width: number;
  height: number;
  seed: string;
  clock: Clock;
  /** Share of all answers of cameras without a fault of their own that a fault spoils, by name. */
  requestShares: Partial<Record<FaultName, number>>;
}

/** The cameras with their faults as they are at the moment. */
export class Fleet {
  readonly #states = new Map<string, CameraState>();
  readonly #pictures: ChangingPictures;
  readonly #settings: FleetSettings;
  readonly #random: Random;

  constructor(cameras: readonly FarmCamera[], pictures: ChangingPictures, settings: FleetSettings) {
    this.#pictures = pictures;
    this.#settings = settings;
    this.#random = seeded(`${settings.seed}/requests`);
    const healthy = { fault: null, share: 1, held: undefined, turn: 0, serial: 0 };
    for (const camera of cameras) this.#states.set(camera.id, { camera, ...healthy, listeners: new Set() });
  }

  find(id: string): FarmCamera | undefined {
    return this.#states.get(id)?.camera;
  }

  faultOf(id: string): FaultName | null {
    return this.#state(id).fault;
  }

  /**
   * Takes effect with the next request and the next part, for this share of them. Throws `FARM_CAMERA` for an unknown id and
   * `FARM_FAULT` for a fault that this kind of camera cannot have.
   */
  setFault(id: string, fault: FaultName | null, share = 1): void {
    const state = this.#state(id);
    if (fault !== null && !fits(fault, state.camera.kind))
      throw new AppError('FARM_FAULT', `Camera "${id}" cannot have the fault "${fault}": it is for ${FAULTS[fault].only} cameras.`); // prettier-ignore
    if (!(share > 0 && share <= 1))
      throw new AppError('FARM_FAULT', `The share of a fault is above 0 and at most 1, not ${share}.`);
    state.fault = fault;
    state.share = share;
    state.held = undefined;
    for (const listener of state.listeners) listener();
  }

  onFaultChange(id: string, listener: () => void): () => void {
    const { listeners } = this.#state(id);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  look(id: string): Outcome {
    const state = this.#state(id);
    const { camera } = state;
    const current = () => this.#pictures.current(camera);
    const fault = this.#faultOfThisAnswer(state);
    if (fault === null) return { fault: null, picture: current() };
    const { width, height, clock } = this.#settings;
    const video = camera.kind === 'mjpeg';
    const answer = FAULTS[fault].answer({
      current,
      held: () => (state.held ??= current()),
      size: { width, height },
      turn: state.turn++,
      host: camera.host,
      path: video ? videoPathOf(camera) : snapshotPathOf(camera),
      video,
      now: clock.now(),
    });
    return { fault, answer };
  }

  #faultOfThisAnswer({ fault, share, camera }: CameraState): FaultName | null {
    if (fault !== null) return share === 1 || this.#random() < share ? fault : null;
    const shares = Object.entries(this.#settings.requestShares) as [FaultName, number][];
    if (shares.length === 0) return null;
    let draw = this.#random();
    for (const [name, part] of shares) {
      if (draw < part) return fits(name, camera.kind) ? name : null;
      draw -= part;
    }
    return null;
  }

  nextSerial(id: string): number {
    return ++this.#state(id).serial;
  }

  #state(id: string): CameraState {
    const state = this.#states.get(id);
    if (!state)
      throw new AppError(
        'FARM_CAMERA',
        `The farm has no camera "${id}"; ids run from cam0001 to the number of cameras.`,
      );
    return state;
  }
}
