import type { Batch } from '../../common/protocol/rest.ts';
import type { Queryable } from '../platform/database/queries.ts';
import { countFragment } from './fold.ts';
import type { Counted } from './fold.ts';
import type { Reported } from './memory-text.ts';
import { countedAt, stretchesOf } from './window.ts';
import type { GrantWindow, OpenStretch, WindowService } from './window.ts';

/** A batch that was parsed, with its sender and the digest of its bytes. */
export interface Submission {
  agentId: string;
  sessionId: string;
  seq: number;
  digest: string;
  batch: Omit<Batch, 'fragments'> & { fragments: Reported[] };
}

export interface Fate {
  refused?: string;
  counted: Counted;
}
/** A batch with what becomes of each of its fragments. */
export interface Judged {
  submission: Submission;
  fates: Fate[];
}
export interface Windows {
  grants: ReadonlyMap<number, GrantWindow>;
  memberships: ReadonlyMap<string, readonly OpenStretch[]>;
  arrivedAt: number;
}

export async function readWindows(
  tx: Queryable,
  fresh: readonly Submission[],
  window: WindowService,
): Promise<Windows> {
  const fragments = fresh.flatMap(({ batch }) => batch.fragments);
  const tokens = [...new Set(fragments.map(({ token }) => token))];
  const { arrivedAt, windows: grants } = await window.lockWindows(tx, tokens);
  const pairs = new Map<string, { cameraId: number; shardId: number }>();
  for (const { cameraId, token } of fragments) {
    const grant = grants.get(token);
    if (grant) pairs.set(pairKey(cameraId, grant), { cameraId, shardId: grant.shardId });
  }
  return { grants, memberships: await window.membershipsOf(tx, [...pairs.values()]), arrivedAt };
}

const pairKey = (cameraId: number, { shardId }: GrantWindow): string => `${cameraId}/${shardId}`;

export function judge(submission: Submission, windows: Windows): Judged {
  const { clockErrorMs, fragments } = submission.batch;
  const clock = { clockErrorMs, arrivedAt: windows.arrivedAt };
  const fates = fragments.map((fragment): Fate => {
    const grant = windows.grants.get(fragment.token);
    const refused = whyRefused(grant, submission);
    if (!grant || refused) return { refused: refused as string, counted: countFragment(fragment, () => undefined) };
    const stretches = stretchesOf(grant, windows.memberships.get(pairKey(fragment.cameraId, grant)) ?? []);
    return { counted: countFragment(fragment, (at) => countedAt(at, stretches, clock)) };
  });
  return { submission, fates };
}

function whyRefused(grant: GrantWindow | undefined, { agentId, sessionId }: Submission): string | undefined {
  if (!grant) return 'no grant has this token';
  if (grant.agentId !== agentId) return 'the token belongs to another agent';
  if (grant.sessionId !== sessionId) return 'the token belongs to another session';
  return undefined;
}
