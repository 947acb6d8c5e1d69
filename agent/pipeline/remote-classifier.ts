import type { Scores } from '../../common/domain/fragment.ts';
import type { PictureClassifier } from './contracts.ts';

type Result = { modelVersion: string; scores: Scores } | null;

/** A worker's side of the one classifier that the agent's main thread holds. */
export class RemoteClassifier implements PictureClassifier {
  modelVersion: string | null = null;
  readonly #ask: (id: number, picture: Uint8Array) => void;
  readonly #open = new Map<number, (result: Result) => void>();
  #next = 1;

  constructor(ask: (id: number, picture: Uint8Array) => void) {
    this.#ask = ask;
  }

  classify(picture: Uint8Array): Promise<Result> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#open.set(id, resolve);
      this.#ask(id, picture);
    });
  }

  answer(id: number, result: Result): void {
    this.#open.get(id)?.(result);
    this.#open.delete(id);
  }

  /** Whoever still waits gets no label. */
  close(): void {
    for (const id of [...this.#open.keys()]) this.answer(id, null);
  }
}
