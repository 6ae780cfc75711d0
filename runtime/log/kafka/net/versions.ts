// The versions of requests that a broker supports.
import type { AnyApi, API_VERSIONS, Call } from "../protocol/api.ts";
import { UnsupportedError } from "../protocol/errors.ts";
import type { Value } from "../protocol/fields.ts";

export class Versions {
  readonly #broker: string;
  readonly #known: ReadonlyMap<number, readonly [lowest: number, highest: number]>;
  readonly #calls = new Map<AnyApi, Call>();

  constructor(broker: string, known: Value<typeof API_VERSIONS.response>["apiKeys"]) {
    this.#broker = broker;
    this.#known = new Map(
      known.map(({ apiKey, minVersion, maxVersion }) => [apiKey, [minVersion, maxVersion]]),
    );
  }

  has({ key, versions: [lowest, highest] }: AnyApi): boolean {
    const [first, last] = this.#known.get(key) ?? [0, -1];
    return Math.min(highest, last) >= Math.max(lowest, first);
  }

  /**
   * A request in the highest version that both sides support.
   *
   * @throws {UnsupportedError}
   */
  call(api: AnyApi): Call {
    const used = this.#calls.get(api);
    if (used !== undefined) return used;
    const { name, key, flexible, versions: [lowest, highest] } = api;
    const known = this.#known.get(key);
    if (known === undefined || !this.has(api)) {
      const theirs = known === undefined
        ? `does not support ${name}`
        : `supports ${name} in versions ${known.join(" to ")}`;
      throw new UnsupportedError(
        `the broker at ${this.#broker} ${theirs}: expected one of the versions ${lowest} to ${highest} (Apache Kafka 2.5 or later)`,
      );
    }
    const version = Math.min(highest, known[1]);
    const call = { name, key, version, flexible: version >= flexible };
    this.#calls.set(api, call);
    return call;
  }
}
