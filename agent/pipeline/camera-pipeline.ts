import { OUTCOME } from '../../common/domain/fragment.ts';
import type { CameraMemory, GateMemory, Scores } from '../../common/domain/fragment.ts';
import type { CapturedAt, EncodedFrame } from '../../common/domain/frame.ts';
import { VERDICTS } from '../../common/domain/verdict.ts';
import type { Judgement, Verdict } from '../../common/domain/verdict.ts';
import { codeOf } from '../../common/runtime/errors.ts';
import { decide } from '../classify/gate.ts';
import type { GateOptions } from '../classify/gate.ts';
import type { Cleaned, Cleaner } from '../clean/clean.ts';
import { validatorsOf } from '../clean/habits.ts';
import type { Attempt } from '../report/fragments.ts';
import { verdictOfSourceError } from '../sources/errors.ts';
import { PUT_OFF } from '../sources/manners.ts';
import type { FetchRequest } from '../sources/source.ts';
import type { CoordinatorClock } from './clocks.ts';
import type { PictureClassifier } from './contracts.ts';
import type { CameraStart, CameraStopped } from './messages.ts';
import type { Pace } from './pace.ts';

export interface Stages {
  cleaner: Cleaner;
  classifier: PictureClassifier;
  gate: GateOptions;
  clock: CoordinatorClock;
  session: string;
  /** Takes the attempt and, where it brought a new picture, its bytes. */
  report(attempt: Attempt, picture: Buffer | null): void;
  random(): number;
}

interface Received {
  sequence: number;
  frame: EncodedFrame;
  monotonic: number;
  skew: number;
  latencyMs: number | undefined;
}

interface Decision {
  label: string | null;
  modelVersion: string | null;
  scores: Scores | null;
  outcome: number;
}

const UNDECIDED: Decision = { label: null, modelVersion: null, scores: null, outcome: 0 };
/** Verdicts of pictures that show a scene: they have a label, their own or that of the frame they repeat. */
const SHOWS_SCENE: ReadonlySet<Verdict> = new Set<Verdict>(['good', 'duplicate', 'frozen']);

/**
 * One camera of this agent, from fetch to report. Attempts follow each other; each has a sequence number of its own and ends in
 * one verdict, except that an attempt under way when the camera is stopped ends in nothing.
 */
export class CameraPipeline {
  readonly camera: CameraStart;
  readonly pace: Pace;
  readonly #stages: Stages;
  readonly #stop = new AbortController();
  #clean: NonNullable<CameraMemory['clean']>;
  #gate: GateMemory | undefined;
  #lastAttemptAt: number | undefined;
  #sequence: number;
  #underWay: number | undefined;
  /** Of the last picture seen, for a repetition of it that is classified because the decision is too old. */
  #thumbnail: Uint8Array | undefined;
  /** Digest of the last picture whose bytes were handed on. */
  #handedOn: string | undefined;

  constructor(camera: CameraStart, pace: Pace, stages: Stages) {
    this.camera = camera;
    this.pace = pace;
    this.#stages = stages;
    this.#sequence = camera.sequence;
    this.#clean = camera.memory?.clean ?? {};
    this.#gate = camera.memory?.gate;
    this.#lastAttemptAt = camera.memory?.lastAttemptAt;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  stop(): CameraStopped {
    this.#stop.abort();
    const memory = this.#lastAttemptAt === undefined ? null : this.#memoryAt(this.#lastAttemptAt);
    return { cameraId: this.camera.assignment.cameraId, sequence: this.#sequence, memory };
  }

  /** One attempt of a camera that is asked. Never throws. */
  async attempt(fetch: (request: FetchRequest) => Promise<EncodedFrame>): Promise<void> {
    const sequence = this.#sequence++;
    const began = this.#stages.clock.monotonic();
    this.#underWay = sequence;
    try {
      const received = this.#stamp(sequence, await fetch(this.#request(sequence)), began);
      await this.#process(received);
    } catch (error) {
      this.#fail(sequence, began, error);
    } finally {
      this.#underWay = undefined;
    }
  }

  /** One picture that a stream brought of itself, which counts as one attempt. Never throws. */
  async receive(frame: EncodedFrame): Promise<void> {
    const sequence = this.#sequence++;
    try {
      await this.#process(this.#stamp(sequence, frame, undefined));
    } catch (error) {
      this.#fail(sequence, undefined, error);
    }
  }

  /** An attempt that brought nothing. */
  fail(error: unknown): void {
    this.#fail(this.#sequence++, undefined, error);
  }

  /** For requests that a stream opens: the number of the attempt that its next picture will be. */
  get nextAttemptId(): string {
    return this.#attemptId(this.#underWay ?? this.#sequence);
  }

  async #process(received: Received): Promise<void> {
    const cleaned = await this.#stages.cleaner.clean(received.frame, this.#clean);
    this.#report(received, cleaned, await this.#classify(received.frame, cleaned));
  }

  /** The clocks are read in the moment of arrival: a suspend while the classifier works must not move the instant. */
  #stamp(sequence: number, frame: EncodedFrame, began: number | undefined): Received {
    const { clock } = this.#stages;
    const monotonic = frame.fetchedAt - clock.offset;
    return {
      sequence,
      frame,
      monotonic,
      skew: Date.now() - clock.monotonic(),
      latencyMs: began === undefined ? undefined : Math.max(0, monotonic - began),
    };
  }

  /**
   * Not conditional where a 304 would leave nothing to classify although the decision has to be made anew, nor where it would
   * leave no picture to show what is wrong with a camera that came from elsewhere.
   */
  #request(sequence: number): FetchRequest {
    const request: FetchRequest = { attemptId: this.#attemptId(sequence), signal: this.#stop.signal };
    if (this.#decide(undefined, 1)?.action === 'classify') return request;
    const { verdict = 'good' } = this.#clean;
    if (this.#handedOn === undefined && verdict !== 'good' && VERDICTS[verdict].yieldsFrame) return request;
    return Object.assign(request, validatorsOf(this.#clean));
  }

  #attemptId(sequence: number): string {
    return `${this.#stages.session}/${this.camera.assignment.cameraId}/${sequence}`;
  }

  #decide(thumbnail: Uint8Array | undefined, random: number): ReturnType<typeof decide> | undefined {
    const { classifier, clock, gate } = this.#stages;
    const { modelVersion } = classifier;
    if (modelVersion === null) return undefined;
    const { cameraId } = this.camera.assignment;
    return decide({ cameraId, now: clock.now(), thumbnail, memory: this.#gate, modelVersion, random }, gate);
  }

  async #classify(frame: EncodedFrame, cleaned: Cleaned): Promise<Decision> {
    if (!SHOWS_SCENE.has(cleaned.verdict)) return UNDECIDED;
    const decision = this.#decide(cleaned.thumbnail, this.#stages.random());
    if (!decision) return UNDECIDED;
    if (cleaned.thumbnail) this.#thumbnail = Uint8Array.from(cleaned.thumbnail);
    if (decision.action === 'inherit' || !frame.bytes) return this.#inherited(OUTCOME.gated);
    const before = this.#gate?.label;
    const result = await this.#stages.classifier.classify(frame.bytes);
    const label = result?.scores.fused[0]?.label;
    if (!result || label === undefined) return this.#inherited(0);
    this.#gate = {
      thumbnail: this.#thumbnail ? Buffer.from(this.#thumbnail).toString('base64') : (this.#gate?.thumbnail ?? ''),
      classifiedAt: this.#stages.clock.now(),
      label,
      modelVersion: result.modelVersion,
      scores: result.scores,
    };
    const audit = decision.action === 'audit' ? OUTCOME.audited | (label === before ? 0 : OUTCOME.auditDiffers) : 0;
    return { label, modelVersion: result.modelVersion, scores: result.scores, outcome: OUTCOME.classified | audit };
  }

  #inherited(outcome: number): Decision {
    if (!this.#gate) return UNDECIDED;
    const { label, modelVersion, scores } = this.#gate;
    return { label, modelVersion, scores, outcome };
  }

  #report(received: Received, cleaned: Cleaned, decision: Decision): void {
    if (this.#stop.signal.aborted) return;
    const { frame } = received;
    this.#clean = cleaned.memory;
    const yieldsFrame = VERDICTS[cleaned.verdict].yieldsFrame;
    const at = received.monotonic + this.#stages.clock.offset;
    const repeats = frame.notModified || cleaned.evidence['repeats'] !== undefined || cleaned.verdict === 'frozen';
    const stampedAt = frame.capturedAt?.origin === 'header' ? frame.capturedAt.at : undefined;
    this.pace.answered(at, yieldsFrame ? { isNew: !repeats, stampedAt } : undefined);
    // Written out, here and below: spreads of objects were a twelfth of what an unchanged frame costs.
    const { cameraId } = this.camera.assignment;
    const { sequence, monotonic, skew } = received;
    const attempt: Attempt = {
      cameraId,
      token: this.camera.token,
      sequence,
      monotonic,
      skew,
      memory: this.#remember(monotonic),
      // A repeated picture has the key of the picture that it repeats; `unchanged` tells them apart.
      verdict: cleaned.verdict === 'duplicate' ? 'good' : cleaned.verdict,
      evidence: cleaned.evidence,
      label: decision.label,
      modelVersion: decision.modelVersion,
      scores: decision.scores,
      outcome: decision.outcome | (yieldsFrame ? OUTCOME.frame : 0) | (repeats ? OUTCOME.unchanged : 0),
      bytes: frame.transferBytes,
      frameDigest: yieldsFrame ? (cleaned.digest ?? null) : null,
    };
    if (frame.serial !== undefined) attempt.serial = frame.serial;
    if (received.latencyMs !== undefined) attempt.latencyMs = received.latencyMs;
    if (frame.capturedAt) attempt.capturedAt = believed(frame.capturedAt, frame, cleaned);
    if (yieldsFrame) describePicture(attempt, frame, cleaned);
    this.#stages.report(attempt, this.#picture(attempt.frameDigest, frame));
  }

  /** The bytes of a picture that was not handed on yet: a repetition of it may be the first that is seen here. */
  #picture(digest: string | null, { bytes }: EncodedFrame): Buffer | null {
    if (digest === null || !bytes || digest === this.#handedOn) return null;
    this.#handedOn = digest;
    return bytes;
  }

  #fail(sequence: number, began: number | undefined, error: unknown): void {
    // What was put off was not tried: its number is left out.
    if (this.#stop.signal.aborted || codeOf(error) === PUT_OFF) return;
    const monotonic = this.#stages.clock.monotonic();
    this.pace.failed(monotonic + this.#stages.clock.offset);
    const judgement = judge(error);
    const latencyMs = began === undefined ? undefined : monotonic - began;
    this.#stages.report(
      {
        cameraId: this.camera.assignment.cameraId,
        token: this.camera.token,
        sequence,
        monotonic,
        skew: Date.now() - monotonic,
        memory: this.#remember(monotonic),
        ...judgement,
        label: null,
        modelVersion: null,
        scores: null,
        outcome: 0,
        bytes: 0,
        frameDigest: null,
        ...(latencyMs !== undefined && { latencyMs }),
      },
      null,
    );
  }

  /** What this attempt leaves behind. */
  #remember(monotonic: number): CameraMemory {
    this.#lastAttemptAt = Math.round(monotonic + this.#stages.clock.offset);
    return this.#memoryAt(this.#lastAttemptAt);
  }

  #memoryAt(lastAttemptAt: number): CameraMemory {
    const memory: CameraMemory = { lastAttemptAt, clean: this.#clean, pace: this.pace.memory(lastAttemptAt) };
    if (this.#gate) memory.gate = this.#gate;
    return memory;
  }
}

function describePicture(attempt: Attempt, { sceneLabel }: EncodedFrame, { memory }: Cleaned): void {
  if (sceneLabel !== undefined) attempt.sceneLabel = sceneLabel;
  if (memory.width !== undefined) attempt.width = memory.width;
  if (memory.height !== undefined) attempt.height = memory.height;
}

/** A header that was caught standing still dates nothing. */
const believed = (capturedAt: CapturedAt, { fetchedAt }: EncodedFrame, { memory }: Cleaned): CapturedAt =>
  memory.datesLie && capturedAt.origin === 'header' ? { at: fetchedAt, origin: 'fetch' } : capturedAt;

/** An abort that is not ours is a fault like any other. */
function judge(error: unknown): Judgement {
  try {
    return verdictOfSourceError(error);
  } catch {
    return { verdict: 'failed', evidence: { code: 'ABORTED' } };
  }
}
