import { env } from 'onnxruntime-node';
import type { OpenOptions, TrainEngine, TrainSession } from '../engine.ts';
import type { Network } from '../network.ts';
import { OrtSession } from './session.ts';

/** Trains with ONNX Runtime on the CPU: npm alone, and equal bits from equal seeds and threads. */
export class OrtEngine implements TrainEngine {
  readonly name = 'onnxruntime';

  describe(): string {
    return `onnxruntime-node ${env.versions.node ?? env.versions.common} on CPU`;
  }

  open(network: Network, options: OpenOptions): Promise<TrainSession> {
    return OrtSession.open(network, options);
  }
}
