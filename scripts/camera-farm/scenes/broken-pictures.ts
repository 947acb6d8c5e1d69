import { hashOf, noiseAt } from '../random.ts';
import type { Picture } from '../picture.ts';
import { pictureOf } from '../picture.ts';
import type { Rgb } from './canvas.ts';
import { Canvas, scaled } from './canvas.ts';
import { encodeJpeg } from './jpeg.ts';
import { letter, letteringWidth } from './lettering.ts';

interface Size {
  width: number;
  height: number;
}

// A few of each, served in turn: a covered lens still gives noise, so no two successive pictures are equal.
const VARIANTS = 4;
const drawn = new Map<string, Picture>();

/** A lens in the dark: nothing but a trace of noise. */
export const blackPicture = (size: Size, turn: number): Picture => flat('black', size, turn % VARIANTS, [2, 2, 3], 4);

/** A picture of one grey: a whited-out or covered lens. */
export const blankPicture = (size: Size, turn: number): Picture =>
  flat('blank', size, turn % VARIANTS, [176, 178, 180], 3);

const CARDS: readonly Rgb[] = [[62, 70, 84], [84, 66, 60], [56, 82, 66], [78, 62, 88], [128, 132, 138]]; // prettier-ignore

/** What a provider shows in the place of cameras that are away: the same bytes for all cameras of a host. */
export function placeholderPicture({ width, height }: Size, host: string): Picture {
  const card = hashOf(host) % CARDS.length;
  return keep(`placeholder/${width}x${height}/${card}`, () => {
    const ground = CARDS[card] as Rgb;
    const canvas = new Canvas(width, height);
    canvas.band(0, 1, (_x, y, out) => void ([out[0], out[1], out[2]] = scaled(ground, 1.2 - y * 0.5)));
    canvas.ellipse(canvas.aspect / 2, 0.38, 0.13, 0.13, [120, 130, 146]);
    canvas.ellipse(canvas.aspect / 2, 0.38, 0.1, 0.1, ground);
    canvas.line([canvas.aspect / 2 - 0.13, 0.5], [canvas.aspect / 2 + 0.13, 0.26], 0.03, [206, 92, 84]);
    const pixel = Math.max(1, Math.round(height / 120));
    const text = 'CAMERA UNAVAILABLE';
    letter(canvas, text, (width - letteringWidth(text, pixel)) >> 1, Math.round(height * 0.68), pixel, [226, 230, 236]);
    return encodeJpeg(canvas.data, width, height, 82);
  });
}

function flat(name: string, { width, height }: Size, variant: number, colour: Rgb, noise: number): Picture {
  return keep(`${name}/${width}x${height}/${variant}`, () => {
    const data = new Uint8ClampedArray(width * height * 3);
    for (let i = 0; i < data.length; i++) data[i] = (colour[i % 3] as number) + noiseAt(i, variant) * noise;
    return encodeJpeg(data, width, height, 82);
  });
}

function keep(key: string, draw: () => Buffer): Picture {
  const known = drawn.get(key) ?? pictureOf(draw(), 'image/jpeg');
  drawn.set(key, known);
  return known;
}
