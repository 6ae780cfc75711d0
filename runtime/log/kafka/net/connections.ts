// Connections to brokers, made when needed and made again when lost.
//
// A broker answers the requests of one connection one after the other, so what may take long (a
// fetch that waits for frames, a join that waits for other members) goes over a channel of its own.
import { LogError } from "../../log.ts";
import { LoginError, NetworkError, UnsupportedError } from "../protocol/errors.ts";
import { type Broker, brokerName, type KafkaAddress } from "./address.ts";
import { Connection } from "./connection.ts";
import { sentence } from "./failures.ts";
import { logIn } from "./login.ts";
import { SUSPICION_MS } from "./pending.ts";
import { tlsProblem } from "./tls_problem.ts";

/** A broker may be silent for this part of the time that an attempt may take: then there is time for another one. */
const PATIENCE = 0.5;
const MAX_PATIENCE_MS = 2_500;

/** All connections of one log. */
export class Connections {
  readonly #address: KafkaAddress;
  /** How long a broker may be silent, milliseconds. */
  readonly patienceMs: number;
  readonly #channels = new Map<string, Channel>();
  /** When brokers failed last; not those that answered since. */
  readonly #failures = new Map<string, number>();
  readonly #onDoubt: (broker: Broker) => void;
  #closed = false;

  /** @param onDoubt is called, again and again, while a broker is silent that is asked or dialled. */
  constructor(address: KafkaAddress, timeoutMs: number, onDoubt: (broker: Broker) => void) {
    this.#address = address;
    this.#onDoubt = onDoubt;
    this.patienceMs = Math.min(PATIENCE * timeoutMs, MAX_PATIENCE_MS);
  }

  /**
   * The connection of a channel to a broker.
   *
   * @throws {NetworkError} when the broker cannot be reached; `LoginError`, `UnsupportedError`.
   */
  get(broker: Broker, channel: string): Promise<Connection> {
    if (this.#closed) {
      return Promise.reject(new LogError("CLOSED", "Cannot use Kafka: the log is closed"));
    }
    const key = `${brokerName(broker)}/${channel}`;
    const known = this.#channels.get(key);
    if (known !== undefined) return known.ready;
    const dialling = new AbortController();
    const forget = () => {
      if (this.#channels.get(key) === made) this.#channels.delete(key);
    };
    const made: Channel = { dialling, ready: this.#open(broker, dialling.signal, forget) };
    made.ready.catch(forget);
    this.#channels.set(key, made);
    return made.ready;
  }

  /** When a broker failed last, or −Infinity. */
  failedAt(broker: Broker): number {
    return this.#failures.get(brokerName(broker)) ?? -Infinity;
  }

  /** Ends the connections of all channels whose names begin so; what is under way on them fails. */
  drop(prefix: string): Promise<void> {
    return this.#drop((key) => key.slice(key.lastIndexOf("/") + 1).startsWith(prefix));
  }

  /** Gives a broker up: what is under way there fails at once. */
  async abandon(broker: Broker, reason: NetworkError): Promise<void> {
    const name = `${brokerName(broker)}/`;
    await this.#drop((key) => key.startsWith(name), reason);
  }

  async #drop(chosen: (key: string) => boolean, reason?: NetworkError): Promise<void> {
    await Promise.all(
      [...this.#channels.keys()].filter(chosen).map((key) => this.#end(key, reason)),
    );
  }

  /** Ends all connections; none can be made after that. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#drop(() => true);
  }

  async #open(
    broker: Broker,
    signal: AbortSignal,
    forget: () => void,
  ): Promise<Connection> {
    const { tls, credentials } = this.#address;
    const name = brokerName(broker);
    const onEnd = (reason?: unknown) => {
      forget();
      if (reason instanceof NetworkError) {
        reason.broker ??= name;
        if (!this.#closed) this.#failures.set(name, performance.now());
      }
    };
    const onDoubt = () => this.#onDoubt(broker);
    const doubts = setInterval(onDoubt, SUSPICION_MS);
    try {
      const connection = await Connection.open(broker, {
        ...(tls === undefined ? {} : { tls }),
        ...(credentials === undefined ? {} : { credentials }),
        logIn,
        connectTimeoutMs: this.patienceMs,
        requestTimeoutMs: this.patienceMs,
        signal,
        onEnd,
        onDoubt,
      });
      this.#failures.delete(name);
      return connection;
    } catch (error) {
      const known = error instanceof LoginError || error instanceof UnsupportedError ||
        error instanceof LogError;
      if (known) throw error;
      const problem = await tlsProblem(error, broker, tls, this.patienceMs);
      if (problem !== undefined) throw new LoginError(problem);
      const lost = error instanceof NetworkError
        ? error
        : new NetworkError(networkReason(error), { cause: error });
      onEnd(lost);
      throw lost;
    } finally {
      clearInterval(doubts);
    }
  }

  async #end(key: string, reason = new NetworkError("the connection was closed here")) {
    const { dialling, ready } = this.#channels.get(key)!;
    this.#channels.delete(key);
    dialling.abort(reason);
    // Those who wait for it get the error themselves.
    const connection = await ready.catch(() => undefined);
    await connection?.close(reason);
  }
}

/** A connection under a name of its own, or the way to it. */
interface Channel {
  readonly dialling: AbortController;
  readonly ready: Promise<Connection>;
}

function networkReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof Deno.errors.ConnectionRefused || code === "ECONNREFUSED") {
    return "connection refused";
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "unknown host";
  return sentence(String(message ?? error));
}
