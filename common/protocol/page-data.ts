import type { CameraState } from '../domain/health.ts';
import type { Verdict } from '../domain/verdict.ts';

/** What changes in a camera's row; the rest of the row comes with the list. */
export interface CameraRow {
  id: number;
  verdict: Verdict | null;
  /** Its health, and since when. */
  state: CameraState;
  stateSince: number | null;
  label: string | null;
  score: number | null;
  /** Since when verdict and label are what they are. */
  since: number | null;
  lastAttemptAt: number | null;
  lastGoodAt: number | null;
  /** Newest picture that was kept, and when it was fetched. */
  frameDigest: string | null;
  frameAt: number | null;
  agent: string | null;
  evidence: Record<string, number | string | boolean>;
}
