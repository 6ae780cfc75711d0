// Sends a transaction's requests although a quota is exceeded: a transaction that waits may time out, and
// so may each repetition. The next transaction waits instead.
import { systemClock } from "../../../base/clock.ts";
import type { Connection } from "../net/connection.ts";

/** Further connections to one broker. Beyond them a request waits. */
const MAX_BESIDE = 100;

export class UnthrottledRequests {
  readonly #channel: string;
  #owedUntil = -Infinity;

  constructor(channel: string) {
    this.#channel = channel;
  }

  /** How long quotas want no further requests, milliseconds. */
  get owedMs(): number {
    return Math.max(0, this.#owedUntil - systemClock.monotonic());
  }

  /** Sends a request over the first connection to the broker that no quota holds up. */
  async send<T>(
    connect: (channel: string) => Promise<Connection>,
    request: (to: Connection) => Promise<T>,
  ): Promise<T> {
    let connection = await connect(this.#channel);
    for (let beside = 1; connection.throttledMs > 0 && beside <= MAX_BESIDE; beside++) {
      connection = await connect(`${this.#channel}-${beside}`);
    }
    try {
      return await request(connection);
    } finally {
      const until = systemClock.monotonic() + connection.throttledMs;
      this.#owedUntil = Math.max(this.#owedUntil, until);
    }
  }
}
