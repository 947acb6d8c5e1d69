import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { request } from 'undici';
import { AppError, codeOf, EXIT, messageOf } from '../../common/runtime/errors.ts';

export const DEFAULT_URL = 'http://127.0.0.1:8600';
/** Where `up` keeps its data unless it is told otherwise, and where `quickstart` does. */
const DATA_FOLDERS = ['data', join('data', 'quickstart')];
const ANSWER_TIMEOUT_MS = 60_000;
/** Merging a big file takes its time after the last byte. */
const UPLOAD_TIMEOUT_MS = 15 * 60_000;

/** Options that every command which speaks to the coordinator takes. */
export interface ConnectionOptions {
  url?: string;
  token?: string;
  data?: string;
}

export type Query = Record<string, string | number | boolean | undefined>;

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
interface Content {
  query: Query;
  json?: unknown;
  bytes?: Readable;
  type?: string;
  timeoutMs?: number;
}

/** The coordinator's API. Every rejection is an `AppError` whose `details.exit` is the command's exit code. */
export class Api {
  readonly #base: URL;
  readonly #token: string;

  constructor(base: URL, token: string) {
    this.#base = base;
    this.#token = token;
  }

  async get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#send('GET', path, { query });
  }

  /** Bytes as they are. */
  async bytes(path: string): Promise<Buffer> {
    return (await this.#ask('GET', path, { query: {} })).body;
  }

  async put<T>(path: string, body: unknown): Promise<T> {
    return this.#send('PUT', path, { query: {}, json: body });
  }

  async post<T>(path: string, body?: unknown, query: Query = {}): Promise<T> {
    return this.#send('POST', path, { query, ...(body !== undefined && { json: body }) });
  }

  /** As `post`, for what may take the coordinator minutes. */
  async postPatiently<T>(path: string, body: unknown): Promise<T> {
    return this.#send('POST', path, { query: {}, json: body, timeoutMs: UPLOAD_TIMEOUT_MS });
  }

  async patch<T>(path: string, body: unknown, query: Query = {}): Promise<T> {
    return this.#send('PATCH', path, { query, json: body });
  }

  async delete<T>(path: string, query: Query): Promise<T> {
    return this.#send('DELETE', path, { query });
  }

  /** Sends bytes as they are. */
  async upload<T>(
    path: string,
    bytes: Readable,
    { query = {}, type = 'application/octet-stream' }: { query?: Query; type?: string } = {},
  ): Promise<T> {
    return this.#send('POST', path, { query, bytes, type });
  }

  async #send<T>(method: Method, path: string, content: Content): Promise<T> {
    const { url, body } = await this.#ask(method, path, content);
    const text = body.toString('utf8');
    try {
      return (text === '' ? {} : JSON.parse(text)) as T;
    } catch (error) {
      throw unreachable(url, error);
    }
  }

  async #ask(
    method: Method,
    path: string,
    { query, json, bytes, type, timeoutMs = bytes ? UPLOAD_TIMEOUT_MS : ANSWER_TIMEOUT_MS }: Content,
  ): Promise<{ url: URL; body: Buffer }> {
    const url = new URL(`${this.#base.pathname.replace(/\/$/, '')}/api/v1${path}`, this.#base);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const contentType = json === undefined ? type : 'application/json';
    try {
      const { statusCode, body } = await request(url, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(contentType !== undefined && { 'content-type': contentType }),
        },
        body: json === undefined ? (bytes ?? null) : JSON.stringify(json),
        headersTimeout: timeoutMs,
        bodyTimeout: ANSWER_TIMEOUT_MS,
      });
      const answer = Buffer.from(await body.arrayBuffer());
      if (statusCode >= 400) throw refusal(statusCode, answer.toString('utf8'));
      return { url, body: answer };
    } catch (error) {
      throw error instanceof AppError ? error : unreachable(this.#base, error);
    }
  }
}

/** The command was right; what it brought is not to be trusted. */
const UNTRUSTED = new Set(['MODEL_UNSIGNED', 'MODEL_TAMPERED', 'MODEL_SELF_TEST_FAILED']);

function refusal(status: number, text: string): AppError {
  let body: { code?: string; message?: string } = {};
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    // Something else than a coordinator answered.
  }
  // A file that cannot be imported is a failure, not a wrong command.
  const isUsage = (status === 400 || status === 422) && body.code?.startsWith('IMPORT_') !== true;
  const isRefused = status === 401 || status === 403 || UNTRUSTED.has(body.code ?? '');
  const exit = isRefused ? EXIT.refused : isUsage ? EXIT.usage : EXIT.failed;
  const message = body.message ?? `The server answered ${status}, but not as a coordinator does; check --url.`;
  return new AppError(body.code ?? 'HTTP_STATUS', message, { details: { exit, status } });
}

function unreachable(base: URL, error: unknown): AppError {
  const reason = codeOf(error) ?? messageOf(error);
  return new AppError(
    'COORDINATOR_UNREACHABLE',
    `No coordinator answers at ${base.origin} (${reason}). Start one with "camfleet up", or name it with --url or CAMFLEET_URL.`,
    { cause: error, details: { exit: EXIT.failed } },
  );
}

const usage = (message: string): AppError => new AppError('USAGE', message, { details: { exit: EXIT.usage } });

/** The API as options, environment and the data folder of this machine name it. */
export async function connect(options: ConnectionOptions, environment: NodeJS.ProcessEnv = process.env): Promise<Api> {
  const given = options.url ?? environment['CAMFLEET_URL'] ?? DEFAULT_URL;
  if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol)) {
    throw usage(`--url "${given}" is no address; write e.g. ${DEFAULT_URL}.`);
  }
  const base = new URL(given);
  const token = options.token ?? environment['CAMFLEET_TOKEN'] ?? (await ownToken(base, options, environment));
  return new Api(base, token);
}

/** The administrator's token of a coordinator on this machine. It is never sent to another machine unasked. */
async function ownToken(base: URL, { data }: ConnectionOptions, environment: NodeJS.ProcessEnv): Promise<string> {
  if (!/^(localhost|\[::1\]|127\.[\d.]+)$/.test(base.hostname)) {
    throw usage(`${base.origin} is another machine: give its API token with --token or CAMFLEET_TOKEN.`);
  }
  const named = data ?? environment['CAMFLEET_DATA_FOLDER'];
  const [first, ...others] = (named === undefined ? DATA_FOLDERS : [named]).map((folder) =>
    join(folder, 'keys', 'admin-token'),
  ) as [string, ...string[]];
  try {
    return await readToken(first);
  } catch (error) {
    for (const file of others) {
      const token = await readToken(file).catch(() => undefined);
      if (token !== undefined) return token;
    }
    throw usage(
      `There is no API token: ${first} cannot be read (${codeOf(error) ?? messageOf(error)}). Run this where "camfleet up" runs, name its folder with --data, or give --token.`,
    );
  }
}

const readToken = async (file: string): Promise<string> => (await readFile(file, 'utf8')).trim();
