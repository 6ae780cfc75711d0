// One connection to a broker: requests go out in order, responses come back in the same order.
import { systemClock } from "../../../base/clock.ts";
import { type Api, type Call, checked } from "../protocol/api.ts";
import {
  ClosedError,
  LoginError,
  NetworkError,
  ThrottledError,
  TimeoutError,
} from "../protocol/errors.ts";
import type { RequestWriter, ResponseReader } from "../protocol/wire.ts";
import { type Broker, brokerName, type Credentials, type Tls } from "./address.ts";
import { dial } from "./dial.ts";
import { encodeRequest, readResponses } from "./framing.ts";
import { PendingRequests } from "./pending.ts";
import type { Transport } from "./tls_transport.ts";
import { askVersions, closedOn, Versions } from "./versions.ts";

/** How to connect. */
export interface ConnectionOptions {
  readonly tls?: Tls;
  readonly credentials?: Credentials;
  readonly connectTimeoutMs: number;
  /** How long a broker may be silent while it is asked for something. */
  readonly requestTimeoutMs: number;
  /** Breaks the connecting off. */
  readonly signal: AbortSignal;
  /** Logs in; returns how long the login is good for, milliseconds; 0 without end. */
  readonly logIn?: (connection: Connection, credentials: Credentials) => Promise<number>;
  /** The connection is not to be used for anything new: it is lost, closed, or its login ends soon. */
  readonly onEnd: (reason?: unknown) => void;
  /** The broker has been silent for a while, but not for too long. */
  readonly onDoubt?: () => void;
}

/** How a request is made. */
export interface RequestOptions {
  /** Aborts when the response is no longer needed: nothing is sent after that. */
  readonly signal?: AbortSignal;
  /** The broker may wait this much longer than usual, milliseconds. */
  readonly extraMs?: number;
}

/** What goes out at once: over a slow line a frame takes longer than a broker may be silent. */
const PIECE_BYTES = 256 * 1024;
/** On closing, what was sent last may take this long to go out. */
const FLUSH_MS = 1_000;
/** A login that ends is given up before that. */
const LOGIN_USED = 0.8;
/** Longer throttle times are not believed. */
const MAX_THROTTLE_MS = 60_000;

/** A connection to a broker, logged in. */
export class Connection {
  readonly #transport: Transport;
  readonly #options: ConnectionOptions;
  readonly #pending: PendingRequests;
  #correlation = 0;
  #writing: Promise<void> = Promise.resolve();
  #loginTimer: ReturnType<typeof setTimeout> | undefined;
  /** Why nothing can be sent any more. */
  #ended: unknown;
  #retired = false;
  #throttledUntil = -Infinity;
  /** Responses to requests about the connection itself. */
  #greetings = 0;
  #versions = Versions.unknown;
  readonly #reading: Promise<void>;

  private constructor(transport: Transport, options: ConnectionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#pending = new PendingRequests(
      options.requestTimeoutMs,
      (error) => this.#end(error),
      options.onDoubt ?? (() => {}),
    );
    this.#reading = this.#read();
  }

  /**
   * Connects, asks for the versions of requests that the broker knows, and logs in.
   *
   * @throws {NetworkError} also for a `TimeoutError`; `LoginError`, `UnsupportedError`, errors of TLS.
   */
  static async open(broker: Broker, options: ConnectionOptions): Promise<Connection> {
    const { tls, credentials, logIn, connectTimeoutMs, signal } = options;
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new TimeoutError(`no answer within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    const either = AbortSignal.any([signal, late.signal]);
    let connection: Connection | undefined;
    const abort = () => {
      if (connection !== undefined) connection.#end(either.reason);
    };
    either.addEventListener("abort", abort, { once: true });
    const connect = async () => {
      connection = new Connection(await dial(broker, tls, either), options);
      if (either.aborted) abort();
      return connection;
    };
    try {
      connection = await connect();
      try {
        connection.#versions = await askVersions(connection, brokerName(broker));
      } catch (error) {
        if (!(error instanceof ClosedError)) throw error;
        // It does not know the question.
        await connection.close();
        connection = await connect();
      }
      connection.#greetings = connection.#pending.answered;
      if (credentials !== undefined && logIn !== undefined) {
        const lifetimeMs = await logIn(connection, credentials);
        if (lifetimeMs > 0) connection.#retireAfter(LOGIN_USED * lifetimeMs);
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

  /** The versions of requests that the broker knows. */
  get versions(): Versions {
    return this.#versions;
  }

  /**
   * Makes a request that a table describes.
   *
   * @throws {ResponseError} when the response holds errors; what `request` throws.
   */
  async call<Request, Response>(
    api: Api<Request, Response>,
    body: Request,
    options: RequestOptions = {},
  ): Promise<Response> {
    return checked(api, await this.ask(api, body, options));
  }

  /** The same for a response whose errors the caller looks at. */
  async ask<Request, Response>(
    api: Api<Request, Response>,
    body: Request,
    options: RequestOptions = {},
  ): Promise<Response> {
    const call = this.#versions.call(api);
    const response = await this.request(
      call,
      (to) => api.request.write(to, body, call),
      (from) => api.response.read(from, call),
      options,
    );
    const { throttleTimeMs } = response as { readonly throttleTimeMs?: unknown };
    if (typeof throttleTimeMs === "number") this.#throttle(throttleTimeMs);
    return response;
  }

  /**
   * Sends a request and reads its response.
   *
   * @param read must take what it keeps out of the response: the memory may be used again.
   * @throws {NetworkError} when the connection is lost, the broker is silent for too long, or `read` throws.
   * @throws {ThrottledError} when the broker wants no requests for now; the signal's reason.
   */
  request<T>(
    call: Call,
    write: (to: RequestWriter) => void,
    read: (from: ResponseReader) => T,
    { signal, extraMs = 0 }: RequestOptions = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#throwIfUnusable(signal);
      const correlation = this.#next();
      const pieces = encodeRequest(call, correlation, write);
      const abort = () => reject(signal!.reason);
      const over = () => signal?.removeEventListener("abort", abort);
      signal?.addEventListener("abort", abort, { once: true });
      this.#pending.add({
        correlation,
        call,
        extraMs,
        take: (response) => {
          over();
          try {
            if (call.flexibleResponse ?? call.flexible) response.tags();
            resolve(read(response));
          } catch (error) {
            const { name, version } = call;
            const { message } = error as Error;
            reject(
              new NetworkError(`its answer to ${name}, version ${version}, is wrong: ${message}`),
            );
          }
        },
        fail: (error) => {
          over();
          reject(error);
        },
      });
      void this.#write(pieces);
    });
  }

  /** Sends a request that has no response; resolves when it has gone out. */
  async send<Request>(
    api: Api<Request, unknown>,
    body: Request,
    { signal }: RequestOptions = {},
  ): Promise<void> {
    this.#throwIfUnusable(signal);
    const call = this.#versions.call(api);
    await this.#write(encodeRequest(call, this.#next(), (to) => api.request.write(to, body, call)));
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** The broker wants no requests over this connection for a while: it would not read them. */
  #throttle(ms: number): void {
    if (ms <= 0) return;
    const until = systemClock.monotonic() + Math.min(ms, MAX_THROTTLE_MS);
    this.#throttledUntil = Math.max(this.#throttledUntil, until);
  }

  /** How long the broker wants no requests, milliseconds. */
  get throttledMs(): number {
    return Math.max(0, this.#throttledUntil - systemClock.monotonic());
  }

  #throwIfUnusable(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#ended !== undefined) throw this.#ended;
    if (this.throttledMs > 0) throw new ThrottledError(this.throttledMs);
  }

  /**
   * Ends the connection when what was sent has gone out; responses that have not come fail.
   *
   * @param lost why waiting does not help.
   */
  async close(lost?: NetworkError): Promise<void> {
    if (lost !== undefined) this.#end(lost);
    if (this.#ended === undefined) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, FLUSH_MS));
      await Promise.race([this.#writing, late]);
      clearTimeout(timer);
      this.#end(new NetworkError("the connection was closed here"));
    }
    await this.#reading;
  }

  #next(): number {
    return this.#correlation = (this.#correlation + 1) & 0x7fffffff;
  }

  #write(pieces: readonly Uint8Array[]): Promise<void> {
    return this.#writing = this.#writing.then(async () => {
      try {
        for (const piece of pieces) {
          for (let at = 0; at < piece.length; at += PIECE_BYTES) {
            if (this.#ended !== undefined) return;
            const part = piece.subarray(at, at + PIECE_BYTES);
            await this.#transport.write(part);
            this.#pending.moved(part.length);
          }
        }
      } catch (error) {
        this.#lose(error);
      }
    });
  }

  async #read(): Promise<void> {
    try {
      await readResponses(
        (into) => this.#transport.read(into),
        (count) => this.#pending.moved(count),
        (response) => this.#received(response),
      );
      this.#lose(this.#closedByBroker());
    } catch (error) {
      this.#lose(error);
    }
  }

  #closedByBroker(): ClosedError {
    // A broker that has answered before has its reasons; one that has not does not like the request.
    const call = this.#pending.answered > this.#greetings ? undefined : this.#pending.oldest;
    return closedOn(call, this.#versions, this.#options.credentials !== undefined);
  }

  #received(response: ResponseReader): void {
    this.#pending.take(response);
    if (this.#retired && this.#pending.size === 0) this.#end(new NetworkError("the login ended"));
  }

  /** No new requests from then on; those that run end first. */
  #retireAfter(ms: number): void {
    this.#loginTimer = setTimeout(() => {
      this.#retired = true;
      this.#options.onEnd();
      if (this.#pending.size === 0) this.#end(new NetworkError("the login ended"));
    }, ms);
  }

  #lose(error: unknown): void {
    this.#end(
      error instanceof NetworkError || error instanceof LoginError
        ? error
        : new NetworkError("the connection broke", { cause: error }),
    );
  }

  #end(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    clearTimeout(this.#loginTimer);
    this.#transport.close();
    this.#options.onEnd(error);
    this.#pending.fail(error);
  }
}
