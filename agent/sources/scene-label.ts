import { MAX_SCENE_LABEL } from '../../common/domain/frame.ts';

/** Simulated cameras send the truth about their scene with each picture. */
export const SCENE_HEADER = 'x-scene-label';

/** Letters, digits, signs and spaces: nothing that could steer a terminal or a page. */
const VISIBLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;

/** The label in a header read as Latin-1, whose bytes are UTF-8; `undefined` where it is none, or longer than allowed. */
export function sceneLabelIn(value: string | undefined): string | undefined {
  if (value === undefined || value.length > 4 * MAX_SCENE_LABEL) return undefined;
  const text = Buffer.from(value, 'latin1').toString('utf8').trim();
  return text.length <= MAX_SCENE_LABEL && VISIBLE.test(text) && !text.includes('\ufffd') ? text : undefined;
}
