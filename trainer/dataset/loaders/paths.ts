import { stat } from 'node:fs/promises';
import { isAbsolute, normalize } from 'node:path';
import { z } from 'zod';

export async function fileExists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

/** A path that stays inside the dataset's folder: a shared manifest must not reach other files of whoever trains on it. */
export const insideFolder = z
  .string()
  .min(1)
  .refine((path) => !isAbsolute(path) && normalize(path).split(/[\\/]/)[0] !== '..', 'must lie inside the folder');
