/**
 * Kafka URLs: brokers, TLS and credentials.
 *
 * `kafka://[user:password@]host[:port][,host[:port]…][?tls=true&sasl=…&ca=FILE&cert=FILE&key=FILE&token=FILE&rack=NAME]`
 *
 * @module
 */
import { messageOf } from "../../../base/errors.ts";
import { shown } from "../../../base/options.ts";
import { LogError } from "../../log.ts";

export interface Broker {
  readonly host: string;
  readonly port: number;
}

/** Whether a host is an IP address, not a name. */
export function isAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(":");
}

export type Credentials =
  | {
    readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
    readonly username: string;
    readonly password: string;
  }
  | {
    readonly mechanism: "OAUTHBEARER";
    /** Read at each login, since tokens expire and the file is renewed. */
    readonly token: () => Promise<string>;
  };

/** Certificates and key in PEM. */
export interface Tls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name expected in the broker's certificate; default: the host. */
  readonly serverName?: string | undefined;
}

export interface KafkaAddress {
  /** The bootstrap brokers. */
  readonly brokers: readonly Broker[];
  /** The URL without user, password and paths of keys. */
  readonly url: string;
  readonly tls: Tls | undefined;
  readonly credentials: Credentials | undefined;
  /** The client's rack: replicas in the same rack are preferred for reading. */
  readonly rack: string | undefined;
}

const FORM =
  "expected kafka://host:port[,host:port][?tls=true&sasl=plain], with user:password@ before the first host to log in";
const MECHANISMS = {
  "plain": "PLAIN",
  "scram-sha-256": "SCRAM-SHA-256",
  "scram-sha-512": "SCRAM-SHA-512",
} as const;
const PARAMETERS = ["tls", "sasl", "ca", "cert", "key", "servername", "token", "rack"];
/** Parameters that the shown URL omits. */
const HIDDEN = ["cert", "key", "token"];

/**
 * Parses the URL and reads the certificates.
 *
 * @throws {LogError} `INVALID`; the message never contains a password
 */
export async function parseAddress(
  url: string,
  readFile: (path: string) => Promise<string> = Deno.readTextFile,
): Promise<KafkaAddress> {
  const match = /^kafka:\/\/(?:(?<login>.*)@)?(?<hosts>[^/?@]+)\/?(?:\?(?<query>.*))?$/.exec(url);
  if (match === null) throw invalid(`Cannot use the Kafka address: ${FORM}`);
  const { login, hosts, query } = match.groups as Record<string, string | undefined>;
  const brokers = hosts!.split(",").map(parseBroker);
  const parameters = new URLSearchParams(query ?? "");
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name)) {
      throw invalid(
        `Cannot use parameter ${shown(name)} of the Kafka address: expected ${
          PARAMETERS.join(", ")
        }`,
      );
    }
  }
  const credentials = parseCredentials(login, parameters, readFile);
  const tls = await parseTls(parameters, readFile);
  const kept = [...parameters]
    .filter(([name]) => !HIDDEN.includes(name))
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2F", "/")}`)
    .join("&");
  return {
    brokers,
    url: `kafka://${brokers.map(brokerName).join(",")}${kept === "" ? "" : `?${kept}`}`,
    tls,
    credentials,
    rack: parameters.get("rack") ?? undefined,
  };
}

/** `host:port` */
export function brokerName({ host, port }: Broker): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseBroker(text: string): Broker {
  const match = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[\w.-]+))(?::(?<port>\d+))?$/i.exec(text);
  const { v6, name, port: digits } = (match?.groups ?? {}) as Record<string, string | undefined>;
  const host = v6 ?? name;
  const port = Number(digits ?? 9092);
  if (host === undefined || port < 1 || port > 65_535) {
    throw invalid(`Cannot use Kafka broker ${shown(text)}: expected host:port`);
  }
  return { host, port };
}

function parseCredentials(
  login: string | undefined,
  parameters: URLSearchParams,
  readFile: (path: string) => Promise<string>,
): Credentials | undefined {
  const sasl = parameters.get("sasl");
  const token = parameters.get("token");
  const mechanism = (sasl ?? "plain").toLowerCase();
  if (mechanism === "oauthbearer") {
    if (token !== null && login === undefined) {
      return { mechanism: "OAUTHBEARER", token: () => readNamed("token", token, readFile) };
    }
    throw invalid("Cannot log in to Kafka with sasl=oauthbearer: expected token=FILE and no user");
  }
  if (token !== null) throw invalid("Cannot use token= without sasl=oauthbearer");
  if (login === undefined && sasl === null) return undefined;
  if (!(mechanism in MECHANISMS)) {
    throw invalid(
      `Cannot use SASL mechanism ${shown(sasl)}: expected ${
        [...Object.keys(MECHANISMS), "oauthbearer"].join(", ")
      }`,
    );
  }
  const colon = login?.indexOf(":") ?? -1;
  if (login === undefined || colon < 1) {
    throw invalid("Cannot log in to Kafka: expected user:password@ before the host");
  }
  try {
    return {
      mechanism: MECHANISMS[mechanism as keyof typeof MECHANISMS],
      username: decodeURIComponent(login.slice(0, colon)),
      password: decodeURIComponent(login.slice(colon + 1)),
    };
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw invalid("Cannot decode user or password of the Kafka address: expected % as %25");
  }
}

async function parseTls(
  parameters: URLSearchParams,
  readFile: (path: string) => Promise<string>,
): Promise<Tls | undefined> {
  const files = ["ca", "cert", "key"].filter((name) => parameters.has(name));
  const tls = parameters.get("tls") ?? (files.length > 0 ? "true" : "false");
  if (tls !== "true" && tls !== "false") {
    throw invalid(`Cannot use tls=${shown(tls)}: expected true or false`);
  }
  if (tls === "false") {
    if (files.length > 0) throw invalid(`Cannot use ${files.join(", ")} with tls=false`);
    return undefined;
  }
  if (parameters.has("cert") !== parameters.has("key")) {
    throw invalid("Cannot use a client certificate: expected both cert and key");
  }
  const texts = await Promise.all(
    files.map(async (name) => [name, await readNamed(name, parameters.get(name)!, readFile)]),
  );
  return { ...Object.fromEntries(texts), serverName: parameters.get("servername") ?? undefined };
}

async function readNamed(
  name: string,
  path: string,
  readFile: (path: string) => Promise<string>,
): Promise<string> {
  try {
    return await readFile(path);
  } catch (error) {
    throw invalid(`Cannot read ${name} ${shown(path)}: ${messageOf(error)}`);
  }
}

function invalid(message: string): LogError {
  return new LogError("INVALID", message);
}
