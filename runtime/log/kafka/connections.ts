/**
 * Connections to brokers, made when needed and made again when lost.
 *
 * A broker answers the requests of one connection one after the other, so what may take long (a
 * fetch that waits for frames, a join that waits for other members) goes over a lane of its own.
 *
 * @module
 */
import { LogError } from "../log.ts";
import { type Broker, brokerName, type KafkaAddress } from "./address.ts";
import { NetworkError } from "./client.ts";
import { Connection } from "./connection.ts";
import { isCertificateProblem } from "./failures.ts";
import { tlsRefusal } from "./tls_refusal.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** All connections of one log. */
export class Connections {
  readonly #address: KafkaAddress;
  readonly #timeoutMs: number;
  readonly #lanes = new Map<string, Lane>();
  #closed = false;

  constructor(address: KafkaAddress, timeoutMs: number) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The connection of a lane to a broker.
   *
   * @param extraMs how much longer than usual its answers may take.
   * @throws errors of the client when the broker cannot be reached.
   */
  get(broker: Broker, lane: string, extraMs = 0): Promise<Connection> {
    if (this.#closed) {
      return Promise.reject(new LogError("CLOSED", "Cannot use Kafka: the log is closed"));
    }
    const key = `${brokerName(broker)}/${lane}`;
    const known = this.#lanes.get(key);
    if (known !== undefined) return known.ready;
    const dialling = new AbortController();
    const forget = () => {
      if (this.#lanes.get(key) === made) this.#lanes.delete(key);
    };
    const made: Lane = { dialling, ready: this.#open(broker, dialling.signal, extraMs, forget) };
    made.ready.catch(forget);
    this.#lanes.set(key, made);
    return made.ready;
  }

  /** Ends the connections of all lanes whose names begin so; what is under way on them fails. */
  async drop(prefix: string): Promise<void> {
    const keys = [...this.#lanes.keys()].filter((key) =>
      key.slice(key.lastIndexOf("/") + 1).startsWith(prefix)
    );
    await Promise.all(keys.map((key) => this.#end(key)));
  }

  /** Ends all connections; none can be made after that. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#lanes.keys()].map((key) => this.#end(key)));
  }

  async #open(
    broker: Broker,
    signal: AbortSignal,
    extraMs: number,
    onEnd: () => void,
  ): Promise<Connection> {
    const { tls, credentials } = this.#address;
    try {
      return await Connection.open(broker, {
        ...(tls === undefined ? {} : { tls }),
        ...(credentials === undefined ? {} : { credentials }),
        connectTimeoutMs: Math.min(this.#timeoutMs, CONNECT_TIMEOUT_MS),
        requestTimeoutMs: this.#timeoutMs + extraMs,
        signal,
        onEnd,
      });
    } catch (error) {
      const refused = tls !== undefined && isCertificateProblem(error);
      const reason = refused ? await tlsRefusal(broker, tls, this.#timeoutMs) : undefined;
      if (reason === undefined) throw error;
      throw new NetworkError(`The broker's certificate: ${reason}`, { cause: error as Error });
    }
  }

  async #end(key: string): Promise<void> {
    const { dialling, ready } = this.#lanes.get(key)!;
    this.#lanes.delete(key);
    dialling.abort(new NetworkError("Connection closed", { canRetry: false }));
    // Whoever asked for it hears why there is none.
    const connection = await ready.catch(() => undefined);
    await connection?.close();
  }
}

/** One connection, or the way to it. */
interface Lane {
  readonly dialling: AbortController;
  readonly ready: Promise<Connection>;
}
