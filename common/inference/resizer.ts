import { InferenceSession, Tensor } from 'onnxruntime-node';
import { AppError } from '../runtime/errors.ts';
import type { RgbImage } from './decode.ts';

/** A resize graph (buildResize) in ONNX Runtime: how pictures of any size become network input, in trainer and agent alike. */
export class Resizer {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  /**
   * @param graph its bytes, or the path of a resize.onnx
   * @throws AppError `MODEL_UNLOADABLE` when ONNX Runtime refuses it
   */
  static async load(graph: Uint8Array | string, { threads }: { threads: number }): Promise<Resizer> {
    const options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
    try {
      return new Resizer(
        typeof graph === 'string'
          ? await InferenceSession.create(graph, options)
          : await InferenceSession.create(graph, options),
      );
    } catch (error) {
      throw new AppError('MODEL_UNLOADABLE', `ONNX Runtime cannot load the resize graph: ${String(error)}`, {
        cause: error,
      });
    }
  }

  /** @returns one picture of network input, in the layout that the graph was built for */
  async run({ data, width, height }: RgbImage): Promise<Float32Array> {
    const pixels = new Tensor('uint8', new Uint8Array(data.buffer, data.byteOffset, data.length), [height, width, 3]);
    const { input } = await this.#session.run({ pixels });
    return (input as Tensor).data as Float32Array;
  }

  /** Releases memory; the resizer must not be used afterwards. */
  close(): Promise<void> {
    return this.#session.release();
  }
}
