// One connection to a broker: responses come in the order of the requests.
import { messageOf } from "../../../base/errors.ts";
import { systemClock } from "../../../base/clock.ts";
import { VERSION } from "../../../base/version.ts";
import { settled, waitAtMost } from "../../../base/wait.ts";
import { type Api, API_VERSIONS, type Call, checked } from "../protocol/api.ts";
import {
  BrokerFailure,
  errorNames,
  LoginError,
  MalformedError,
  NetworkError,
  ThrottledError,
} from "../protocol/errors.ts";
import { RequestWriter, type ResponseReader } from "../protocol/wire.ts";
import { type Broker, brokerName, type Credentials, type Tls } from "./address.ts";
import { dial } from "./dial.ts";
import { CLIENT_ID, encodeRequest, readResponses } from "./framing.ts";
import { PendingRequests } from "./pending.ts";
import type { Transport } from "./tls.ts";
import { Versions } from "./versions.ts";

export interface ConnectionOptions {
  readonly tls?: Tls | undefined;
  readonly credentials?: Credentials | undefined;
  readonly connectTimeoutMs: number;
  /** How long the broker may be silent while requests are in flight. */
  readonly requestTimeoutMs: number;
  /** Aborts connecting. */
  readonly signal: AbortSignal;
  /** Authenticates; returns the session's lifetime in milliseconds, 0 for no limit. */
  readonly logIn?: (connection: Connection, credentials: Credentials) => Promise<number>;
  /** Called when no new requests may be sent: the connection is lost or closed, or its session ends soon. */
  readonly onEnd: (reason?: unknown) => void;
  /** Called repeatedly while the broker is silent, before the time-out. */
  readonly onSilence?: () => void;
}

export interface RequestOptions {
  /** Once aborted, nothing is sent, and the response is ignored. */
  readonly signal?: AbortSignal | undefined;
  /** Added to the time-out, since the broker may wait before it responds. */
  readonly extraMs?: number;
}

/** Written at once: progress is seen in time even on a slow network. */
const CHUNK_BYTES = 256 * 1024;
/** Time to write the last requests before closing. */
const FLUSH_MS = 1_000;
/** Fraction of a session's lifetime after which no new requests are sent. */
const SESSION_SHARE = 0.8;
const MAX_THROTTLE_MS = 60_000;
/** A longer session ends sooner: a timer takes no more. */
const MAX_SESSION_MS = 20 * 24 * 60 * 60 * 1_000;

export class Connection {
  /** `host:port` */
  readonly broker: string;
  readonly #transport: Transport;
  readonly #options: ConnectionOptions;
  readonly #pending: PendingRequests;
  #correlation = 0;
  /** Chunks to write, in order. */
  readonly #unsent: Uint8Array[] = [];
  #isWriting = false;
  #writing: Promise<void> = Promise.resolve();
  readonly #writer = new RequestWriter();
  #sessionTimer: ReturnType<typeof setTimeout> | undefined;
  /** Why the connection ended. */
  #ended: unknown;
  #retired = false;
  #throttledUntil = -Infinity;
  /** Responses to ApiVersions. */
  #handshakes = 0;
  versions: Versions;
  readonly #reading: Promise<void>;

  private constructor(broker: string, transport: Transport, options: ConnectionOptions) {
    this.broker = broker;
    this.versions = new Versions(broker, []);
    this.#transport = transport;
    this.#options = options;
    this.#pending = new PendingRequests(
      options.requestTimeoutMs,
      (error) => this.#end(error),
      options.onSilence ?? (() => {}),
    );
    this.#reading = this.#read();
  }

  /**
   * Connects, requests the supported versions, and authenticates.
   *
   * @throws {NetworkError} also `LoginError`, `UnsupportedError`, errors of TLS
   */
  static async open(broker: Broker, options: ConnectionOptions): Promise<Connection> {
    const { tls, credentials, logIn, connectTimeoutMs, signal } = options;
    let connection: Connection | undefined;
    const late = new AbortController();
    const timer = setTimeout(() => {
      const what = tls !== undefined && connection === undefined ? "TLS handshake" : "response";
      late.abort(new NetworkError(`no ${what} within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    const either = AbortSignal.any([signal, late.signal]);
    const abort = () => void (connection !== undefined && connection.#end(either.reason));
    either.addEventListener("abort", abort, { once: true });
    try {
      const transport = await dial(broker, tls, either);
      connection = new Connection(brokerName(broker), transport, options);
      if (either.aborted) abort();
      connection.versions = await connection.#askVersions();
      connection.#handshakes = connection.#pending.completed;
      if (credentials !== undefined && logIn !== undefined) {
        const lifetimeMs = await logIn(connection, credentials);
        const usedMs = Math.min(SESSION_SHARE * lifetimeMs, MAX_SESSION_MS);
        if (lifetimeMs > 0) connection.#retireAfter(usedMs);
      }
      return connection;
    } catch (error) {
      await connection?.close();
      throw error;
    } finally {
      clearTimeout(timer);
      either.removeEventListener("abort", abort);
    }
  }

  /** Names this software to brokers that know version 3 of the request. */
  async #askVersions(highest = API_VERSIONS.versions[1]): Promise<Versions> {
    const { key: apiKey } = API_VERSIONS;
    this.versions = new Versions(this.broker, [{ apiKey, minVersion: 0, maxVersion: highest }]);
    const body = { softwareName: CLIENT_ID, softwareVersion: VERSION };
    try {
      return new Versions(this.broker, (await this.call(API_VERSIONS, body)).apiKeys);
    } catch (error) {
      if (highest === 0 || !errorNames(error).includes("UNSUPPORTED_VERSION")) throw error;
      return await this.#askVersions(0);
    }
  }

  /** @throws {ResponseError} if the response contains errors; what `request` throws */
  async call<Request, Response>(
    api: Api<Request, Response>,
    body: Request,
    options: RequestOptions = {},
  ): Promise<Response> {
    const call = this.versions.call(api);
    return await this.request(
      call,
      (to) => api.request.write(to, body, call),
      (from) => {
        const response = api.response.read(from, call);
        const { throttleTimeMs } = response as { readonly throttleTimeMs?: unknown };
        if (typeof throttleTimeMs === "number") this.throttle(throttleTimeMs);
        return checked(response);
      },
      options,
    );
  }

  /** The error for a response that does not fit its request. */
  malformed(reason: string): MalformedError {
    const error = new MalformedError(reason);
    error.broker = this.broker;
    return error;
  }

  /**
   * @param read must copy what it keeps of the response; its errors but a `BrokerFailure` mean that the
   * response is malformed
   * @throws {NetworkError} if the connection is lost, the request times out, or the response is malformed
   * @throws {ThrottledError} also the signal's reason
   */
  request<T>(
    call: Call,
    write: (to: RequestWriter) => void,
    read: (from: ResponseReader) => T,
    { signal, extraMs = 0 }: RequestOptions = {},
  ): Promise<T> {
    const response = new Promise<T>((resolve, reject) => {
      this.#throwIfUnusable(signal);
      const chunks = this.#encode(call, write);
      const take = (from: ResponseReader) => {
        try {
          if (call.flexible && call.key !== API_VERSIONS.key) from.tags();
          resolve(read(from));
        } catch (error) {
          const message = `${call.name}, version ${call.version}: ${messageOf(error)}`;
          const failure = error instanceof BrokerFailure ? error : new MalformedError(message);
          failure.broker = this.broker;
          reject(failure);
        }
      };
      const since = systemClock.monotonic();
      const correlation = this.#correlation;
      this.#pending.add({ correlation, call, extraMs, since, take, fail: reject });
      void this.#write(chunks);
    });
    return settled(response, signal);
  }

  /** In the connection's own memory, unless an earlier request is still there. */
  #encode(call: Call, write: (to: RequestWriter) => void): readonly Uint8Array[] {
    this.#correlation = (this.#correlation + 1) & 0x7fffffff;
    const to = this.#isWriting ? new RequestWriter() : this.#writer.reset();
    return encodeRequest(to, call, this.#correlation, write);
  }

  /** Sends a request without a response; resolves when it is written. */
  async send<Request>(
    api: Api<Request, unknown>,
    body: Request,
    { signal }: RequestOptions = {},
  ): Promise<void> {
    this.#throwIfUnusable(signal);
    const call = this.versions.call(api);
    await this.#write(this.#encode(call, (to) => api.request.write(to, body, call)));
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** The broker wants no requests for this long: they fail with `ThrottledError`. */
  throttle(ms: number): void {
    if (ms <= 0) return;
    const until = systemClock.monotonic() + Math.min(ms, MAX_THROTTLE_MS);
    this.#throttledUntil = Math.max(this.#throttledUntil, until);
  }

  get throttledMs(): number {
    return Math.max(0, this.#throttledUntil - systemClock.monotonic());
  }

  #throwIfUnusable(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#ended !== undefined) throw this.#ended;
    if (this.throttledMs > 0) throw new ThrottledError(this.throttledMs);
  }

  /**
   * Closes the connection once all requests are written; those in flight fail.
   *
   * @param lost closes it at once, with this error
   */
  async close(lost?: NetworkError): Promise<void> {
    if (lost !== undefined) this.#end(lost);
    if (this.#ended === undefined) {
      await waitAtMost(FLUSH_MS, this.#writing, systemClock);
      this.#end(new NetworkError("the connection was closed here"));
    }
    await this.#reading;
  }

  #write(chunks: readonly Uint8Array[]): Promise<void> {
    this.#unsent.push(...chunks);
    if (!this.#isWriting) this.#writing = this.#writeAll();
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    try {
      for (let chunk; (chunk = this.#unsent.shift()) !== undefined;) {
        for (let at = 0; at < chunk.length;) {
          if (this.#ended !== undefined) return;
          const whole = at === 0 && chunk.length <= CHUNK_BYTES;
          const bytes = whole ? chunk : chunk.subarray(at, at + CHUNK_BYTES);
          const count = await this.#transport.write(bytes);
          this.#pending.moved(count);
          at += count;
        }
      }
    } catch (error) {
      this.#lose(error);
    } finally {
      this.#isWriting = false;
    }
  }

  async #read(): Promise<void> {
    try {
      await readResponses(
        (into) => this.#transport.read(into),
        (count) => this.#pending.moved(count),
        (response) => {
          this.#pending.take(response);
          this.#endIfRetired();
        },
      );
      this.#lose(this.#closedByBroker());
    } catch (error) {
      this.#lose(error);
    }
  }

  #closedByBroker(): NetworkError {
    const { completed, oldest } = this.#pending;
    if (oldest === undefined || completed > this.#handshakes) {
      return new NetworkError("it closed the connection");
    }
    // The first request: the broker probably rejects it.
    const needsLogin = completed > 0 && this.#options.credentials === undefined;
    const hint = needsLogin ? ": it may require a login (user:password@ before the host)" : "";
    return new NetworkError(`it closed the connection at ${oldest.name}${hint}`);
  }

  /** Closes the connection after this time, once no request is in flight. */
  #retireAfter(ms: number): void {
    this.#sessionTimer = setTimeout(() => {
      this.#retired = true;
      this.#options.onEnd();
      this.#endIfRetired();
    }, ms);
  }

  #endIfRetired(): void {
    const idle = this.#pending.oldest === undefined;
    if (this.#retired && idle) this.#end(new NetworkError("the session ended"));
  }

  #lose(error: unknown): void {
    this.#end(
      error instanceof NetworkError || error instanceof LoginError
        ? error
        : new NetworkError(`the connection broke: ${messageOf(error)}`),
    );
  }

  #end(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    clearTimeout(this.#sessionTimer);
    this.#transport.close();
    this.#options.onEnd(error);
    this.#pending.fail(error);
  }
}
