import { z } from 'zod';
import { modelManifestSchema } from '../../common/domain/model.ts';
import { sha256 } from '../../common/storage/digest.ts';
import type { Digest } from '../../common/storage/digest.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const dims = z.array(z.number().int().positive()).min(1);

/**
 * Everything that decides which features a picture gets. Its digest is the backbone's: two machines with the same digest give
 * the same features, and cached activations are kept under it.
 */
export const backboneIdentitySchema = z.object({
  kind: z.enum(['inception-v3', 'onnx']),
  /** Of the file that was imported. */
  weights: z.object({ sha256: digest, md5: z.string().regex(/^[0-9a-f]{32}$/), bytes: z.number().int().positive() }),
  /** The last tensor of the trunk: `mixed8`, or a tensor of the ONNX file. */
  cut: z.string().min(1),
  /** `frozen`: inference mode everywhere; `as-in-file`: whatever the ONNX file does. */
  batchNorm: z.enum(['frozen', 'as-in-file']),
  precision: z.enum(['fp32', 'int8']),
  decoder: z.string().min(1),
  input: modelManifestSchema.shape.input,
  trunk: modelManifestSchema.shape.trunk,
  /** Of one picture: [C, H, W], or [C] where the trunk pools. */
  featureDims: dims,
  files: z.object({ 'resize.onnx': digest, 'trunk.onnx': digest, 'top.f32': digest.optional() }),
  /** How an int8 trunk was made of an fp32 one. */
  quantised: z
    .object({ from: digest, images: z.number().int().positive(), imagesDigest: digest, method: z.string().min(1) })
    .optional(),
});
export type BackboneIdentity = z.infer<typeof backboneIdentitySchema>;

/** `backbone.json`. What stands outside `identity` may change without changing a feature. */
export const backboneManifestSchema = z.object({
  format: z.literal(1),
  name: z.string().min(1).max(200),
  createdAt: z.iso.datetime(),
  /** Name of the imported file, without its folder. */
  source: z.string().min(1),
  identity: backboneIdentitySchema,
  /** The arrays in top.f32, one after another. */
  top: z.array(z.object({ name: z.string().min(1), dims })),
  /** What every report that uses these weights must say. */
  warnings: z.array(z.string().min(1)),
});
export type BackboneManifest = z.infer<typeof backboneManifestSchema>;

/** The address of a backbone: SHA-256 of its identity, with the keys in the order of the schema. */
export const backboneDigest = (identity: BackboneIdentity): Digest =>
  sha256(JSON.stringify(backboneIdentitySchema.parse(identity)));
