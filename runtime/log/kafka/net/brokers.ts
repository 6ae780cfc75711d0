// The brokers of a cluster, and which of them respond.
import { NetworkError, ResponseError, ThrottledError } from "../protocol/errors.ts";
import { type Broker, brokerName, type KafkaAddress } from "./address.ts";
import type { Connection } from "./connection.ts";
import { Connections } from "./connections.ts";
import { firstOf } from "./race.ts";

/** After this time without a response the next broker is tried in parallel. */
const NEXT_BROKER_MS = 400;

/** All known brokers, and the connections to them. */
export abstract class Brokers {
  readonly connections: Connections;
  readonly timeoutMs: number;
  readonly #address: KafkaAddress;
  #members = new Map<number, Broker>();
  /** Names of all current and former members. */
  readonly #formerly = new Set<string>();
  /** The broker that responded last is tried first. */
  #lastResponder = "";
  #checking = false;

  constructor(address: KafkaAddress, timeoutMs: number) {
    this.#address = address;
    this.timeoutMs = timeoutMs;
    this.connections = new Connections(address, timeoutMs, (broker) => void this.#check(broker));
  }

  /** All brokers, from fresh metadata. */
  abstract brokers(signal: AbortSignal): Promise<Broker[]>;

  /** The bootstrap brokers, for messages. */
  get where(): string {
    return this.#address.brokers.map(brokerName).join(", ");
  }

  get rack(): string | undefined {
    return this.#address.rack;
  }

  get isAlone(): boolean {
    return this.#members.size < 2;
  }

  broker(id: number): Broker | undefined {
    return this.#members.get(id);
  }

  protected update(members: readonly (Broker & { readonly nodeId: number })[]): void {
    this.#members = new Map(members.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    for (const broker of members) this.#formerly.add(brokerName(broker));
  }

  protected get members(): Broker[] {
    return [...this.#members.values()];
  }

  /** Sends a request to any broker: first to the last responder, to the next one when that fails or is slow. */
  async any<T>(
    signal: AbortSignal,
    request: (connection: Connection, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return await firstOf(this.#candidates(), async (broker, signal) => {
      const connection = await this.connections.get(broker, "main", signal);
      const responded = () => {
        if (!signal.aborted) this.#lastResponder = brokerName(broker);
      };
      try {
        const response = await request(connection, signal);
        responded();
        return response;
      } catch (error) {
        if (error instanceof ResponseError) responded();
        throw error;
      }
    }, {
      delayMs: Math.min(NEXT_BROKER_MS, this.connections.requestTimeoutMs),
      signal,
      goOn: (error) => error instanceof NetworkError || error instanceof ThrottledError,
    });
  }

  /** The last responder first, recently failed brokers last. */
  #candidates(): Broker[] {
    const brokers = [...this.members, ...this.#address.brokers];
    const byName = new Map(brokers.map((broker) => [brokerName(broker), broker]));
    const rank = (name: string, broker: Broker) =>
      name === this.#lastResponder ? -Infinity : this.connections.failedAt(broker);
    return [...byName].map(([name, broker]) => ({ broker, rank: rank(name, broker) }))
      .sort((a, b) => a.rank === b.rank ? 0 : a.rank - b.rank)
      .map(({ broker }) => broker);
  }

  /** Fails the requests to a silent broker if the cluster has removed it: others lead its partitions now. */
  async #check(broker: Broker): Promise<void> {
    const name = brokerName(broker);
    if (this.#checking || !this.#formerly.has(name)) return;
    this.#checking = true;
    try {
      const now = await this.brokers(AbortSignal.timeout(this.connections.requestTimeoutMs));
      if (!now.some((one) => brokerName(one) === name)) {
        await this.connections.abandon(broker, new NetworkError("the cluster has removed it"));
      }
    } catch {
      // No other broker responds either: the requests time out.
    } finally {
      this.#checking = false;
    }
  }
}
