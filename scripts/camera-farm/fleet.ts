import { AppError } from '../../common/runtime/errors.ts';
import type { FaultAnswer, FaultName } from './faults.ts';
import { answerOf } from './faults.ts';
import type { Picture } from './picture.ts';
import type { ChangingPictures } from './pictures.ts';
import type { FarmCamera } from './camera.ts';

interface CameraState {
  camera: FarmCamera;
  fault: FaultName | null;
  /** The picture of the moment in which the fault began. */
  held: Picture | undefined;
  turn: number;
  serial: number;
  /** Called when the fault changes: open streams end or go on with other parts. */
  listeners: Set<() => void>;
}

/** What a camera gives now: its picture, or what its fault makes of it. */
export type Outcome = { fault: null; picture: Picture } | { fault: FaultName; answer: FaultAnswer };

/** The cameras with their faults as they are at the moment. */
export class Fleet {
  readonly #states = new Map<string, CameraState>();
  readonly #pictures: ChangingPictures;
  readonly #size: { width: number; height: number };

  constructor(cameras: readonly FarmCamera[], pictures: ChangingPictures, size: { width: number; height: number }) {
    this.#pictures = pictures;
    this.#size = size;
    for (const camera of cameras)
      this.#states.set(camera.id, { camera, fault: null, held: undefined, turn: 0, serial: 0, listeners: new Set() });
  }

  find(id: string): FarmCamera | undefined {
    return this.#states.get(id)?.camera;
  }

  faultOf(id: string): FaultName | null {
    return this.#state(id).fault;
  }

  /** Takes effect with the next request and the next part. Throws `FARM_CAMERA` for an unknown id. */
  setFault(id: string, fault: FaultName | null): void {
    const state = this.#state(id);
    state.fault = fault;
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
    const current = () => this.#pictures.current(state.camera);
    if (state.fault === null) return { fault: null, picture: current() };
    const held = () => (state.held ??= current());
    return {
      fault: state.fault,
      answer: answerOf(state.fault, { current, held, size: this.#size, turn: state.turn++ }),
    };
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
