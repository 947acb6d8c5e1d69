import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { DIGEST_HEADER, errorBodySchema, joinedSchema } from '../../common/protocol/rest.ts';
import type { Join, Joined } from '../../common/protocol/rest.ts';
import { AppError, codeOf, messageOf } from '../../common/runtime/errors.ts';

export interface HttpAnswer {
  status: number;
  body: unknown;
}

const nonceSchema = z.object({ nonce: z.string().min(1).max(200) });

/** The agent's HTTP side (common/protocol/rest.ts). Network trouble throws `COORDINATOR_UNREACHABLE`. */
export class CoordinatorHttp {
  readonly #base: string;
  readonly #timeoutMs: number;
  readonly #dispatcher: Dispatcher | undefined;
  #sessionKey: string | undefined;

  constructor(options: { url: string; timeoutMs?: number; dispatcher?: Dispatcher }) {
    this.#base = `${options.url.replace(/\/+$/, '')}/api/v1/agent`;
    this.#timeoutMs = options.timeoutMs ?? 15_000;
    this.#dispatcher = options.dispatcher;
  }

  /** Key of the current session; replaces an earlier one. */
  useSessionKey(key: string): void {
    this.#sessionKey = key;
  }

  async join(join: Join): Promise<Joined> {
    return joinedSchema.parse(expectOk(await this.#json('POST', '/join', join)));
  }

  async nonce(): Promise<string> {
    return nonceSchema.parse(expectOk(await this.#json('GET', '/nonce'))).nonce;
  }

  /** Sends the bytes of a batch as they lie in the outbox. The caller judges the status. */
  postBatch(bytes: Buffer, digest: string): Promise<HttpAnswer> {
    return this.#send('POST', '/batches', bytes, { 'content-type': 'application/json', [DIGEST_HEADER]: digest });
  }

  /** A picture that a receipt asked for. */
  putFrame(digest: string, bytes: Buffer): Promise<HttpAnswer> {
    return this.#send('PUT', `/frames/${digest}`, bytes, {
      'content-type': 'application/octet-stream',
      [DIGEST_HEADER]: digest,
    });
  }

  /** The newest picture of a camera that somebody watches. */
  putLatest(cameraId: number, digest: string, bytes: Buffer): Promise<HttpAnswer> {
    return this.#send('PUT', `/latest/${cameraId}`, bytes, {
      'content-type': 'application/octet-stream',
      [DIGEST_HEADER]: digest,
    });
  }

  /** Manifest, signature or a part of a model, as bytes. Throws `COORDINATOR_REFUSED` for any status but 200. */
  async getModelFile(path: string, timeoutMs?: number): Promise<Buffer> {
    const answer = await this.#exchange('GET', path, undefined, {}, timeoutMs);
    if (answer.status !== 200) expectOk({ status: answer.status, body: parsed(answer.bytes) });
    return answer.bytes;
  }

  #json(method: 'GET' | 'POST', path: string, body?: unknown): Promise<HttpAnswer> {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return this.#send(method, path, bytes, bytes ? { 'content-type': 'application/json' } : {});
  }

  async #send(
    method: Dispatcher.HttpMethod,
    path: string,
    body: Buffer | undefined,
    headers: Record<string, string>,
  ): Promise<HttpAnswer> {
    const { status, bytes } = await this.#exchange(method, path, body, headers);
    return { status, body: parsed(bytes) };
  }

  async #exchange(
    method: Dispatcher.HttpMethod,
    path: string,
    body: Buffer | undefined,
    headers: Record<string, string>,
    timeoutMs = this.#timeoutMs,
  ): Promise<{ status: number; bytes: Buffer }> {
    const key = this.#sessionKey === undefined ? {} : { authorization: `Bearer ${this.#sessionKey}` };
    try {
      const answer = await request(`${this.#base}${path}`, {
        method,
        headers: { ...key, ...headers },
        body: body ?? null,
        signal: AbortSignal.timeout(timeoutMs),
        ...(this.#dispatcher && { dispatcher: this.#dispatcher }),
      });
      return { status: answer.statusCode, bytes: Buffer.from(await answer.body.arrayBuffer()) };
    } catch (cause) {
      throw new AppError(
        'COORDINATOR_UNREACHABLE',
        `The coordinator did not answer at ${this.#base} (${codeOf(cause) ?? messageOf(cause)}); it will be tried again.`,
        { cause },
      );
    }
  }
}

function parsed(bytes: Buffer): unknown {
  try {
    return bytes.length === 0 ? undefined : JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

function expectOk({ status, body }: HttpAnswer): unknown {
  if (status >= 200 && status < 300) return body;
  const error = errorBodySchema.safeParse(body);
  const code = error.success ? error.data.code : 'COORDINATOR_REFUSED';
  const message = error.success ? error.data.message : `The coordinator answered with status ${status}.`;
  throw new AppError(code, message, { details: { status } });
}
