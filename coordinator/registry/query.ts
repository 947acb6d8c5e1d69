import { z } from 'zod';
import { AppError } from '../../common/runtime/errors.ts';
import { cameraFilterSchema } from './search.ts';
import type { CameraFilter } from './search.ts';

const numbers = (count: number, example: string) =>
  z
    .string()
    .transform((text) => text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part))))
    .refine((list) => list.length === count && list.every(Number.isFinite), `must be ${count} numbers like ${example}`);

/** The filter as a query string says it. */
export const filterQuerySchema = cameraFilterSchema.omit({ box: true, near: true, ids: true }).extend({
  /** west,south,east,north in degrees; west greater than east goes across the date line. */
  box: numbers(4, '-180,-90,180,90').optional(),
  /** latitude,longitude in degrees; with `km`. */
  near: numbers(2, '51.5,-0.1').optional(),
  km: z.coerce.number().positive().max(20_038).optional(),
  ids: z
    .string()
    .regex(/^\d{1,9}(,\d{1,9})*$/, 'must be ids like 1,2,3')
    .transform((text) => text.split(',').map(Number))
    .optional(),
});

/** Conditions that only make sense together are checked here; the ranges of numbers by the filter's own schema. */
export const toFilter = (query: z.output<typeof filterQuerySchema>): CameraFilter => {
  const { box, near, km, ...rest } = query;
  return cameraFilterSchema.parse({
    ...rest,
    ...(box && { box: { west: box[0], south: box[1], east: box[2], north: box[3] } }),
    ...(near && { near: { latitude: near[0], longitude: near[1], km: km ?? 10 } }),
  });
};

/** The same for routes. Throws `CAMERA_QUERY`. */
export function filterOf(query: z.output<typeof filterQuerySchema>): CameraFilter {
  try {
    return toFilter(query);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const reasons = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new AppError('CAMERA_QUERY', `The query is not as expected: ${reasons.join('; ')}.`);
  }
}

/** Whether it narrows at all: a change of every camera must be asked for by name. */
export const isNarrow = (filter: CameraFilter): boolean => Object.values(filter).some((value) => value !== undefined);
