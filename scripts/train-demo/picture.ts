import { between, hashOf, noiseAt, pick, seeded } from '../camera-farm/random.ts';
import { Canvas } from '../camera-farm/scenes/canvas.ts';
import type { Rgb } from '../camera-farm/scenes/canvas.ts';
import { CONCEPTS } from '../camera-farm/scenes/index.ts';
import { encodeJpeg } from '../camera-farm/scenes/jpeg.ts';
import { conditionsAt, Light } from '../camera-farm/scenes/light.ts';
import type { Concept } from '../camera-farm/scenes/scene.ts';
import { precipitation } from '../camera-farm/scenes/weather.ts';
import { World } from '../camera-farm/scenes/world.ts';
import type { DemoCamera, Optics } from './cameras.ts';

/** Twice what the small network sees: its resizing has something to do, and drawing stays quick (5 ms). */
export const PICTURE = { width: 160, height: 128 } as const;

/** The JPEG that a camera of the demo takes at a moment. */
export function renderPicture(camera: DemoCamera, atMs: number): Buffer {
  const { optics } = camera;
  const canvas = new Canvas(PICTURE.width, PICTURE.height);
  const scene = (CONCEPTS[camera.concept] as Concept)({
    random: seeded(`${camera.seed}/scene`),
    aspect: canvas.aspect,
  });
  // The scene draws with this very object.
  scene.view.focal *= optics.zoom;
  scene.view.horizon += optics.tilt;
  const conditions = conditionsAt(atMs, camera.latitude, camera.longitude, hashOf(camera.seed));
  const light = new Light(conditions, optics.warmth);
  const world = new World(canvas, light, scene.view);
  scene.still(world);
  scene.moving(world, atMs / 1000);
  const turn = hashOf(`${camera.seed}/${atMs}`);
  precipitation(canvas, light, turn % 100_003);
  obstacles(canvas, light, camera);
  blur(canvas, optics.blur);
  expose(canvas.data, optics, light.phase === 'night' ? 2 : 1, turn);
  return encodeJpeg(canvas.data, canvas.width, canvas.height, optics.quality);
}

/** A pole, a branch or dirt on the pane: always at the same place of a camera's pictures. */
function obstacles(canvas: Canvas, light: Light, camera: DemoCamera): void {
  const random = seeded(`${camera.seed}/obstacles`);
  for (let i = 0; i < camera.optics.obstacles; i++) {
    const x = between(random, 0, canvas.aspect);
    const y = between(random, 0, 1);
    const colour = light.tint(pick<Rgb>(random, [[52, 48, 46], [70, 92, 50], [128, 124, 118], [160, 150, 128]]), 3); // prettier-ignore
    const size = between(random, 0.05, 0.2);
    const kind = random();
    if (kind < 0.35) canvas.rect(x, 0, size * 0.6, 1, colour);
    else if (kind < 0.7) leaves(canvas, x, y, size, colour, i);
    else canvas.puff(x, y, size * 1.2, size, colour, 0.9);
  }
}

function leaves(canvas: Canvas, x: number, y: number, size: number, colour: Rgb, seed: number): void {
  for (let i = 0; i < 24; i++) {
    const dx = (noiseAt(i, seed, 1) - 0.5) * size * 3;
    const dy = (noiseAt(i, seed, 2) - 0.5) * size * 2;
    canvas.ellipse(x + dx, y + dy, size * 0.22, size * 0.12, colour, 0.95);
  }
}

/** Two box filters one after the other, along both axes: close to a bell curve. */
function blur(canvas: Canvas, radius: number): void {
  const whole = Math.round(radius);
  if (whole < 1) return;
  const { width, height, data } = canvas;
  for (let pass = 0; pass < 2; pass++) {
    for (let row = 0; row < height; row++) boxLine(data, row * width * 3, 3, width, whole);
    for (let column = 0; column < width; column++) boxLine(data, column * 3, width * 3, height, whole);
  }
}

const line = new Float32Array(1024);

/** Mean over 2·radius + 1 neighbours; the border counts as continued. */
function boxLine(data: Uint8ClampedArray, start: number, stride: number, length: number, radius: number): void {
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < length; i++) line[i] = data[start + channel + i * stride] as number;
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let k = -radius; k <= radius; k++) sum += line[Math.min(length - 1, Math.max(0, i + k))] as number;
      data[start + channel + i * stride] = sum / (2 * radius + 1);
    }
  }
}

/** Exposure, colour and the sensor's noise, which is stronger by night. */
function expose(data: Uint8ClampedArray, optics: Optics, grain: number, turn: number): void {
  const { exposure, colour, noise } = optics;
  for (let i = 0, pixel = 0; i < data.length; i += 3, pixel++) {
    const [r, g, b] = [data[i] as number, data[i + 1] as number, data[i + 2] as number];
    const grey = r * 0.3 + g * 0.59 + b * 0.11;
    // Three even draws: close to a bell curve, of standard deviation one half.
    const even = noiseAt(pixel, turn, 1) + noiseAt(pixel, turn, 2) + noiseAt(pixel, turn, 3) - 1.5;
    const added = even * 2 * noise * grain;
    data[i] = (grey + (r - grey) * colour) * exposure + added;
    data[i + 1] = (grey + (g - grey) * colour) * exposure + added;
    data[i + 2] = (grey + (b - grey) * colour) * exposure + added;
  }
}
