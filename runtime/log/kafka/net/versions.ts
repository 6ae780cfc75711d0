// Which versions of requests a broker knows.
import { API_VERSIONS, type Call, checked, errorOf, type Spoken } from "../protocol/api.ts";
import { ClosedError, UnsupportedError } from "../protocol/errors.ts";
import type { RequestWriter, ResponseReader } from "../protocol/wire.ts";
import { CLIENT_ID } from "./framing.ts";

/** What a broker knows, by the numbers of requests. */
export class Versions {
  /** Before it was asked for, and of a broker that closes the connection when it is asked: the highest are tried. */
  static readonly unknown = new Versions("");
  readonly #broker: string;
  readonly #known: ReadonlyMap<number, readonly [lowest: number, highest: number]> | undefined;

  constructor(
    broker: string,
    known?: ReadonlyMap<number, readonly [lowest: number, highest: number]>,
  ) {
    this.#broker = broker;
    this.#known = known;
  }

  /**
   * The version of a request that is spoken: the highest that both sides know.
   *
   * @throws {UnsupportedError} when there is none.
   */
  of({ name, key, versions: [lowest, highest] }: Spoken): number {
    if (this.#known === undefined) return highest;
    const known = this.#known.get(key);
    const version = Math.min(highest, known?.[1] ?? -1);
    if (known === undefined || version < lowest || version < known[0]) {
      const theirs = known === undefined ? "not at all" : `in versions ${known.join(" to ")}`;
      throw new UnsupportedError(
        `the broker at ${this.#broker} knows the request ${name} ${theirs}; expected one of the versions ${lowest} to ${highest} (Apache Kafka 2.5 and later have them)`,
      );
    }
    return version;
  }

  /** Whether the broker knows a request in a version that is spoken. */
  has(request: Spoken): boolean {
    try {
      return this.of(request) >= 0;
    } catch (error) {
      if (error instanceof UnsupportedError) return false;
      throw error;
    }
  }

  /** A request in the version that is spoken. */
  call(request: Spoken): Call {
    const { name, key, flexible } = request;
    const version = this.of(request);
    return { name, key, version, flexible: version >= flexible };
  }
}

/** What sends a request. */
interface Requester {
  request<T>(
    call: Call,
    write: (to: RequestWriter) => void,
    read: (from: ResponseReader) => T,
  ): Promise<T>;
}

/** Asks a broker. */
export async function askVersions(connection: Requester, broker: string): Promise<Versions> {
  const ask = (version: number) => {
    const { name, key, request, response } = API_VERSIONS;
    const flexible = version >= API_VERSIONS.flexible;
    const call = { name, key, version, flexible, flexibleResponse: false };
    const body = { clientSoftwareName: CLIENT_ID, clientSoftwareVersion: "0" };
    return connection.request(
      call,
      (to) => request.write(to, body, call),
      (from) =>
        // A broker that does not know the version answers in the form of version 0.
        errorOf(API_VERSIONS, from.peekInt16()) === undefined
          ? response.read(from, call)
          : { errorCode: from.int16(), apiKeys: [], throttleTimeMs: 0 },
    );
  };
  const [oldest, newest] = API_VERSIONS.versions;
  let response = await ask(newest);
  if (response.errorCode !== 0) response = await ask(oldest);
  const { apiKeys } = checked(API_VERSIONS, response);
  return new Versions(
    broker,
    new Map(
      apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, [minVersion, maxVersion]]),
    ),
  );
}

/** The error of a broker that closed the connection when its first request was this one. */
export function closedOn(
  call: Call | undefined,
  versions: Versions,
  loggedIn: boolean,
): ClosedError {
  if (call === undefined || call.key === API_VERSIONS.key) {
    return new ClosedError("it closed the connection");
  }
  if (versions === Versions.unknown) {
    return new ClosedError(
      `it closed the connection when asked for ${call.name} in version ${call.version}, and before that for its versions (ApiVersions): expected Apache Kafka 2.5 or later`,
    );
  }
  const hint = loggedIn ? "" : ": it may want a login (user:password@ before the host)";
  return new ClosedError(`it closed the connection at the first request${hint}`);
}
