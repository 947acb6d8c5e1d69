import { z } from 'zod';
import { AppError } from '../common/runtime/errors.ts';
import { filterQuerySchema, toFilter } from './registry/query.ts';
import type { Registry } from './registry/registry.ts';

const PAGE = 1_000;

/** Ids of the cameras that conditions as those of `GET /cameras` find. Rejects with `CAMERA_QUERY`. */
export async function camerasMatching(registry: Registry, query: Record<string, string>): Promise<number[]> {
  const filter = parse(query);
  const ids: number[] = [];
  for (let after: number | null = 0; after !== null;) {
    const page = await registry.list(filter, { after, limit: PAGE });
    for (const { id } of page.cameras) ids.push(id);
    after = page.next;
  }
  return ids;
}

function parse(query: Record<string, string>): ReturnType<typeof toFilter> {
  try {
    return toFilter(filterQuerySchema.strict().parse(query));
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const reasons = error.issues.map(({ path, message }) => `${path.join('.') || 'query'}: ${message}`);
    throw new AppError('CAMERA_QUERY', `The conditions on cameras are not as expected: ${reasons.join('; ')}.`);
  }
}
