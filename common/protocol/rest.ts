import { z } from 'zod';
import { fragmentSchema, keepReasons } from '../domain/fragment.ts';

/**
 * The HTTP side of an agent, under /api/v1/agent. All but `nonce` and `join` carry `Authorization: Bearer <sessionKey>`.
 *
 *   POST /join                     an invitation becomes an identity
 *   GET  /nonce                    for the next handshake
 *   POST /batches                  a batch of fragments → receipt
 *   PUT  /frames/:digest           a picture to keep (body: the bytes as fetched)
 *   PUT  /latest/:cameraId         newest picture of a camera that somebody watches
 *   GET  /models/:version/manifest the signed manifest, and GET /models/:version/files/:name its parts
 */
export const joinSchema = z.object({
  invitation: z.string().min(16).max(200),
  name: z.string().trim().min(1).max(100),
  /** Ed25519, SPKI PEM. */
  publicKey: z.string().max(500),
});
export type Join = z.infer<typeof joinSchema>;
export const joinedSchema = z.object({
  agentId: z.uuid(),
  /** Signs model manifests; SPKI PEM. */
  coordinatorKey: z.string(),
});
export type Joined = z.infer<typeof joinedSchema>;

/** SHA-256 of the request's body, hex; sender and receiver must agree on it. */
export const DIGEST_HEADER = 'x-camfleet-digest';

/** Immutable; named by (session, seq). The bytes that were written to the outbox are the bytes that are sent. */
export const batchSchema = z.object({
  session: z.uuid(),
  /** 1, 2, 3 … without a gap. */
  seq: z.number().int().positive(),
  /** Half the round trip of the anchor that dated these attempts, ms. */
  clockErrorMs: z.number().nonnegative(),
  fragments: z.array(fragmentSchema).max(20_000),
});
export type Batch = z.infer<typeof batchSchema>;

/** `counted`: at least one attempt counts. `outside`: none lies inside the window. `refused`: the token is not the sender's. */
export const fragmentFateSchema = z.object({
  fate: z.enum(['counted', 'outside', 'refused']),
  counted: z.number().int().nonnegative(),
  reason: z.string().optional(),
});

export const receiptSchema = z.object({
  session: z.uuid(),
  seq: z.number().int(),
  digest: z.string(),
  fragments: z.array(fragmentFateSchema),
  /** How long to collect before the next batch. */
  reportMs: z.number().int().positive(),
  /** Of the pictures named in the batch's fragments, those that the coordinator wants to keep and does not have. */
  wanted: z.array(z.object({ cameraId: z.number().int(), digest: z.string(), reason: z.enum(keepReasons) })),
});
export type Receipt = z.infer<typeof receiptSchema>;

/** Body of every error: RFC 9457 reduced to what people and programs use. */
export const errorBodySchema = z.object({ code: z.string(), message: z.string(), details: z.unknown().optional() });
