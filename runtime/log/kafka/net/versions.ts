// The versions of requests that a broker supports.
import { type AnyApi, API_VERSIONS, type Call, checked } from "../protocol/api.ts";
import { UnsupportedError } from "../protocol/errors.ts";
import type { RequestWriter, ResponseReader } from "../protocol/wire.ts";
import { CLIENT_ID } from "./framing.ts";

type Ranges = ReadonlyMap<number, readonly [lowest: number, highest: number]>;

export class Versions {
  readonly #broker: string;
  readonly #known: Ranges;
  readonly #calls = new Map<AnyApi, Call>();

  constructor(broker: string, known: Ranges) {
    this.#broker = broker;
    this.#known = known;
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

interface Requester {
  readonly broker: string;
  request<T>(
    call: Call,
    write: (to: RequestWriter) => void,
    read: (from: ResponseReader) => T,
  ): Promise<T>;
}

export async function requestVersions(connection: Requester): Promise<Versions> {
  const send = (version: number) => {
    const { name, key, request, response } = API_VERSIONS;
    const flexible = version >= API_VERSIONS.flexible;
    const call = { name, key, version, flexible, flexibleResponse: false };
    const body = { clientSoftwareName: CLIENT_ID, clientSoftwareVersion: "0" };
    return connection.request(
      call,
      (to) => request.write(to, body, call),
      (from) =>
        // A broker that does not support the version responds with version 0.
        from.peekInt16() === 0
          ? response.read(from, call)
          : { errorCode: from.int16(), apiKeys: [], throttleTimeMs: 0 },
    );
  };
  const [oldest, newest] = API_VERSIONS.versions;
  let response = await send(newest);
  if (response.errorCode !== 0) response = await send(oldest);
  const { apiKeys } = checked(response);
  const known = apiKeys.map(({ apiKey, minVersion, maxVersion }) =>
    [apiKey, [minVersion, maxVersion]] as const
  );
  return new Versions(connection.broker, new Map(known));
}
