import type { Augmentation } from '../augment/draw.ts';
import type { NetworkInput } from './preparer.ts';

/** What a preparing thread is started with. */
export interface ThreadSettings {
  input: NetworkInput;
  augmentation: Augmentation;
  seed: number;
  /** Resized pictures, one after the other, shared by all threads. */
  cache: SharedArrayBuffer;
}

/** One image of a batch. */
export interface ThreadItem {
  file: string;
  digest: string;
  /** `null`: not augmented. */
  repetition: number | null;
  /** Place in the batch. */
  position: number;
  /** Its place in the cache; `null` where the cache is full. */
  slot: number | null;
  /** Whether the resized picture is in its slot already. */
  cached: boolean;
}

export type ToThread =
  { type: 'prepare'; id: number; items: ThreadItem[]; output: SharedArrayBuffer } | { type: 'close' };

/** The answer to `prepare`: the output holds the items, and their slots the resized pictures. */
export type FromThread = { id: number; error?: { code: string; message: string } };
