import { OUTCOME } from '../../common/domain/fragment.ts';
import { VERDICTS } from '../../common/domain/verdict.ts';
import type { Counted } from './fold.ts';
import type { Judged } from './judge.ts';
import type { CameraNews } from './state-repository.ts';

/** What the batches tell of how each camera is now. */
export function newsOf(judged: readonly Judged[]): CameraNews[] {
  const news = new Map<number, CameraNews>();
  for (const { submission, fates } of judged) {
    for (const { counted } of fates) {
      const lastAttemptAt = counted.at.at(-1);
      if (lastAttemptAt === undefined) continue;
      const earlier = news.get(counted.fragment.cameraId);
      if (earlier && earlier.lastAttemptAt > lastAttemptAt) continue;
      news.set(counted.fragment.cameraId, newsFrom(counted, submission.agentId, earlier));
    }
  }
  return [...news.values()];
}

function newsFrom({ fragment, at, outcomes, frameDigest }: Counted, agentId: string, earlier?: CameraNews): CameraNews {
  const { verdict, label } = fragment;
  const lastFrame = outcomes.findLastIndex((outcome) => (outcome & OUTCOME.frame) !== 0);
  const good = VERDICTS[verdict].healthy ? at[lastFrame] : undefined;
  return {
    cameraId: fragment.cameraId,
    verdict,
    label,
    agentId,
    token: fragment.token,
    evidence: fragment.evidence,
    score: fragment.scores?.fused[0]?.score ?? null,
    modelVersion: fragment.modelVersion,
    since: earlier?.verdict === verdict && earlier.label === label ? earlier.since : (at[0] as number),
    lastAttemptAt: at.at(-1) as number,
    lastGoodAt: good ?? earlier?.lastGoodAt ?? null,
    frameDigest: frameDigest ?? earlier?.frameDigest ?? null,
    width: fragment.width ?? earlier?.width ?? null,
    height: fragment.height ?? earlier?.height ?? null,
    latencyMs: fragment.latencyMs ?? null,
    memory: typeof fragment.memory === 'string' ? fragment.memory : JSON.stringify(fragment.memory),
  };
}
