// What options, sinks and sources open: files to read or write, hosts to reach. The launcher starts
// Deno with what a run's own options open, and with nothing else.

/**
 * What a value opens:
 * - `folder`: writing and reading below a folder;
 * - `file`: writing and reading one file;
 * - `database`: writing and reading a file of SQLite, and what that keeps beside it;
 * - `file-folder`: writing and reading below the folder that holds a file;
 * - `read`: reading a file or below a folder;
 * - `clips`: reading a folder, or the folder that holds a list of clips;
 * - `beside`: reading below the folder that holds a file;
 * - `query`: reading the files of a query's project;
 * - `log`: `embedded:DIR` or `kafka://…`; `source`, `sink`: see their tables;
 * - `listen`: a port on the address that `--host` names; `metrics`: a port on 127.0.0.1;
 * - `model`: reading a model's folder and writing a manifest there;
 * - `paths-read`, `paths-write`, `hosts`, `libraries`: what the value lists, comma-separated.
 */
export type AccessWord =
  | "folder"
  | "file"
  | "database"
  | "file-folder"
  | "read"
  | "clips"
  | "beside"
  | "query"
  | "log"
  | "source"
  | "sink"
  | "listen"
  | "metrics"
  | "model"
  | "paths-read"
  | "paths-write"
  | "hosts"
  | "libraries";

/** Ports on this machine where a camera's login and certificate are taken care of for FFmpeg. */
export const RELAY_PORTS: readonly number[] = Array.from({ length: 32 }, (_, i) => 39_554 + i);

/** What a sink's or a source's URI opens, by its target and by its options. */
export interface UriAccess {
  /**
   * `file`: the folder of the file is written; `stream`: a host that FFmpeg reaches by itself, or by a
   * relay; `module`: code of the user's.
   */
  readonly target?: "folder" | "file" | "read" | "host" | "device" | "stream" | "module";
  /** Ports of a host that it reaches besides that of its address. */
  readonly ports?: readonly number[];
  /** What options follow; `?` unless given. */
  readonly mark?: string;
  readonly options?: Readonly<Record<string, AccessWord>>;
}

/** A URI, taken apart by what its table says. */
interface OpenedUri {
  readonly opens: UriAccess["target"];
  /** What follows the scheme, without options. */
  readonly target: string;
  /** A web address; empty where the URI holds none. */
  readonly url: string;
  readonly ports?: readonly number[];
  /** Options that open something. */
  readonly options: readonly (readonly [AccessWord, string])[];
}

/** A path of a user's own module, and what follows it. */
export interface ModuleUri {
  /** Path or `file:` URL. */
  readonly path: string;
  /** With the colon or the mark that begins it. */
  readonly rest: string;
}

/**
 * A URI that names a module of a user's own: `./postgres.ts:TABLE`; undefined for all others.
 *
 * @param amongFiles whether it could name a file as well, such as a recording `./film.ts`: then a colon
 * must follow a module
 */
export function moduleOf(uri: string, amongFiles: boolean): ModuleUri | undefined {
  const [, path, rest] =
    /^((?:\.{0,2}\/|file:\/\/)[^?#]*?\.[cm]?[jt]s)(?=[:?#]|$)(.*)$/s.exec(uri) ?? [];
  if (path === undefined || rest === undefined) return undefined;
  return amongFiles && !rest.startsWith(":") ? undefined : { path, rest };
}

/** What a URI opens. One without a scheme of the table is looked up as "". */
export function openedBy(table: Readonly<Record<string, UriAccess>>, uri: string): OpenedUri {
  const module = moduleOf(uri, table[""] !== undefined);
  if (module !== undefined) return { opens: "module", target: module.path, url: "", options: [] };
  const scheme = /^([a-z][a-z0-9+]+):/i.exec(uri)?.[1]?.toLowerCase() ?? "";
  const known = scheme !== "" && Object.hasOwn(table, scheme) ? table[scheme] : undefined;
  const { target: opens, ports = [], mark = "?", options = {} } = known ?? table[""] ?? {};
  const rest = known === undefined ? uri : uri.slice(scheme.length + 1);
  const end = rest.indexOf(mark);
  const target = end < 0 ? rest : rest.slice(0, end);
  const parameters = new URLSearchParams(end < 0 ? "" : rest.slice(end + 1));
  return {
    opens,
    ports,
    target,
    url: target.startsWith("//") ? uri : URL.canParse(target) ? target : "",
    options: Object.entries(options).flatMap(([name, word]) => {
      const value = parameters.get(name);
      return value === null ? [] : [[word, value] as const];
    }),
  };
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "rtsp:": 554,
  "rtsp+udp:": 554,
  "rtsps:": 322,
};

/**
 * Whether Deno grants what this text names: a name, an IPv4 address, an IPv6 address in brackets, with
 * or without a port; `*.example.org` and `10.0.0.0/8` as well.
 */
export function isHost(text: string): boolean {
  const [, host, port = ""] =
    /^(\[[\da-f:.]+\]|(?:\*\.)?[\w-]+(?:\.[\w-]+)*\.?)(?:\/\d{1,3})?(?::(\d+))?$/i.exec(text) ?? [];
  return host !== undefined && Number(port) <= 65_535 &&
    (!host.startsWith("[") || URL.canParse(`http://${host}`));
}

/** The host of the address of a page or a stream, with its port, and with each of the others in `ports`. */
export function hostsOf(url: string, ports: readonly number[] = []): string[] {
  const { hostname, port, protocol } = new URL(url);
  const own = port || DEFAULT_PORTS[protocol];
  return [own ?? [], ports].flat().map((one) => `${hostname}:${one}`);
}
