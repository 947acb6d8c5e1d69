import type { Canvas, Rgb } from './canvas.ts';

/** Three columns, five rows; each digit of a glyph is one row, its bits the columns from the left. */
const GLYPHS: Record<string, string> = {
  '0': '75557', '1': '26227', '2': '71747', '3': '71717', '4': '55711', '5': '74717', '6': '74757', '7': '71122', '8': '75757', '9': '75717',
  A: '25755', B: '65656', C: '34443', D: '65556', E: '74647', F: '74644', G: '34553', H: '55755', I: '72227', J: '11152', K: '55655', L: '44447',
  M: '57755', N: '65555', O: '25552', P: '65644', Q: '25573', R: '65655', S: '34216', T: '72222', U: '55557', V: '55552', W: '55775', X: '55255',
  Y: '55222', Z: '71247', '-': '00700', ':': '02020', '.': '00002', ',': '00024', '/': '11244', ' ': '00000',
}; // prettier-ignore

/** Writes a line of capitals and digits with its upper left corner at a pixel; accents are dropped, unknown signs are gaps. */
export function letter(canvas: Canvas, text: string, left: number, top: number, pixel: number, colour: Rgb): void {
  const plain = text.normalize('NFD').replace(/\p{M}/gu, '').toUpperCase();
  [...plain].forEach((sign, index) => {
    const rows = GLYPHS[sign] ?? (GLYPHS[' '] as string);
    for (let cell = 0; cell < 15; cell++) {
      if ((Number(rows[Math.floor(cell / 3)]) & (4 >> (cell % 3))) === 0) continue;
      fillCell(canvas, left + (index * 4 + (cell % 3)) * pixel, top + Math.floor(cell / 3) * pixel, pixel, colour);
    }
  });
}

/** Width of a line in pixels. */
export function letteringWidth(text: string, pixel: number): number {
  return (text.length * 4 - 1) * pixel;
}

function fillCell({ data, width, height }: Canvas, left: number, top: number, size: number, colour: Rgb): void {
  for (let y = Math.max(0, top); y < Math.min(height, top + size); y++)
    for (let x = Math.max(0, left); x < Math.min(width, left + size); x++) data.set(colour, (y * width + x) * 3);
}
