// The files and hosts that options, sinks and sources open. The launcher grants Deno only what a run's own
// options open.

/**
 * What a value opens:
 * - `folder`: read and write below a folder;
 * - `file`: read and write one file;
 * - `database`: read and write an SQLite file and the files SQLite keeps beside it;
 * - `file-folder`: read and write below the folder that holds a file;
 * - `read`: read a file or below a folder;
 * - `clips`: read a folder, or the folder that holds a list of clips;
 * - `beside`: read below the folder that holds a file;
 * - `query`: read the files of a query's project;
 * - `log`: `embedded:DIR` or `kafka://…`; `existing-log`: the same, and a missing folder is not made;
 * - `source`, `sink`: see their tables;
 * - `listen`: a port on the address that `--host` names; `metrics`: a port on 127.0.0.1;
 * - `model`: read a model's folder and write a manifest there;
 * - `paths-read`, `paths-write`, `hosts`, `libraries`: the comma-separated list in the value.
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
  | "existing-log"
  | "source"
  | "sink"
  | "listen"
  | "metrics"
  | "model"
  | "paths-read"
  | "paths-write"
  | "hosts"
  | "libraries";

/** Local ports of the relays between FFmpeg and RTSP cameras: one for each process with cameras. */
export const RELAY_PORTS: readonly number[] = Array.from({ length: 256 }, (_, i) => 39_554 + i);

/** What the target and the options of a sink's or source's URI open. */
export interface UriAccess {
  /**
   * `file`: writes the folder of the file; `stream`: a host, and the relays through which FFmpeg reaches it;
   * `module`: the user's own code.
   */
  readonly target?: "folder" | "file" | "read" | "host" | "device" | "stream" | "module";
  /** Ports of the host to open besides the one in its address. */
  readonly ports?: readonly number[];
  /** Separates the target from the options; `?` by default. */
  readonly mark?: string;
  readonly options?: Readonly<Record<string, AccessWord>>;
}

/** A URI parsed according to its table. */
interface OpenedUri {
  readonly opens: UriAccess["target"];
  /** The part after the scheme, without options. */
  readonly target: string;
  /** A web address; empty if the URI holds none. */
  readonly url: string;
  readonly ports?: readonly number[];
  readonly options: readonly (readonly [AccessWord, string])[];
}

/** A path of a user's own module, and the rest of the URI. */
export interface ModuleUri {
  /** Path or `file:` URL. */
  readonly path: string;
  /** With its leading colon or question mark. */
  readonly rest: string;
}

/**
 * Parses a URI that names a user's own module (`./postgres.ts:TABLE`); undefined for all others.
 *
 * @param amongFiles whether it could also name a file, such as a recording `./film.ts`: then a module needs a
 * colon
 */
export function moduleOf(uri: string, amongFiles: boolean): ModuleUri | undefined {
  const [, path, rest] =
    /^((?:\.{0,2}\/|file:\/\/)[^?#]*?\.[cm]?[jt]s)(?=[:?#]|$)(.*)$/s.exec(uri) ?? [];
  if (path === undefined || rest === undefined) return undefined;
  return amongFiles && !rest.startsWith(":") ? undefined : { path, rest };
}

/** What a URI opens. A URI whose scheme is not in the table is looked up as "". */
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
 * Whether Deno accepts this text as a host permission: a name, an IPv4 address, an IPv6 address in brackets,
 * with or without a port; also `*.example.org` and `10.0.0.0/8`.
 */
export function isHost(text: string): boolean {
  const [, host, port = ""] =
    /^(\[[\da-f:.]+\]|(?:\*\.)?[\w-]+(?:\.[\w-]+)*\.?)(?:\/\d{1,3})?(?::(\d+))?$/i.exec(text) ?? [];
  return host !== undefined && Number(port) <= 65_535 &&
    (!host.startsWith("[") || URL.canParse(`http://${host}`));
}

/** The URL's host with its port, and with each of `ports`. */
export function hostsOf(url: string, ports: readonly number[] = []): string[] {
  const { hostname, port, protocol } = new URL(url);
  const own = port || DEFAULT_PORTS[protocol];
  return [own ?? [], ports].flat().map((one) => `${hostname}:${one}`);
}
