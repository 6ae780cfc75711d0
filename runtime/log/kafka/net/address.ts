/**
 * Kafka URLs: brokers, TLS and credentials.
 *
 * `kafka://[user:password@]host[:port][,host[:port]…][?tls=true&sasl=…&ca=FILE&cert=FILE&key=FILE&token=FILE&rack=NAME]`
 *
 * @module
 */
import { isHost } from "../../../base/access.ts";
import { messageOf } from "../../../base/errors.ts";
import { readGiven } from "../../../base/given_file.ts";
import { maskUrl } from "../../../base/mask.ts";
import { given, repeated, shown } from "../../../base/options.ts";
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

/** An address whose files are not read yet. */
interface KafkaUrl extends Omit<KafkaAddress, "tls" | "credentials"> {
  readonly tls: { readonly files: readonly string[]; readonly serverName?: string } | undefined;
  readonly credentials: Exclude<Credentials, { token: unknown }> | "token" | undefined;
  readonly parameters: URLSearchParams;
}

/**
 * Parses the URL and reads the certificates.
 *
 * @throws {LogError} `INVALID`; the message never contains a password
 */
export async function parseAddress(
  url: string,
  readFile: (path: string) => Promise<string> = (path) => Promise.try(readGiven, path),
): Promise<KafkaAddress> {
  const { tls, credentials, parameters, ...rest } = parseKafkaUrl(url);
  const readNamed = async (name: string): Promise<string> => {
    const path = parameters.get(name)!;
    try {
      return await readFile(path);
    } catch (error) {
      throw invalid(url, [`cannot read ${name} ${shown(path)}: ${messageOf(error)}`]);
    }
  };
  const texts = (tls?.files ?? []).map(async (name) => [name, await readNamed(name)]);
  return {
    ...rest,
    tls: tls && { ...Object.fromEntries(await Promise.all(texts)), serverName: tls.serverName },
    credentials: credentials === "token"
      ? { mechanism: "OAUTHBEARER", token: () => readNamed("token") }
      : credentials,
  };
}

/**
 * Parses the URL.
 *
 * @throws {LogError} `INVALID`, naming every fault; the message never contains a password
 */
export function parseKafkaUrl(url: string): KafkaUrl {
  const match = /^kafka:\/\/(?:(?<login>.*)@)?(?<hosts>[^/?@]+)\/?(?:\?(?<query>.*))?$/s.exec(url);
  if (match === null) throw invalid(url, [FORM]);
  const faults: string[] = [];
  const { login, hosts, query } = match.groups as Record<string, string | undefined>;
  const brokers = hosts!.split(",").map((text) => parseBroker(text, faults));
  const parameters = new URLSearchParams(query ?? "");
  faults.push(...repeated(parameters, PARAMETERS));
  for (const [name, value] of parameters) {
    if (PARAMETERS.includes(name)) continue;
    // A name without a value may be the end of a password.
    const given = value === "" ? "" : ` ${shown(name)}`;
    faults.push(`unknown parameter${given}, expected ${PARAMETERS.join(", ")}`);
  }
  const credentials = parseCredentials(login, parameters, faults);
  const tls = parseTls(parameters, faults);
  if (faults.length > 0) throw invalid(url, faults);
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
    parameters,
  };
}

/** `host:port` */
export function brokerName({ host, port }: Broker): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseBroker(text: string, faults: string[]): Broker {
  const match = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[\w.-]+))(?::(?<port>\d+))?$/i.exec(text);
  const { v6, name, port: digits } = (match?.groups ?? {}) as Record<string, string | undefined>;
  const host = v6 ?? name ?? "";
  const port = Number(digits ?? 9092);
  if (!isHost(text) || host === "" || port < 1) {
    faults.push(`broker ${shown(text)}, expected host:port`);
  }
  return { host, port };
}

function parseCredentials(
  login: string | undefined,
  parameters: URLSearchParams,
  faults: string[],
): KafkaUrl["credentials"] {
  const sasl = parameters.get("sasl");
  const hasToken = parameters.has("token");
  const mechanism = (sasl ?? "plain").toLowerCase();
  if (mechanism === "oauthbearer") {
    if (!hasToken || login !== undefined) {
      faults.push("sasl=oauthbearer, expected token=FILE and no user");
    }
    return "token";
  }
  if (hasToken) faults.push("token without sasl=oauthbearer");
  if (login === undefined && sasl === null) return undefined;
  if (!Object.hasOwn(MECHANISMS, mechanism)) {
    const accepted = [...Object.keys(MECHANISMS), "oauthbearer"].join(", ");
    faults.push(`sasl is ${shown(sasl)}, expected ${accepted}`);
  }
  const colon = login?.indexOf(":") ?? -1;
  if (login === undefined || colon < 1) {
    faults.push("no login, expected user:password@ before the host");
    return undefined;
  }
  try {
    return {
      mechanism: MECHANISMS[mechanism as keyof typeof MECHANISMS],
      username: decodeURIComponent(login.slice(0, colon)),
      password: decodeURIComponent(login.slice(colon + 1)),
    };
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    faults.push("user or password cannot be decoded, expected % as %25");
  }
}

function parseTls(parameters: URLSearchParams, faults: string[]): KafkaUrl["tls"] {
  const files = ["ca", "cert", "key"].filter((name) => parameters.has(name));
  const tls = parameters.get("tls") ?? (files.length > 0 ? "true" : "false");
  if (tls !== "true" && tls !== "false") {
    faults.push(`tls is ${shown(tls)}, expected true or false`);
  }
  if (parameters.has("cert") !== parameters.has("key")) {
    faults.push(`${parameters.has("cert") ? "cert" : "key"} alone, expected both cert and key`);
  }
  if (tls !== "false") {
    return { files, ...given({ serverName: parameters.get("servername") ?? undefined }) };
  }
  const without = parameters.has("servername") ? [...files, "servername"] : files;
  if (without.length > 0) faults.push(`${without.join(", ")} with tls=false, expected tls=true`);
}

/** The URL without its secrets: what an unknown parameter holds may be one, whatever its name. */
export function maskKafkaUrl(url: string): string {
  return maskUrl(url).replaceAll(
    /([?&])([^=&]*)(=?)[^&]*/g,
    (all, before, name, equals) =>
      PARAMETERS.includes(name) ? all : `${before}${equals && name}${equals}***`,
  );
}

function invalid(url: string, faults: readonly string[]): LogError {
  return new LogError(
    "INVALID",
    `Cannot open log ${shown(maskKafkaUrl(url))}: ${faults.join("; ")}`,
  );
}
