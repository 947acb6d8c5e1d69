import { InferenceSession } from 'onnxruntime-node';
import type { ModelManifest } from '../domain/model.ts';
import { AppError, messageOf } from '../runtime/errors.ts';
import { readOnnxMetadata } from './onnx-format.ts';

/** The input of a network that takes pictures. */
export interface PictureInput extends Pick<ModelManifest['input'], 'width' | 'height' | 'layout'> {
  name: string;
}

/** Side in px where a network takes pictures of any size. */
const USUAL_SIDE = 224;

/** @throws AppError `MODEL_INVALID` */
export async function openNetwork(model: string | Uint8Array): Promise<InferenceSession> {
  const settings = { intraOpNumThreads: 1 };
  return (
    typeof model === 'string' ? InferenceSession.create(model, settings) : InferenceSession.create(model, settings)
  ).catch((error: unknown) => {
    throw new AppError('MODEL_INVALID', `This is no ONNX model that ONNX Runtime can load: ${messageOf(error)}`, {
      cause: error,
    });
  });
}

/** @throws AppError `MODEL_INVALID` where there is not exactly one picture input */
export function pictureInputOf(session: InferenceSession): PictureInput {
  const inputs = session.inputMetadata.filter((meta) => meta.isTensor);
  const picture = inputs[0];
  if (!picture?.isTensor || inputs.length !== 1 || picture.type !== 'float32' || picture.shape.length !== 4) {
    throw new AppError(
      'MODEL_INVALID',
      'A classifier must have exactly one input, float32 of rank 4 ([N, 3, h, w] or [N, h, w, 3]).',
    );
  }
  const [, b, c, d] = picture.shape;
  const layout = b === 3 ? 'nchw' : d === 3 ? 'nhwc' : undefined;
  if (!layout) {
    throw new AppError(
      'MODEL_INVALID',
      `The input's shape [${picture.shape.join(', ')}] has no dimension of 3 colours.`,
    );
  }
  const [height, width] = (layout === 'nchw' ? [c, d] : [b, c]).map((value) =>
    typeof value === 'number' && value > 0 ? value : USUAL_SIDE,
  ) as [number, number];
  return { name: picture.name, width, height, layout };
}

/** The picture input of a network. @throws AppError `MODEL_INVALID` */
export async function inspectPictureInput(model: Uint8Array): Promise<PictureInput> {
  const session = await openNetwork(model);
  try {
    return pictureInputOf(session);
  } finally {
    await session.release();
  }
}

/** Preprocessing where neither the network nor its user says anything: x / 127.5 − 1. */
export const DEFAULT_SCALING = { scale: 1 / 127.5, offset: -1 };

/** Exporters leave `scale`/`offset`, or `mean`/`std` in units of 0…255, in the metadata. */
export function scalingOf(onnx: Uint8Array): { scale: number; offset: number } | undefined {
  const metadata = readOnnxMetadata(onnx);
  const number = (key: string): number | undefined => {
    const value = Number.parseFloat(metadata[key] ?? '');
    return Number.isFinite(value) ? value : undefined;
  };
  const [scale, offset, mean, std] = [number('scale'), number('offset'), number('mean'), number('std')];
  if (scale !== undefined) return { scale, offset: offset ?? 0 };
  if (mean !== undefined && std) return { scale: 1 / std, offset: -mean / std };
  return undefined;
}
