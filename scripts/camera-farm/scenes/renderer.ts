import type { FarmCamera } from '../camera.ts';
import { between, hashOf, seeded } from '../random.ts';
import { Canvas } from './canvas.ts';
import { CONCEPTS } from './index.ts';
import { encodeJpeg } from './jpeg.ts';
import { letter } from './lettering.ts';
import type { Conditions, Phase, Weather } from './light.ts';
import { conditionsAt, Light, phaseOf } from './light.ts';
import type { Concept, Scene } from './scene.ts';
import { Stills } from './stills.ts';
import { precipitation, sensorNoise } from './weather.ts';
import { World } from './world.ts';

interface RendererSettings {
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

/** Draws cameras' scenes. The still part is drawn once for each light and weather, a frame adds what moves. */
export class SceneRenderer {
  readonly #settings: RendererSettings;
  readonly #canvas: Canvas;
  readonly #stages = new Map<string, Stage>();
  readonly #stills: Stills;

  constructor(settings: RendererSettings) {
    this.#settings = settings;
    this.#canvas = new Canvas(settings.width, settings.height);
    this.#stills = new Stills(settings.width, settings.height);
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
    return this.#stills.get(`${camera.id}/${sun}/${weather}`, () => this.#drawStill(camera, light));
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
