import { randomBytes } from 'node:crypto';
import { OUTCOME } from '../../../common/domain/fragment.ts';
import type { CameraMemory, Fragment, Scores } from '../../../common/domain/fragment.ts';
import { sha256 } from '../../../common/storage/digest.ts';

/** A label that most cameras show now and then, and one that they nearly never show. */
export const LABELS = ['street', 'highway'] as const;
const RARE_LABEL = 'bridge';
export const MODEL_VERSION = 'b'.repeat(64);

/** Per attempt. Most scenes stay what they are: a fleet writes into spans that are open, most of the time. */
const CHANGES_LABEL = 0.02;
const SHOWS_SOMETHING_RARE = 0.001;
const FAILS = 0.01;
/** Of a snapshot of 352x288, which is uploaded where the coordinator wants to keep it. */
const PICTURE_BYTES = 12_000;
/** Grey, 32x24. */
const THUMBNAIL_BYTES = 768;

interface Life {
  sequence: number;
  label: string;
  memory: CameraMemory;
}

/** What a camera's attempts come to, as large and as varied as the reports of an agent with a classifier. */
export class CameraLives {
  readonly #lives = new Map<number, Life>();

  /** The fragment of one attempt, and the picture where it is one that the coordinator will ask for. */
  attempt(cameraId: number, token: number, at: number): { fragment: Fragment; picture?: Buffer } {
    const life = this.#lives.get(cameraId) ?? begin(cameraId, at);
    this.#lives.set(cameraId, life);
    life.memory.lastAttemptAt = at;
    const common = { cameraId, token, firstSequence: life.sequence++, at: [at], memory: life.memory };
    if (Math.random() < FAILS) return { fragment: { ...common, ...FAILED } };
    const isRare = Math.random() < SHOWS_SOMETHING_RARE;
    if (Math.random() < CHANGES_LABEL) life.label = LABELS.find((label) => label !== life.label) as string;
    const label = isRare ? RARE_LABEL : life.label;
    const picture = isRare ? randomBytes(PICTURE_BYTES) : undefined;
    const frameDigest = picture ? sha256(picture) : randomBytes(32).toString('hex');
    life.memory.clean = { ...life.memory.clean, digest: frameDigest, seenAt: at };
    const fragment: Fragment = {
      ...common,
      ...{ verdict: 'good', label, modelVersion: MODEL_VERSION, scores: scoresOf(label), frameDigest },
      outcomes: [OUTCOME.frame | OUTCOME.classified],
      bytes: PICTURE_BYTES,
      latencyMs: 83.4,
      evidence: { mean: 118.2, deviation: 47.9 },
      ...{ width: 352, height: 288 },
    };
    return picture ? { fragment, picture } : { fragment };
  }
}

const FAILED = {
  verdict: 'timeout',
  label: null,
  modelVersion: null,
  outcomes: [0],
  bytes: 0,
  evidence: { code: 'SOURCE_TIMEOUT', timeoutMs: 10_000 },
  frameDigest: null,
  scores: null,
} satisfies Partial<Fragment>;

function begin(cameraId: number, at: number): Life {
  const label = LABELS[cameraId % LABELS.length] as string;
  const memory: CameraMemory = {
    lastAttemptAt: at,
    clean: {
      ...{ verdict: 'good', picture: randomBytes(16).toString('hex'), etag: `"${randomBytes(10).toString('hex')}"` },
      ...{ lastModified: new Date(at).toUTCString(), unchangedSince: at, repeats: 0, changes: 20, keepsMs: 60_000 },
      ...{ sizes: { mean: 9.39, variance: 0.012, count: 100 }, width: 352, height: 288 },
    },
    gate: {
      thumbnail: randomBytes(THUMBNAIL_BYTES).toString('base64'),
      classifiedAt: at,
      ...{ label, modelVersion: MODEL_VERSION, scores: scoresOf(label) },
    },
  };
  return { sequence: 0, label, memory };
}

function scoresOf(first: string): Scores {
  const top = [first, 'yard', 'mountain', 'airport', 'park'].map((label, rank) => ({
    label,
    score: Math.round((0.8 / 3 ** rank) * 1e5) / 1e5,
  }));
  return { fused: top, m0: top, m1: top };
}
