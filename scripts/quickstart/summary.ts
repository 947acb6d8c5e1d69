import { join } from 'node:path';
import type { FleetStatus } from '../../common/protocol/status.ts';
import type { Api } from '../machine/api.ts';
import { compare, inFarmWords, readFarmLog } from './witness.ts';
import type { HolderWindow } from './witness.ts';

/** The object that other programs read; see README, "What scripts may rely on". */
export interface Summary {
  cameras: number;
  agents: number;
  frames: number;
  verdicts: Record<string, number>;
  spans: number;
  classified: number;
  gated: number;
  /** Handed out by the farm and not counted, counted twice; `null` where the farm is not the witness. */
  lost: number | null;
  doubled: number | null;
  model: { version: string; macroF1: number | null; accuracy: number | null } | null;
  seconds: number;
}

export interface SummaryParts {
  agents: number;
  /** The farm's folder. */
  farm: string | undefined;
  stoppedAt: number;
  startedAt: number;
  say(text: string): void;
}

export async function summarize(api: Api, status: FleetStatus, parts: SummaryParts): Promise<Summary> {
  const { totals, cameras } = status;
  const witness = parts.farm === undefined ? undefined : await askWitness(api, parts.farm, parts.stoppedAt);
  for (const what of ['lost', 'doubled'] as const) {
    const ids = witness?.[what] ?? [];
    if (ids.length > 0) parts.say(`${what}: ${ids.slice(0, 20).join(', ')}`);
  }
  return {
    cameras: cameras.capturable,
    agents: parts.agents,
    frames: totals.frames,
    verdicts: totals.verdicts,
    spans: totals.spans,
    classified: totals.classified,
    gated: totals.gated,
    lost: witness?.lost.length ?? null,
    doubled: witness?.doubled.length ?? null,
    model: await modelInForce(api, status),
    seconds: Math.round((Date.now() - parts.startedAt) / 100) / 10,
  };
}

async function askWitness(api: Api, farm: string, stoppedAt: number): Promise<{ lost: string[]; doubled: string[] }> {
  const evidence = await readFarmLog(join(farm, 'requests.jsonl'), stoppedAt);
  const { ids, windows } = await api.get<{ ids: string[]; windows: HolderWindow[] }>('/counted-attempts');
  const { cameras } = await api.get<{ cameras: { id: number; sourceCameraId: string }[] }>('/cameras?limit=1000');
  const farmIdOf = new Map(cameras.map(({ id, sourceCameraId }) => [id, sourceCameraId]));
  return compare(evidence, inFarmWords(ids, evidence, farmIdOf), windows);
}

async function modelInForce(api: Api, { model }: FleetStatus): Promise<Summary['model']> {
  if (model === null) return null;
  const { metrics } = await api.get<{ metrics: Record<string, number> }>(`/models/${model.version}`);
  return { version: model.version, macroF1: metrics['macroF1'] ?? null, accuracy: metrics['accuracy'] ?? null };
}
