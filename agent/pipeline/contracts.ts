import type { Scores } from '../../common/domain/fragment.ts';

/** What the pipeline needs of a classifier. Without one, and while it has no model, frames carry no label. */
export interface PictureClassifier {
  /** Version in force, `null` while there is none. */
  readonly modelVersion: string | null;
  /** `null` without a model, and for a picture that cannot be decoded. */
  classify(picture: Uint8Array): Promise<{ modelVersion: string; scores: Scores } | null>;
}

/** Follows the version that the coordinator wants. */
export interface ModelSwitch {
  /** The one in force. */
  readonly modelVersion: string | null;
  switchTo(version: string | null): Promise<void>;
  stop(): Promise<void>;
}
