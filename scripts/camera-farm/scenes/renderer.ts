import type { FarmCamera } from '../population.ts';
import { between, hashOf, seeded } from '../random.ts';
import { Canvas } from './canvas.ts';
import { CONCEPTS } from './index.ts';
import { encodeJpeg } from './jpeg.ts';
import { letter } from './lettering.ts';
import type { Conditions, Phase, Weather } from './light.ts';
import { conditionsAt, Light, phaseOf } from './light.ts';
import type { Concept, Scene } from './scene.ts';
import { precipitation, sensorNoise } from './weather.ts';
import { World } from './world.ts';

export interface RendererSettings {
  seed: string;
  width: number;
  height: number;
  quality: number;
}

interface Stage {
  scene: Scene;
  warmth: number;
  weatherSeed: number;
}

// Still parts that are kept, in bytes: 300 KB each at 352x288, so some 400 cameras never draw theirs twice.
const KEPT_BYTES = 128 * 1024 * 1024;

/** Draws cameras' scenes. The still part is drawn once for each light and weather, a frame adds what moves. */
export class SceneRenderer {
  readonly #settings: RendererSettings;
  readonly #canvas: Canvas;
  readonly #stages = new Map<string, Stage>();
  /** Least recently used first. */
  readonly #stills = new Map<string, Uint8ClampedArray>();

  constructor(settings: RendererSettings) {
    this.#settings = settings;
    this.#canvas = new Canvas(settings.width, settings.height);
  }

  /** Light and weather at a camera's place. */
  conditionsOf(camera: FarmCamera, atMs: number): { phase: Phase; weather: Weather } {
    const { sun, weather } = this.#conditions(camera, atMs);
    return { phase: phaseOf(sun), weather };
  }

  /** The camera's JPEG at a moment, under given conditions or those of its place. `turn` decides noise, rain and flakes. */
  render(camera: FarmCamera, atMs: number, turn: number, conditions = this.#conditions(camera, atMs)): Buffer {
    const { width, height, quality } = this.#settings;
    const { scene, warmth } = this.#stage(camera);
    const light = new Light(conditions, warmth);
    this.#canvas.data.set(this.#still(camera, conditions, light));
    scene.moving(new World(this.#canvas, light, scene.view), atMs / 1000);
    precipitation(this.#canvas, light, turn);
    sensorNoise(this.#canvas.data, light, turn);
    this.#caption(camera, atMs);
    return encodeJpeg(this.#canvas.data, width, height, quality);
  }

  #conditions(camera: FarmCamera, atMs: number): Conditions {
    const { latitude, longitude } = camera.place;
    return conditionsAt(atMs, latitude, longitude, this.#stage(camera).weatherSeed);
  }

  #stage(camera: FarmCamera): Stage {
    const known = this.#stages.get(camera.id);
    if (known) return known;
    const random = seeded(`${this.#settings.seed}/scene/${camera.id}/${camera.concept}`);
    const concept = CONCEPTS[camera.concept] as Concept;
    const stage = {
      warmth: between(random, -1, 1),
      weatherSeed: hashOf(`${this.#settings.seed}/${camera.place.city}`),
      scene: concept({ random, aspect: this.#canvas.aspect }),
    };
    this.#stages.set(camera.id, stage);
    return stage;
  }

  #still(camera: FarmCamera, { sun, weather }: Conditions, light: Light): Uint8ClampedArray {
    const key = `${camera.id}/${sun}/${weather}`;
    const still = this.#stills.get(key) ?? this.#drawStill(camera, light);
    this.#stills.delete(key);
    this.#stills.set(key, still);
    const most = Math.max(1, Math.floor(KEPT_BYTES / still.length));
    for (const oldest of this.#stills.keys()) {
      if (this.#stills.size <= most) break;
      this.#stills.delete(oldest);
    }
    return still;
  }

  #drawStill(camera: FarmCamera, light: Light): Uint8ClampedArray {
    const { scene } = this.#stage(camera);
    const canvas = new Canvas(this.#settings.width, this.#settings.height);
    scene.still(new World(canvas, light, scene.view));
    return canvas.data;
  }

  /** Name above, clock below, as cameras write them into the picture. */
  #caption({ name }: FarmCamera, atMs: number): void {
    const { height } = this.#settings;
    const pixel = Math.max(1, Math.floor(height / 140));
    const time = `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    for (const [text, top] of [
      [name, 3 * pixel],
      [time, height - 8 * pixel],
    ] as const) {
      // prettier-ignore
      letter(this.#canvas, text, 4 * pixel + 1, top + 1, pixel, [10, 12, 16]);
      letter(this.#canvas, text, 4 * pixel, top, pixel, [240, 242, 244]);
    }
  }
}
