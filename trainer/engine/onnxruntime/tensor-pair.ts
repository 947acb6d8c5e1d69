import { Tensor } from 'onnxruntime-node';
import type { TensorValue } from '../network.ts';

/**
 * A value that every step replaces: the step reads `current` and writes `spare`, then they change places. ONNX Runtime works
 * in this memory itself, so that nothing is copied or allocated from step to step.
 */
export class TensorPair {
  current: Tensor;
  spare: Tensor;

  constructor(dims: readonly number[], data: Float32Array) {
    this.current = new Tensor('float32', data.slice(), [...dims]);
    this.spare = new Tensor('float32', new Float32Array(data.length), [...dims]);
  }

  swap(): void {
    [this.current, this.spare] = [this.spare, this.current];
  }

  /** The current value, valid until the next step. */
  value(): TensorValue {
    return { dims: this.current.dims, data: this.current.data as Float32Array };
  }
}
