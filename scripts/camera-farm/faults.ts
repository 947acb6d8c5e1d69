import type { Picture } from './picture.ts';
import { pictureOf } from './picture.ts';
import { blackPicture, blankPicture, placeholderPicture } from './scenes/broken-pictures.ts';

/** What a faulty camera does with a request. */
export type FaultAnswer =
  /** Takes the request and never answers. */
  | { kind: 'hang' }
  /** Answers with something that is no picture of the scene; MJPEG streams are refused or closed. */
  | { kind: 'answer'; status: number; type: string; body: Buffer }
  /** Answers 200 with a bad picture; MJPEG streams carry it in their parts. */
  | { kind: 'picture'; picture: Picture }
  /** Announces the whole body and closes the connection in the middle of it. */
  | { kind: 'drop'; picture: Picture };

/** What a fault can use. */
export interface FaultScene {
  /** What the camera would serve now. */
  current: () => Picture;
  /** What it served when the fault began. */
  held: () => Picture;
  size: { width: number; height: number };
  /** Counts the answers of this camera. */
  turn: number;
}

type Fault = (scene: FaultScene) => FaultAnswer;

const text = (status: number, type: string, body: string): FaultAnswer => ({
  kind: 'answer',
  status,
  type,
  body: Buffer.from(body),
});

const LOGIN_PAGE = `<!doctype html><html><head><title>Network Camera</title></head>
<body><h1>Please log in</h1><form><input name="user"><input name="password" type="password"></form></body></html>\n`;

/** All faults by name. To add one, add a line. */
export const FAULTS = {
  hang: () => ({ kind: 'hang' }),
  '404': () => text(404, 'text/plain', 'Not Found\n'),
  '500': () => text(500, 'text/plain', 'Internal Server Error\n'),
  html: () => text(200, 'text/html', LOGIN_PAGE),
  empty: () => ({ kind: 'picture', picture: pictureOf(Buffer.alloc(0), 'image/jpeg') }),
  truncated: ({ current }) => ({ kind: 'picture', picture: firstPart(current(), 0.55) }),
  dropped: ({ current }) => ({ kind: 'drop', picture: current() }),
  frozen: ({ held }) => ({ kind: 'picture', picture: held() }),
  black: ({ size, turn }) => ({ kind: 'picture', picture: blackPicture(size, turn) }),
  blank: ({ size, turn }) => ({ kind: 'picture', picture: blankPicture(size, turn) }),
  placeholder: ({ size }) => ({ kind: 'picture', picture: placeholderPicture(size) }),
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

export function isFault(name: unknown): name is FaultName {
  return typeof name === 'string' && Object.hasOwn(FAULTS, name);
}

export function answerOf(fault: FaultName, scene: FaultScene): FaultAnswer {
  const make: Fault = FAULTS[fault];
  return make(scene);
}

function firstPart({ bytes, type, since, version }: Picture, share: number): Picture {
  return pictureOf(bytes.subarray(0, Math.floor(bytes.length * share)), type, since, version);
}
