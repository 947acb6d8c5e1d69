import { afterAll, beforeAll, describe } from 'vitest';
import type { TrainEngine, TrainSession } from '../../trainer/engine/engine.ts';
import type { Bench } from './engine-conformance/bench.ts';
import { gradientTests } from './engine-conformance/gradients.ts';
import { parityTests } from './engine-conformance/parity.ts';
import { sessionTests } from './engine-conformance/session.ts';
import { updateTests } from './engine-conformance/update.ts';

export interface ConformanceOptions {
  /** Largest error of a gradient, relative to the largest gradient of the network. Default 1e-5, for float32. */
  tolerance?: number;
  /** Equal starts give equal bits. Default true; `false` compares within the tolerance. */
  bitwise?: boolean;
}

/**
 * What every training engine must do, as one suite: call it in the engine's test file.
 *
 * @param name of the engine, for the titles
 * @param openEngine called once, before the tests
 */
export function engineConformance(
  name: string,
  openEngine: () => TrainEngine | Promise<TrainEngine>,
  { tolerance = 1e-5, bitwise = true }: ConformanceOptions = {},
): void {
  describe(`${name} as a training engine`, () => {
    let engine: TrainEngine;
    const sessions: TrainSession[] = [];
    beforeAll(async () => {
      engine = await openEngine();
    });
    afterAll(async () => {
      for (const session of sessions) await session.close();
    });

    const bench: Bench = {
      engine: () => engine,
      open: async (network, parameters, { frozen = [], threads = 1 } = {}) => {
        const session = await engine.open(network, { parameters, frozen, threads });
        sessions.push(session);
        return session;
      },
      tolerance,
      bitwise,
    };
    gradientTests(bench);
    parityTests(bench);
    updateTests(bench);
    sessionTests(bench);
  });
}
