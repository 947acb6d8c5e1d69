import type { CleanMemory, EncodedFrame } from '../../common/domain/frame.ts';
import { VERDICTS } from '../../common/domain/verdict.ts';
import type { Evidence, Judgement } from '../../common/domain/verdict.ts';
import { sha256 } from '../../common/storage/digest.ts';
import type { Digest } from '../../common/storage/digest.ts';
import { Decoder } from './decode.ts';
import type { Decoded, DecoderOptions, Image } from './decode.ts';
import { datesLie, learnChange, learnRepeat, learnSize } from './habits.ts';
import { measure } from './statistics.ts';
import { DEFAULT_THRESHOLDS, frozenEvidence, judge } from './verdicts.ts';
import type { Thresholds } from './verdicts.ts';

export interface Cleaned extends Judgement {
  /** What to remember of the camera; hand it in with its next frame. */
  memory: CleanMemory;
  /** SHA-256 of the bytes; of the last known bytes after a 304; absent for an empty answer. */
  digest?: Digest;
  /** 32 × 24 grey cells; absent where the picture was not decoded. */
  thumbnail?: Uint8Array;
  /** The decoded grey picture. Its buffer is used again for the next frame of this worker. */
  grey?: Image;
}

export interface CleanerOptions extends DecoderOptions {
  thresholds?: Partial<Thresholds>;
}

/**
 * Gives every frame its verdict, cheapest test first: a 304 and bytes known from last time are never decoded. It holds no
 * state of a camera (that is in the memory passed in and out), only buffers: one instance per worker thread.
 */
export class Cleaner {
  readonly decoder: Decoder;
  readonly #thresholds: Thresholds;

  constructor({ thresholds, ...decoder }: CleanerOptions = {}) {
    this.decoder = new Decoder(decoder);
    this.#thresholds = { ...DEFAULT_THRESHOLDS, ...thresholds };
  }

  /** Never throws for whatever the bytes are. A result and not a promise wherever libjpeg-turbo suffices. */
  clean(frame: EncodedFrame, memory: CleanMemory): Cleaned | Promise<Cleaned> {
    const { bytes } = frame;
    if (frame.notModified) return this.#repeat(frame, memory, 'not modified', memory.digest);
    // Nothing is remembered of an empty answer: the next frame is compared with the last picture.
    if (!bytes || bytes.length === 0) return { verdict: 'empty', evidence: { bytes: 0 }, memory };
    const digest = sha256(bytes);
    if (digest === memory.digest) return this.#repeat(frame, withValidators(memory, frame), 'bytes', digest);
    const decoded = this.decoder.decodeGrey(bytes);
    const next = { ...withValidators(datesLie(memory, frame) ? { ...memory, datesLie: true } : memory, frame), digest };
    return decoded instanceof Promise
      ? decoded.then((result) => this.#finish(frame, bytes, next, result))
      : this.#finish(frame, bytes, next, decoded);
  }

  /** Known bytes: what was decided about them still holds, unless it has been too long. */
  #repeat(frame: EncodedFrame, memory: CleanMemory, repeats: string, digest: Digest | undefined): Cleaned {
    const known = memory.verdict ?? 'good';
    const common = digest === undefined ? {} : { digest };
    if (!VERDICTS[known].yieldsFrame) return { verdict: known, evidence: { repeats }, memory, ...common };
    const next = learnRepeat(memory, frame.fetchedAt);
    if (known !== 'good' && known !== 'frozen')
      return { verdict: known, evidence: { repeats }, memory: next, ...common };
    const evidence = frozenEvidence(next, this.#thresholds);
    if (evidence) return { verdict: 'frozen', evidence, memory: { ...next, verdict: 'frozen' }, ...common };
    return { verdict: 'duplicate', evidence: { repeats }, memory: { ...next, verdict: 'good' }, ...common };
  }

  #finish(frame: EncodedFrame, bytes: Buffer, memory: CleanMemory, decoded: Decoded): Cleaned {
    const digest = memory.digest as Digest;
    if (!decoded.ok) {
      const { reason, detail } = decoded.failure;
      const evidence: Evidence = { detail, bytes: bytes.length };
      if (frame.contentType !== undefined) evidence['contentType'] = frame.contentType.slice(0, 60);
      return { verdict: reason, evidence, memory: { ...memory, verdict: reason }, digest };
    }
    const { image } = decoded;
    const statistics = measure(image.data, image.width, image.height);
    const resized = memory.width !== image.width || memory.height !== image.height;
    const known = resized ? { ...memory, width: image.width, height: image.height, sizes: undefined } : memory;
    const repeated = !resized && known.picture === statistics.fingerprint;
    const seen = repeated
      ? learnRepeat(known, frame.fetchedAt)
      : learnChange(known, statistics.fingerprint, frame.fetchedAt, this.#thresholds.frozen);
    const { verdict, evidence } = judge({
      bytes: bytes.length,
      statistics,
      memory: seen,
      repeated,
      thresholds: this.#thresholds,
    });
    if (image.note !== undefined) evidence['overlooked'] = image.note;
    const next: CleanMemory = { ...seen, verdict: verdict === 'duplicate' ? 'good' : verdict };
    // Black and blank pictures are small for a good reason and would spoil what is known of the others.
    if (verdict !== 'black' && verdict !== 'blank') next.sizes = learnSize(seen.sizes, bytes.length);
    return { verdict, evidence, memory: next, digest, thumbnail: statistics.thumbnail, grey: image };
  }
}

/** The validators of this answer and no others: those of earlier bytes would make the camera confirm what we no longer hold. */
function withValidators(memory: CleanMemory, frame: EncodedFrame): CleanMemory {
  const next: CleanMemory = { ...memory };
  delete next.etag;
  delete next.lastModified;
  if (frame.etag !== undefined) next.etag = frame.etag;
  if (frame.lastModified !== undefined && !memory.datesLie) next.lastModified = frame.lastModified;
  return next;
}
