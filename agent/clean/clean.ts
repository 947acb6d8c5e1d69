import type { CleanMemory, EncodedFrame } from '../../common/domain/frame.ts';
import { VERDICTS } from '../../common/domain/verdict.ts';
import type { Evidence, Judgement, Verdict } from '../../common/domain/verdict.ts';
import { sha256 } from '../../common/storage/digest.ts';
import type { Digest } from '../../common/storage/digest.ts';
import { Decoder } from './decode.ts';
import type { Decoded, DecoderOptions, Image } from './decode.ts';
import { clockOf, edgesOfPhases, hashOf, tilesOf } from './fingerprints.ts';
import { datesLie, learnChange, learnRepeat, learnSize, without } from './habits.ts';
import { hasStructure, Placeholders } from './placeholders.ts';
import { eventEvidence, observeView } from './scenes.ts';
import { measure } from './statistics.ts';
import type { Statistics } from './statistics.ts';
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
  /** The cards that the fleet knows; set anew whenever it learns one. */
  readonly placeholders = new Placeholders();
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
    // A card that was learned meanwhile, and one that turned out to be none.
    const isCard = this.placeholders.has(memory.hash);
    const before = memory.verdict ?? 'good';
    const known = isCard && SCENES.has(before) ? 'placeholder' : before === 'placeholder' && !isCard ? 'good' : before;
    const cleaned: Cleaned = { verdict: known, evidence: { repeats }, memory };
    if (digest !== undefined) cleaned.digest = digest;
    if (!VERDICTS[known].yieldsFrame) return cleaned;
    const next = learnRepeat(memory, frame.fetchedAt);
    cleaned.memory = next;
    next.verdict = known;
    if (known !== 'good' && known !== 'frozen') return cleaned;
    const frozen = frozenEvidence(next, this.#thresholds);
    cleaned.verdict = frozen ? 'frozen' : 'duplicate';
    next.verdict = frozen ? 'frozen' : 'good';
    cleaned.evidence = Object.assign(
      frozen ?? cleaned.evidence,
      cardEvidence(next),
      eventEvidence(next, frame.fetchedAt),
    );
    return cleaned;
  }

  /** A picture in which only a clock goes on is the same one for the camera's habits: frozen cameras go on telling the time. */
  #learnPicture(
    known: CleanMemory,
    { fingerprint, cells }: Statistics,
    at: number,
  ): { seen: CleanMemory; still: boolean } {
    const tiles = tilesOf(cells);
    const clock = known.tiles === undefined ? undefined : clockOf(known.tiles, tiles, known.clock ?? '');
    const rest = known.clock === undefined ? known : without(known, ['clock']);
    const seen =
      clock === undefined ? learnChange(rest, fingerprint, at, this.#thresholds.frozen) : learnRepeat(rest, at);
    seen.picture = fingerprint;
    seen.tiles = tiles;
    if (clock) seen.clock = clock;
    return { seen, still: clock !== undefined };
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
    const known = resized ? forSize(memory, image) : memory;
    const repeated = !resized && known.picture === statistics.fingerprint;
    const { seen, still } = this.#learnPicture(known, statistics, frame.fetchedAt);
    const hash = hashOf(statistics.thumbnail, statistics.stdev);
    const { verdict, evidence } = judge({
      bytes: bytes.length,
      statistics,
      memory: seen,
      repeated,
      still,
      placeholder: this.placeholders.has(hash),
      thresholds: this.#thresholds,
    });
    if (image.note !== undefined) evidence['overlooked'] = image.note;
    const next: CleanMemory = SCENES.has(verdict)
      ? observeView(seen, {
          hash,
          mean: statistics.mean,
          stdev: statistics.stdev,
          detail: statistics.detail,
          at: frame.fetchedAt,
          beforeAt: known.seenAt,
          phases: () => edgesOfPhases(statistics.thumbnail, statistics.stdev),
        })
      : { ...seen, hash };
    next.verdict = verdict === 'duplicate' ? 'good' : verdict;
    if (SCENES.has(verdict)) Object.assign(evidence, eventEvidence(next, frame.fetchedAt));
    if (still && SCENES.has(verdict)) Object.assign(evidence, cardEvidence(next));
    // Black and blank pictures are small for a good reason and would spoil what is known of the others.
    if (verdict !== 'black' && verdict !== 'blank') next.sizes = learnSize(seen.sizes, bytes.length);
    return { verdict, evidence, memory: next, digest, thumbnail: statistics.thumbnail, grey: image };
  }
}

/** Verdicts of pictures that show a scene, as far as is known. */
const SCENES: ReadonlySet<Verdict> = new Set<Verdict>(['good', 'duplicate', 'frozen', 'low_byte_size']);

/** A picture that stands still may be a card: the coordinator sees whether other cameras show the same. */
const cardEvidence = ({ hash }: CleanMemory): Evidence =>
  hash !== undefined && hasStructure(hash) ? { picture: hash } : {};

const OF_ONE_SIZE = ['sizes', 'tiles', 'clock', 'step', 'detail'] as const;

/** What was learned of pictures of another size says nothing of these. */
function forSize(memory: CleanMemory, { width, height }: Image): CleanMemory {
  return { ...without(memory, OF_ONE_SIZE), width, height };
}

/** The validators of this answer and no others: those of earlier bytes would make the camera confirm what we no longer hold. */
function withValidators(memory: CleanMemory, { etag, lastModified: date }: EncodedFrame): CleanMemory {
  const lastModified = memory.datesLie ? undefined : date;
  if (memory.etag === etag && memory.lastModified === lastModified) return memory;
  const next = without(memory, ['etag', 'lastModified']);
  if (etag !== undefined) next.etag = etag;
  if (lastModified !== undefined) next.lastModified = lastModified;
  return next;
}
