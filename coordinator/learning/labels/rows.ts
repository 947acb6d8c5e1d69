import { AppError, messageOf } from '../../../common/runtime/errors.ts';
import { DIGEST_PATTERN } from '../../../common/storage/digest.ts';
import { instantOf } from './local-time.ts';

export const MOST_LABEL = 100;

/** One row of a file of labels: the frame by its digest, or by camera and time. */
export type LabelRow = { label: string } & ({ digest: string } | { camera: string; at: number });

/** The name of a class as it is kept. Throws `LABEL_INVALID`. */
export function labelOf(text: string): string {
  // Exports put an apostrophe before what a spreadsheet would run as a formula.
  const label = text
    .normalize('NFC')
    .trim()
    .replaceAll(/\s+/g, ' ')
    .replace(/^'(?=[=+\-@|%])/, '');
  if (label === '') throw new AppError('LABEL_INVALID', 'the label is empty');
  if (label.length > MOST_LABEL)
    throw new AppError('LABEL_INVALID', `the label is longer than ${MOST_LABEL} characters`);
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u.test(label)) {
    throw new AppError('LABEL_INVALID', 'the label has characters that cannot be seen');
  }
  return label;
}

/** Throws `LABEL_INVALID` or `LABEL_TIME_INVALID` with what is wrong. */
export function labelRowOf(value: Record<string, unknown>, timeZone: string | undefined): LabelRow {
  const field = (name: string): string | undefined => {
    const found = Object.entries(value).find(([key]) => key.trim().toLowerCase() === name)?.[1];
    return typeof found === 'string' || typeof found === 'number' ? String(found).trim() : undefined;
  };
  const label = labelOf(field('label') ?? '');
  const [digest, camera, time] = [field('digest')?.toLowerCase(), field('camera'), field('time')];
  if (digest !== undefined && digest !== '') {
    if (!DIGEST_PATTERN.test(digest)) throw new AppError('LABEL_INVALID', 'the digest is not 64 hex digits');
    return { label, digest };
  }
  if (!camera || !time) {
    throw new AppError('LABEL_INVALID', 'expected the columns digest and label, or camera, time and label');
  }
  return { label, camera, at: instantOf(time, timeZone) };
}

/** The row, or why there is none. */
export function readLabelRow(value: Record<string, unknown>, timeZone: string | undefined): LabelRow | string {
  try {
    return labelRowOf(value, timeZone);
  } catch (error) {
    if (error instanceof AppError) return messageOf(error);
    throw error;
  }
}
