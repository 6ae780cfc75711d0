// The brokers of a cluster: which there are, which one answers, and which has been given up.
import { settled } from "../../../base/wait.ts";
import { NetworkError, ResponseError, ThrottledError } from "../protocol/errors.ts";
import { type Broker, brokerName, type KafkaAddress } from "./address.ts";
import type { Connection } from "./connection.ts";
import { Connections } from "./connections.ts";
import { firstOf } from "./race.ts";

/** A broker that has not answered after this time gets company: the next one is asked too. */
const NEXT_BROKER_MS = 400;

/** All brokers that are known, and the connections to them. */
export class Brokers {
  readonly connections: Connections;
  readonly #address: KafkaAddress;
  readonly #refresh: (signal: AbortSignal) => Promise<unknown>;
  #members = new Map<number, Broker>();
  /** The names of all that have ever been members. */
  readonly #formerly = new Set<string>();
  /** Who answered last: asked first. */
  #answered = "";
  #doubting = false;

  /** @param refresh asks the cluster which brokers it has, and calls `update`. */
  constructor(
    address: KafkaAddress,
    timeoutMs: number,
    refresh: (signal: AbortSignal) => Promise<unknown>,
  ) {
    this.#address = address;
    this.#refresh = refresh;
    this.connections = new Connections(address, timeoutMs, (broker) => void this.#doubt(broker));
  }

  /** The cluster's members, by their ids. */
  get members(): ReadonlyMap<number, Broker> {
    return this.#members;
  }

  /** Notes which brokers the cluster has now. */
  update(members: readonly (Broker & { readonly nodeId: number })[]): void {
    this.#members = new Map(members.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    for (const broker of members) this.#formerly.add(brokerName(broker));
  }

  /**
   * Makes a request of any broker: of the one that answered last first, and of the others beside it as
   * soon as it fails or is slow.
   */
  async any<T>(
    signal: AbortSignal,
    request: (connection: Connection, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return await firstOf(this.#candidates(), async (broker, signal) => {
      const connection = await settled(this.connections.get(broker, "main"), signal);
      const answered = () => {
        if (!signal.aborted) this.#answered = brokerName(broker);
      };
      try {
        const response = await request(connection, signal);
        answered();
        return response;
      } catch (error) {
        if (error instanceof ResponseError) answered();
        throw error;
      }
    }, {
      delayMs: Math.min(NEXT_BROKER_MS, this.connections.patienceMs),
      signal,
      goOn: (error) => error instanceof NetworkError || error instanceof ThrottledError,
    });
  }

  /** All brokers that are known, the most promising first. */
  #candidates(): Broker[] {
    const brokers = [...this.#members.values(), ...this.#address.brokers];
    const byName = new Map(brokers.map((broker) => [brokerName(broker), broker]));
    const rank = (name: string, broker: Broker) =>
      name === this.#answered ? -Infinity : this.connections.failedAt(broker);
    return [...byName].map(([name, broker]) => ({ broker, rank: rank(name, broker) }))
      .sort((a, b) => a.rank === b.rank ? 0 : a.rank - b.rank)
      .map(({ broker }) => broker);
  }

  /** A broker is silent: if the cluster has given it up, others have taken its place, and waiting does not help. */
  async #doubt(broker: Broker): Promise<void> {
    const name = brokerName(broker);
    if (this.#doubting || !this.#formerly.has(name)) return;
    this.#doubting = true;
    try {
      await this.#refresh(AbortSignal.timeout(this.connections.patienceMs));
      if (![...this.#members.values()].some((one) => brokerName(one) === name)) {
        await this.connections.abandon(broker, new NetworkError("the cluster has given it up"));
      }
    } catch {
      // No other broker answers either: the requests run out of time by themselves.
    } finally {
      this.#doubting = false;
    }
  }
}
