import type { Clock } from '../../common/runtime/clock.ts';
import { onAbort } from './abort-groups.ts';
import { Connections } from './connections.ts';
import { createConnector } from './egress.ts';
import type { EgressRule } from './egress.ts';
import { sourceError } from './errors.ts';
import { Exchange, header, valuesOf } from './exchange.ts';
import type { Reply, StreamReader } from './exchange.ts';
import type { HostLimiter } from './host-limiter.ts';
import type { Manners } from './manners.ts';
import type { Sent } from './http-auth.ts';
import { parseTarget } from './target.ts';
import type { Target } from './target.ts';

export interface HttpClientOptions {
  egress: EgressRule;
  limiter: HostLimiter;
  clock: Clock;
  /** What must not be asked for, and whom not now. */
  manners?: Pick<Manners, 'mayAsk' | 'answered'> | undefined;
  /** Says who we are and how to reach us; the only thing a camera's owner sees of us. */
  userAgent: string;
  /** Bytes of a body. A snapshot of 8 MB is far beyond what public cameras send. */
  maxBytes?: number;
  /** From the first request (after waiting for the host's turn) to the last byte, redirects included, ms. */
  deadlineMs?: number;
  connectTimeoutMs?: number;
  maxRedirects?: number;
  /** Unused connections are closed after so long. 4 s stays below the 5 s after which many servers close theirs, ms. */
  idleMs?: number;
  maxIdleConnections?: number;
  allowInvalidCertificates?: boolean;
}

export interface HttpRequest {
  target: Target;
  /** Name, value, name, value, … beside those that every request carries. */
  headers?: readonly string[];
  signal?: AbortSignal | undefined;
}

interface Deadline {
  /** Monotonic ms. */
  at: number;
  ms: number;
  exchange?: Exchange;
}

/** One request of those that a redirect or a sign-in makes necessary. */
interface Turn {
  target: Target;
  sent: Sent | undefined;
  request: HttpRequest;
  deadline: Deadline;
  reader: StreamReader | undefined;
}

/** While a stream runs its deadline is moved on by whoever watches it, so that a stall ends it. */
export interface StreamControl {
  extend(ms: number): void;
}

// Deadlines are looked at ten times a second: a timer per request costs more than being late by 100 ms does harm.
const TICK_MS = 100;
/** A nonce may be old, and the new one may be of another kind; whoever asks again after that does not want us. */
const MOST_SIGN_INS = 2;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** The one way in which this agent speaks HTTP to cameras. One instance per worker thread. */
export class HttpClient {
  readonly #options: Required<Omit<HttpClientOptions, 'egress' | 'allowInvalidCertificates' | 'manners'>> &
    Pick<HttpClientOptions, 'manners'>;
  readonly #connections: Connections;
  readonly #deadlines = new Set<Deadline>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: HttpClientOptions) {
    this.#options = {
      maxBytes: 8_000_000,
      deadlineMs: 10_000,
      connectTimeoutMs: 5_000,
      maxRedirects: 3,
      idleMs: 4_000,
      maxIdleConnections: 1_000,
      ...options,
    };
    const { connectTimeoutMs, idleMs, maxIdleConnections } = this.#options;
    const allowInvalidCertificates = options.allowInvalidCertificates ?? false;
    const connect = createConnector(options.egress, { connectTimeoutMs, allowInvalidCertificates });
    this.#connections = new Connections({ connect, idleMs, maxIdle: maxIdleConnections });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  get stats(): { idle: number; busy: number; origins: number } {
    const { idle, busy, origins } = this.#connections;
    return { idle, busy, origins };
  }

  /** GET with redirects followed; resolves for every status that is no redirect. Throws the `SOURCE_…` codes of errors.ts. */
  async get(request: HttpRequest): Promise<Reply> {
    return this.#follow(request, { at: Infinity, ms: this.#options.deadlineMs }, undefined);
  }

  /**
   * GET for an answer that does not end. `reader` gets headers and bytes as they come; resolves when the server ends the
   * stream. The host's slot is given back when the answer begins: a stream would hold it for hours.
   */
  async stream(request: HttpRequest, reader: (control: StreamControl) => StreamReader): Promise<void> {
    const deadline: Deadline = { at: Infinity, ms: this.#options.deadlineMs };
    const inner = reader({ extend: (ms) => this.#extend(deadline, ms) });
    const { status, rawHeaders } = await this.#follow(request, deadline, inner);
    // Kept from the reader as long as it could be answered.
    if (status === 401) inner.onHeaders(status, rawHeaders);
  }

  /** Goes where the camera sends us, and signs in where it asks for it. */
  async #follow(request: HttpRequest, deadline: Deadline, reader: StreamReader | undefined): Promise<Reply> {
    let target = request.target;
    for (let hop = 0, signIns = 0; ;) {
      const sent = target.auth?.authorize('GET', target.path);
      const reply = await this.#turn({ target, sent, request, deadline, reader });
      if (reply.status === 401 && signIns++ < MOST_SIGN_INS) {
        if (target.auth?.challenged(valuesOf(reply.rawHeaders, 'www-authenticate'), sent)) continue;
      }
      if (!REDIRECTS.has(reply.status)) return { ...reply, target };
      target = this.#redirect(target, reply.rawHeaders, hop++);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#connections.close();
  }

  async #turn(turn: Turn): Promise<Reply> {
    const { target, request, deadline, reader } = turn;
    const { limiter, clock, manners } = this.#options;
    if (request.signal?.aborted) throw request.signal.reason;
    if (!limiter.tryAcquire(target.host)) await limiter.acquire(target.host, request.signal);
    let held = true;
    const release = (): void => {
      if (held) limiter.release(target.host);
      held = false;
    };
    try {
      // After the wait: what went before may have had an answer that concerns us.
      manners?.mayAsk(target);
    } catch (error) {
      release();
      throw error;
    }
    const exchange = new Exchange({
      host: target.host,
      maxBytes: this.#options.maxBytes,
      now: () => clock.now(),
      stream: reader && untilAnswered(reader, target.auth !== undefined, release),
      onStatus: manners && ((status, rawHeaders) => manners.answered(target.host, status, rawHeaders)),
    });
    if (deadline.at === Infinity) this.#extend(deadline, deadline.ms);
    deadline.exchange = exchange;
    try {
      return await this.#send(turn, exchange);
    } finally {
      release();
    }
  }

  async #send(turn: Turn, exchange: Exchange): Promise<Reply> {
    const { target, request, deadline } = turn;
    const client = this.#connections.take(target.origin);
    const withdraw = request.signal && onAbort(request.signal, (reason) => exchange.fail(reason as Error));
    this.#deadlines.add(deadline);
    try {
      client.dispatch({ path: target.path, method: 'GET', headers: this.#headers(turn) }, exchange);
      const reply = await exchange.promise;
      this.#connections.give(target.origin, client, this.#options.clock.monotonic());
      return reply;
    } catch (error) {
      this.#connections.discard(client);
      throw error;
    } finally {
      this.#deadlines.delete(deadline);
      withdraw?.();
    }
  }

  #headers({ sent, request }: Turn): string[] {
    const headers = ['user-agent', this.#options.userAgent, 'accept', 'image/*, multipart/x-mixed-replace, */*;q=0.5'];
    if (sent) headers.push('authorization', sent.value);
    if (request.headers) headers.push(...request.headers);
    return headers;
  }

  #redirect(from: Target, rawHeaders: readonly Buffer[], hop: number): Target {
    const { maxRedirects } = this.#options;
    const location = header(rawHeaders, 'location');
    const facts = { host: from.host, redirects: hop };
    if (!location) throw sourceError('SOURCE_PROTOCOL', `${from.host} redirects to nowhere.`, facts);
    if (hop >= maxRedirects) {
      throw sourceError(
        'SOURCE_REDIRECTS',
        `${from.host} redirects more than ${maxRedirects} times; enter the final URL.`,
        facts,
      );
    }
    if (
      !URL.canParse(location, from.origin + from.path) ||
      !/^https?:$/.test(new URL(location, from.origin + from.path).protocol)
    )
      throw sourceError('SOURCE_PROTOCOL', `${from.host} redirects to something that is no http(s) URL.`, facts);
    const target = parseTarget(location, undefined, from.origin + from.path);
    // Credentials are the camera's: never told to another origin.
    if (target.origin === from.origin && from.auth) target.auth = from.auth;
    return target;
  }

  #extend(deadline: Deadline, ms: number): void {
    deadline.at = this.#options.clock.monotonic() + ms;
    deadline.ms = ms;
  }

  #tick(): void {
    const now = this.#options.clock.monotonic();
    for (const deadline of this.#deadlines) {
      if (deadline.at <= now) {
        const ms = deadline.ms;
        deadline.exchange?.fail(
          sourceError('SOURCE_TIMEOUT', `No complete answer within ${ms} ms.`, { timeoutMs: ms }),
        );
      }
    }
    this.#connections.sweep(now);
  }
}

/** Gives the host's slot back when the answer begins, and keeps from the reader what is answered by another request. */
function untilAnswered(reader: StreamReader, signsIn: boolean, release: () => void): StreamReader {
  let withheld = false;
  return {
    onHeaders(status, rawHeaders) {
      release();
      withheld = REDIRECTS.has(status) || (signsIn && status === 401);
      if (!withheld) reader.onHeaders(status, rawHeaders);
    },
    onData: (chunk) => withheld || reader.onData(chunk),
    onEnd: () => withheld || reader.onEnd?.(),
  };
}
