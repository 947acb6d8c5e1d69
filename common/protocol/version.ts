import { z } from 'zod';

/** Protocol numbers that this build speaks. A change that an older peer would misread takes a new number. */
export const PROTOCOL = { min: 1, max: 1 } as const;

export const protocolRangeSchema = z.object({ min: z.number().int(), max: z.number().int() });
export type ProtocolRange = z.infer<typeof protocolRangeSchema>;

/** The highest number both sides speak, `undefined` where there is none. */
export function agreeOnProtocol(ours: ProtocolRange, theirs: ProtocolRange): number | undefined {
  const highest = Math.min(ours.max, theirs.max);
  return highest >= Math.max(ours.min, theirs.min) ? highest : undefined;
}
