import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Picture } from './picture.ts';

/** What a faulty camera does with a request. */
export type FaultAnswer =
  /** Takes the request and never answers. */
  | { kind: 'hang' }
  /** Answers with something that is no picture of the scene; MJPEG streams are refused or closed. */
  | { kind: 'answer'; status: number; headers: OutgoingHttpHeaders; body: Buffer }
  /** Answers 200 with a picture; MJPEG streams carry it in their parts. */
  | ({ kind: 'picture'; picture: Picture } & PictureForm)
  /** Announces the whole body and closes the connection in the middle of it. */
  | { kind: 'drop'; picture: Picture }
  /** Does with the connection what no HTTP library would; nothing of it is a whole answer. */
  | { kind: 'wire'; act: (response: ServerResponse) => void };

/** How a picture is wrapped where that is the fault. */
export interface PictureForm {
  /** In the place of the camera's own headers; of a stream they stand in the parts. */
  headers?: Record<string, string>;
  withoutLength?: boolean;
  /** Answers every If-Modified-Since with 304: it looks at dates only, and its date stands still. */
  confirmsDates?: boolean;
  /** Of a stream: the boundary that it announces and the one that stands between its parts; `null`: none. */
  boundaries?: { announced: string | null; used: string | null };
}

/** What a fault can use. */
export interface FaultScene {
  /** What the camera would serve now. */
  current: () => Picture;
  /** What it served when the fault began. */
  held: () => Picture;
  size: { width: number; height: number };
  /** Counts the answers of this camera. */
  turn: number;
  /** Cameras of one host show the same card. */
  host: string;
  /** Where the camera answers this request. */
  path: string;
  /** The request is for the MJPEG stream. */
  video: boolean;
  /** Wall clock, ms. */
  now: number;
}

export const text = (status: number, type: string, body: string, headers: OutgoingHttpHeaders = {}): FaultAnswer => ({
  kind: 'answer',
  status,
  headers: { 'Content-Type': type, ...headers },
  body: Buffer.from(body),
});

export const showing = (picture: Picture, form: PictureForm = {}): FaultAnswer => ({
  kind: 'picture',
  picture,
  ...form,
});

export const redirect = (to: string): FaultAnswer =>
  text(302, 'text/html', '<html><body>Moved</body></html>\n', { Location: to });

const LOGIN_PAGE = `<!doctype html><html><head><title>Network Camera</title></head>
<body><h1>Please log in</h1><form><input name="user"><input name="password" type="password"></form></body></html>\n`;

export const loginPage = (): FaultAnswer => text(200, 'text/html', LOGIN_PAGE);
