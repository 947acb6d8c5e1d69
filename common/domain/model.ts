import { z } from 'zod';

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** Parts of a model artifact; `head-m1.onnx` is absent where there is one head. */
export const modelFiles = ['resize.onnx', 'trunk.onnx', 'head-m0.onnx', 'head-m1.onnx'] as const;
export type ModelFile = (typeof modelFiles)[number];

const fileSchema = z.object({ digest, bytes: z.number().int().positive() });

/**
 * `manifest.json` of a model artifact. Its SHA-256 is the model's version; beside it stands `manifest.sig`, an Ed25519
 * signature over the same bytes. Everything else is named by digest, so the signature covers all.
 */
export const modelManifestSchema = z.object({
  format: z.literal(1),
  name: z.string().min(1).max(200),
  createdAt: z.iso.datetime(),
  /** Class names in the order of the scores; the order decides every tie. */
  labels: z.array(z.string().min(1).max(200)).min(2).max(100_000),
  /** What resize.onnx makes of a picture and the trunk takes. */
  input: z.object({
    width: z.number().int().positive().max(2048),
    height: z.number().int().positive().max(2048),
    layout: z.enum(['nchw', 'nhwc']),
    /** value · scale + offset, with value in 0…255. */
    scale: z.number(),
    offset: z.number(),
  }),
  /** Names of the trunk's tensors that are used; the trunk may have more. */
  trunk: z.object({ input: z.string().min(1), output: z.string().min(1) }),
  files: z.object({
    'resize.onnx': fileSchema,
    'trunk.onnx': fileSchema,
    'head-m0.onnx': fileSchema,
    'head-m1.onnx': fileSchema.optional(),
  }),
  /** Eq. 3: R_j per label and T_r; only with two heads. `mean` where no T_r was good enough: the heads' plain mean decides. */
  fusion: z
    .object({
      rule: z.enum(['eq3', 'mean']).optional(),
      ratios: z.array(z.number().nonnegative()),
      threshold: z.number().nonnegative(),
    })
    .optional(),
  metrics: z.record(z.string(), z.number()).optional(),
  /** Where the weights come from, in words. */
  origin: z.string().max(1000),
  /** Pictures with the scores that a right installation gives, within `tolerance` (absolute, per score). */
  golden: z
    .array(z.object({ jpeg: z.base64(), m0: z.array(z.number()), m1: z.array(z.number()).optional() }))
    .min(1)
    .max(16),
  tolerance: z.number().positive().max(0.1),
});
export type ModelManifest = z.infer<typeof modelManifestSchema>;

/** Index of the largest score; the first of equal ones. */
export function argMax(scores: ArrayLike<number>): number {
  let best = 0;
  for (let j = 1; j < scores.length; j++) if ((scores[j] as number) > (scores[best] as number)) best = j;
  return best;
}

/**
 * Eq. 3 of Pouyanfar et al. (MIPR 2018). Both winners frequent (P/N ratio above T_r): M0 decides; both rare: M1 decides; else
 * the head with the larger winning score, M0 where they are equal. Equality with T_r counts as "else".
 *
 * @param m0 probabilities of head M0, one a label
 * @param m1 probabilities of head M1, one a label
 * @returns which head decides
 */
export function decidingHead(
  m0: ArrayLike<number>,
  m1: ArrayLike<number>,
  fusion: { ratios: readonly number[]; threshold: number },
): 'm0' | 'm1' {
  const j0 = argMax(m0);
  const j1 = argMax(m1);
  const r0 = fusion.ratios[j0] as number;
  const r1 = fusion.ratios[j1] as number;
  if (r0 > fusion.threshold && r1 > fusion.threshold) return 'm0';
  if (r0 < fusion.threshold && r1 < fusion.threshold) return 'm1';
  return (m1[j1] as number) > (m0[j0] as number) ? 'm1' : 'm0';
}

/** The probabilities by which a model decides: those of the deciding head, the heads' mean, or the only head's. */
export function fusedScores(
  { m0, m1 }: { m0: Float32Array; m1?: Float32Array },
  fusion: ModelManifest['fusion'],
): Float32Array {
  if (!m1 || !fusion) return m0;
  if (fusion.rule === 'mean') return m0.map((score, j) => (score + (m1[j] as number)) / 2);
  return decidingHead(m0, m1, fusion) === 'm1' ? m1 : m0;
}
