/**
 * Connections to brokers, made when needed and made again when lost.
 *
 * A broker answers the requests of one connection one after the other, so what may take long (a
 * fetch that waits for frames, a join that waits for other members) goes over a lane of its own.
 *
 * @module
 */
import { isIP } from "node:net";
import { Connection, NetworkError } from "./client.ts";
import { LogError } from "../log.ts";
import { type Broker, brokerName, type KafkaAddress } from "./address.ts";
import { isCertificateProblem } from "./failures.ts";
import { tlsRefusal } from "./tls_refusal.ts";

export type { Connection } from "./client.ts";

/** Requests that may be under way on one connection. */
const MAX_IN_FLIGHT = 256;

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
    const connection = this.#make(broker, this.#timeoutMs + extraMs);
    const made: Lane = { connection, ready: this.#dial(connection, broker) };
    const forget = () => {
      if (this.#lanes.get(key) === made) this.#lanes.delete(key);
    };
    // A lost connection is noticed by whoever waits for an answer on it; here it is only forgotten.
    connection.on("error", forget);
    connection.on("close", forget);
    connection.on("closing", forget);
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

  #make({ host }: Broker, requestTimeout: number): Connection {
    const { tls, credentials } = this.#address;
    // An address is checked against the certificate without being announced as a name.
    const serverName = tls?.serverName ?? (isIP(host) === 0 ? host : undefined);
    return new Connection("framelane", {
      connectTimeout: Math.min(this.#timeoutMs, 10_000),
      requestTimeout,
      maxInflights: MAX_IN_FLIGHT,
      ...(tls === undefined ? {} : {
        tls: {
          ...(tls.ca === undefined ? {} : { ca: tls.ca }),
          ...(tls.cert === undefined ? {} : { cert: tls.cert }),
          ...(tls.key === undefined ? {} : { key: tls.key }),
        },
        ...(serverName === undefined ? {} : { tlsServerName: serverName }),
      }),
      ...(credentials === undefined ? {} : { sasl: { ...credentials } }),
    });
  }

  async #dial(connection: Connection, broker: Broker): Promise<Connection> {
    try {
      await connection.connect(broker.host, broker.port);
      return connection;
    } catch (error) {
      connection.socket?.destroy();
      const { tls } = this.#address;
      const refused = tls !== undefined && isCertificateProblem(error);
      const reason = refused ? await tlsRefusal(broker, tls, this.#timeoutMs) : undefined;
      if (reason === undefined) throw error;
      throw new NetworkError(`The broker's certificate: ${reason}`, { cause: error as Error });
    }
  }

  async #end(key: string): Promise<void> {
    const { connection } = this.#lanes.get(key)!;
    this.#lanes.delete(key);
    if (connection.isConnected()) {
      await connection.close();
    } else {
      // Still being dialled: the client has no way to break that off, but it gives up on an error.
      connection.emit("error", new NetworkError("Connection closed", { canRetry: false }));
      connection.socket?.destroy();
    }
  }
}

interface Lane {
  readonly connection: Connection;
  readonly ready: Promise<Connection>;
}
