import { useEffect, useState } from 'react';
import type { TrainingRun, TrainingRunSummary } from '../../../common/protocol/training.ts';
import { getJson } from './access.ts';

const ASK_EVERY_MS = 2_000;

export interface TrainingView {
  /** The newest run; `null` where there was none, `undefined` before the first answer. */
  newest: TrainingRunSummary | null | undefined;
  /** The newest one that made a model, with its report. */
  trained: TrainingRun | null;
}

/** The newest runs, asked for again and again; a report is fetched once. */
export function useTraining(): TrainingView {
  const [view, setView] = useState<TrainingView>({ newest: undefined, trained: null });
  useEffect(() => {
    const abort = new AbortController();
    let trained: TrainingRun | null = null;
    const ask = async (): Promise<void> => {
      const { runs } = await getJson<{ runs: TrainingRunSummary[] }>('/api/v1/training/runs?limit=20', abort.signal);
      const last = runs.find(({ state }) => state === 'succeeded');
      if (last && last.id !== trained?.id) {
        trained = await getJson<TrainingRun>(`/api/v1/training/runs/${last.id}`, abort.signal);
      }
      setView({ newest: runs[0] ?? null, trained });
    };
    // A coordinator that is away is asked again; what was seen stays.
    const repeat = () => void ask().catch(() => undefined);
    repeat();
    const timer = setInterval(repeat, ASK_EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, []);
  return view;
}
