// Connections to brokers, opened when needed and again when lost.
//
// A broker handles the requests of one connection in order, so requests that may wait (Fetch,
// JoinGroup) have connections of their own, named by their channel.
import { settled } from "../../../base/wait.ts";
import { LogError } from "../../log.ts";
import {
  BrokerFailure,
  LoginError,
  NetworkError,
  ResponseError,
  UnsupportedError,
} from "../protocol/errors.ts";
import { type Broker, brokerName, type KafkaAddress } from "./address.ts";
import { Connection } from "./connection.ts";
import { sentence } from "./failures.ts";
import { logIn } from "./login.ts";
import { SILENCE_MS } from "./pending.ts";

/** A request may take this fraction of an attempt's time, so that another broker can be tried. */
const REQUEST_SHARE = 0.5;
const MAX_REQUEST_TIMEOUT_MS = 2_500;

export class Connections {
  readonly #address: KafkaAddress;
  /** A broker that is silent for this long loses its connection. */
  readonly requestTimeoutMs: number;
  readonly #channels = new Map<string, Channel>();
  /** When brokers failed last, unless they have responded since. */
  readonly #failures = new Map<string, number>();
  readonly #onSilence: (broker: Broker) => void;
  #closed = false;

  /** @param onSilence called repeatedly while a broker does not respond */
  constructor(address: KafkaAddress, timeoutMs: number, onSilence: (broker: Broker) => void) {
    this.#address = address;
    this.#onSilence = onSilence;
    this.requestTimeoutMs = Math.min(REQUEST_SHARE * timeoutMs, MAX_REQUEST_TIMEOUT_MS);
  }

  /** @throws {NetworkError} also `LoginError`, `UnsupportedError`; the signal's reason */
  get(broker: Broker, channel: string, signal?: AbortSignal): Promise<Connection> {
    if (this.#closed) {
      return Promise.reject(new LogError("CLOSED", "Cannot use Kafka: the log is closed"));
    }
    const key = `${brokerName(broker)}/${channel}`;
    let opened = this.#channels.get(key);
    if (opened === undefined) {
      const dialling = new AbortController();
      const forget = () => {
        if (this.#channels.get(key) === opened) this.#channels.delete(key);
      };
      opened = { dialling, ready: this.#open(broker, dialling.signal, forget) };
      opened.ready.catch(forget);
      this.#channels.set(key, opened);
    }
    return settled(opened.ready, signal);
  }

  /** When a broker failed last, or −Infinity. */
  failedAt(broker: Broker): number {
    return this.#failures.get(brokerName(broker)) ?? -Infinity;
  }

  /** Closes the channels whose names begin with the prefix; their requests fail. */
  drop(prefix: string): Promise<void> {
    return this.#drop((key) => key.slice(key.lastIndexOf("/") + 1).startsWith(prefix));
  }

  /** Closes all channels of a broker; their requests fail at once. */
  async abandon(broker: Broker, reason: NetworkError): Promise<void> {
    const name = `${brokerName(broker)}/`;
    await this.#drop((key) => key.startsWith(name), reason);
  }

  async #drop(chosen: (key: string) => boolean, reason?: NetworkError): Promise<void> {
    await Promise.all(
      [...this.#channels.keys()].filter(chosen).map((key) => this.#end(key, reason)),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#drop(() => true);
  }

  async #open(
    broker: Broker,
    signal: AbortSignal,
    forget: () => void,
  ): Promise<Connection> {
    const name = brokerName(broker);
    const onEnd = (reason?: unknown) => {
      forget();
      if (reason instanceof BrokerFailure) reason.broker ??= name;
      if (reason instanceof NetworkError && !this.#closed) {
        this.#failures.set(name, performance.now());
      }
    };
    const onSilence = () => this.#onSilence(broker);
    const timer = setInterval(onSilence, SILENCE_MS);
    try {
      const connection = await Connection.open(broker, {
        tls: this.#address.tls,
        credentials: this.#address.credentials,
        logIn,
        connectTimeoutMs: this.requestTimeoutMs,
        requestTimeoutMs: this.requestTimeoutMs,
        signal,
        onEnd,
        onSilence,
      });
      this.#failures.delete(name);
      return connection;
    } catch (error) {
      if (error instanceof LogError) throw error;
      const failure = await this.#failureOf(error, broker);
      onEnd(failure);
      throw failure;
    } finally {
      clearInterval(timer);
    }
  }

  async #failureOf(error: unknown, broker: Broker): Promise<BrokerFailure> {
    if (error instanceof LoginError || error instanceof UnsupportedError) return error;
    const { tls } = this.#address;
    if (tls !== undefined) {
      const { tlsProblem } = await import("./tls.ts");
      const problem = await tlsProblem(error, broker, tls, this.requestTimeoutMs);
      if (problem !== undefined) return new LoginError(problem);
    }
    return error instanceof NetworkError ? error : new NetworkError(networkReason(error));
  }

  async #end(key: string, reason = new NetworkError("the connection was closed here")) {
    const { dialling, ready } = this.#channels.get(key)!;
    this.#channels.delete(key);
    dialling.abort(reason);
    const connection = await ready.catch(() => undefined);
    await connection?.close(reason);
  }
}

/** A connection that is open or being opened. */
interface Channel {
  readonly dialling: AbortController;
  readonly ready: Promise<Connection>;
}

function networkReason(error: unknown): string {
  if (error instanceof ResponseError) return `ApiVersions returned ${error.message}`;
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof Deno.errors.ConnectionRefused || code === "ECONNREFUSED") {
    return "connection refused";
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "unknown host";
  return sentence(String(message ?? error));
}
