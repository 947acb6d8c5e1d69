import type { Part } from '../../../common/domain/dataset.ts';
import type { Digest } from '../../../common/storage/digest.ts';

/** An image as a loader found it, before anybody looked into the file. */
export interface ListedImage {
  /** Relative to the dataset's folder. */
  file: string;
  label: string;
  /** `null` where the source knows no parts. */
  part: Part | null;
  /** What the source says the file's digest is. */
  digest: Digest | null;
  group: string | null;
  time: number | null;
}

export interface Listing {
  name: string;
  /** The source's own; `null`: computed from images and labels. */
  digest: Digest | null;
  classes: string[];
  images: ListedImage[];
  /** Classes whose parts the source itself cut by time, so that cameras may cross them. */
  cutByTime: ReadonlySet<string>;
  /** Whether near-duplicates across the source's parts stop a run. Not where an operator cannot move a camera to another part. */
  refuseNearDuplicates: boolean;
  /** Of the source's own parts, for the report; `null` where it has none. */
  splitRule: string | null;
}

export interface LoaderRequest {
  folder: string;
  /** A manifest of parts: `{class: {train, reference, test}}`; relative to the folder, or absolute. */
  manifest?: string | undefined;
}

/** A form in which datasets come. */
export interface DatasetLoader {
  /** What a dataset of this form looks like, for the error when none fits. */
  form: string;
  recognises(request: LoaderRequest): Promise<boolean>;
  list(request: LoaderRequest): Promise<Listing>;
}
