import { noiseAt } from '../random.ts';
import type { Canvas } from './canvas.ts';
import type { Light } from './light.ts';

/** Rain streaks or flakes in front of everything; `turn` makes each picture's own. */
export function precipitation(canvas: Canvas, light: Light, turn: number): void {
  if (light.weather === 'rain') rain(canvas, light, turn);
  if (light.weather === 'snow') flakes(canvas, light, turn);
}

function rain(canvas: Canvas, light: Light, turn: number): void {
  const colour = light.tint([214, 222, 232]);
  for (let i = 0; i < 90; i++) {
    const x = noiseAt(i, turn, 1) * (canvas.aspect + 0.1);
    const y = noiseAt(i, turn, 2) * 1.1 - 0.1;
    const length = 0.03 + noiseAt(i, turn, 3) * 0.05;
    canvas.line([x, y], [x - length * 0.18, y + length], 0.0022, colour, 0.4);
  }
}

function flakes(canvas: Canvas, light: Light, turn: number): void {
  const colour = light.tint([250, 250, 255]);
  for (let i = 0; i < 110; i++) {
    const size = 0.003 + noiseAt(i, turn, 3) ** 3 * 0.009;
    canvas.puff(noiseAt(i, turn, 1) * canvas.aspect, noiseAt(i, turn, 2), size, size, colour, 0.85);
  }
}

const GRAIN = 1 << 16;
const grain = Int8Array.from({ length: GRAIN }, (_, i) =>
  Math.round((noiseAt(i, 1) + noiseAt(i, 2) + noiseAt(i, 3) - 1.5) * 8),
);

/** Sensor noise: an equal scene never gives equal bytes, as with real cameras; more of it by night. */
export function sensorNoise(data: Uint8ClampedArray, light: Light, turn: number): void {
  const start = Math.floor(noiseAt(turn, 77) * GRAIN);
  const shift = light.phase === 'night' ? 0 : 1;
  for (let i = 0, g = start; i < data.length; i += 3, g++) {
    const amount = (grain[g & (GRAIN - 1)] as number) >> shift;
    data[i] = (data[i] as number) + amount;
    data[i + 1] = (data[i + 1] as number) + amount;
    data[i + 2] = (data[i + 2] as number) + amount;
  }
}
