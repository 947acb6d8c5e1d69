import { AppError } from '../../common/runtime/errors.ts';
import { errorBodySchema } from '../../common/protocol/rest.ts';

/** The coordinator's API for the scripts that run on its machine. */
export class Api {
  readonly url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.#token = token;
  }

  get<T>(path: string): Promise<T> {
    return this.#send<T>('GET', path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#send<T>('POST', path, JSON.stringify(body), 'application/json');
  }

  upload<T>(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<T> {
    return this.#send<T>('POST', path, bytes, 'application/octet-stream');
  }

  /** Rejects with the code that the coordinator gave. */
  async #send<T>(method: string, path: string, body?: string | Uint8Array<ArrayBuffer>, type?: string): Promise<T> {
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, ...(type && { 'content-type': type }) },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    const answer: unknown = text === '' ? undefined : JSON.parse(text);
    if (response.ok) return answer as T;
    const error = errorBodySchema.safeParse(answer);
    if (!error.success) throw new AppError('API_FAILED', `${method} ${path} was answered with ${response.status}.`);
    throw new AppError(error.data.code, error.data.message, { details: { status: response.status } });
  }
}
