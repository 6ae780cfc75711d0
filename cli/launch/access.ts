// What a run of a command may touch, worked out from its own options. The option tables say with a
// word what a value opens (`AccessWord`); `table.json` is made from them.
import {
  type AccessWord,
  hostsOf,
  isHost,
  openedBy,
  RELAY_PORTS,
  type UriAccess,
} from "../../runtime/base/access.ts";
import { unfinishedOf } from "../../runtime/base/folders.ts";
import type { Needs } from "../../runtime/definition/plan_access.ts";
import { environmentName, tokensOf } from "./arguments.ts";
import { absolute, isThere, parentOf, pathInUrl, statOf } from "./paths.ts";

/** Packages with native code, see `native.ts`. */
export type NativeName = "jpeg" | "sharp" | "ffmpeg" | "onnx";

/** A command's row of `table.json`. */
export interface LaunchRow {
  readonly switches: readonly string[];
  /** Options that open something, and those that they depend on. */
  readonly options: Readonly<
    Record<string, { opens?: AccessWord; default?: string; multiple?: true }>
  >;
  /** What each positional opens; or, by the first positional, what the later ones open. */
  readonly positionals?: AccessWord | Readonly<Record<string, AccessWord>>;
  readonly native?: readonly NativeName[];
  /** Folders below the current one that the command always writes to. */
  readonly writes?: readonly string[];
  /** Names in Framelane's folder that count as code elsewhere, and that this command writes to. */
  readonly authors?: readonly string[];
  /** Default file whose settings replace the options of `queries` and `camera`. */
  readonly file?: string;
  /**
   * By the first positional: access that is unknown at the start. `read` and `net` are unlimited without an
   * `--allow-…`, `relays` are the ports for RTSP cameras.
   */
  readonly wide?: Readonly<Record<string, readonly ("read" | "net" | "relays")[]>>;
  /** Connects to this machine only, at any port. */
  readonly local?: boolean;
  /** Default port of the viewer. */
  readonly listens?: number;
  /** Programs that it starts; such a command has no kernel fence. */
  readonly runs?: readonly string[];
  readonly sys?: readonly string[];
  readonly v8?: string;
}

/** `table.json`. */
export interface LaunchTable {
  readonly commands: Readonly<Record<string, LaunchRow>>;
  readonly sinks: Readonly<Record<string, UriAccess>>;
  readonly sources: Readonly<Record<string, UriAccess>>;
  /** The queries that come with Framelane, whose types the gate has checked, and what their executors need. */
  readonly queries: Readonly<Record<string, Needs | null>>;
}

/** A path that the run may write below, and the words that name it. */
export interface WritablePath {
  readonly path: string;
  readonly why: string;
  /** A file; absent: a folder with all below. The kernel allows a database's whole folder. */
  readonly kind?: "file" | "database";
}

/** Everything that a run may touch. */
export interface Access {
  readonly read: Set<string>;
  /** Folders of files that are read again when others take their place: the kernel's rules follow files, not names. */
  readonly replaced: Set<string>;
  readonly write: WritablePath[];
  /** `host`, `host:port`; undefined when any may be reached. */
  net: Set<string> | undefined;
  /** Undefined when all may be read. */
  everything: boolean;
  /** Where the run listens, as `host:port`; part of `net`. */
  readonly listens: Set<string>;
  readonly libraries: Set<string>;
  /** Files that hold code of this run besides Framelane's own. */
  readonly code: Set<string>;
  /** Queries by their names in `queries/`. */
  readonly named: Set<string>;
}

/** Options of a file that says what cameras and queries say with theirs: see `LaunchRow.file`. */
export function fileRow({ commands }: LaunchTable): LaunchRow {
  const [queries, camera] = [commands["queries"]!, commands["camera"]!];
  const source = { opens: "source" } as const;
  return { ...queries, options: { ...camera.options, source, ...queries.options } };
}

/** Works out what a command line opens. */
export class AccessPlan {
  readonly access: Access = {
    read: new Set(),
    replaced: new Set(),
    write: [],
    net: new Set(),
    everything: false,
    listens: new Set(),
    libraries: new Set(),
    code: new Set(),
    named: new Set(),
  };
  readonly #table: LaunchTable;
  readonly #base: string;
  readonly #without: readonly AccessWord[];
  #host = "127.0.0.1";

  /**
   * @param base the current folder.
   * @param without words that open nothing here; `sink` stands for what the command always writes to as well.
   */
  constructor(table: LaunchTable, base: string, without: readonly AccessWord[] = []) {
    this.#table = table;
    this.#base = base;
    this.#without = without;
  }

  /** Reads a command's arguments and environment. */
  of(
    row: LaunchRow,
    argv: readonly string[],
    environment: (name: string) => string | undefined,
  ): Access {
    const forms = Object.fromEntries([
      ...row.switches.map((name) => [name, { switch: true }] as const),
      ...Object.keys(row.options).map((name) => [name, {}] as const),
    ]);
    const given = new Map<string, string[]>();
    const positionals: string[] = [];
    for (const token of tokensOf(argv, forms)) {
      if (token.kind === "positional") positionals.push(token.value);
      else if (token.value !== undefined) {
        given.set(token.name, [...given.get(token.name) ?? [], token.value]);
      }
    }
    const valuesOf = (name: string) => {
      const option = row.options[name];
      const text = environment(environmentName(name));
      const fallback = text === undefined || text === "" ? option?.default : text;
      if (fallback === undefined) return given.get(name) ?? [];
      return given.get(name) ?? (option?.multiple ? fallback.split(/\s+/) : [fallback]);
    };
    this.#host = valuesOf("host")[0] ?? this.#host;
    const listed = (word: AccessWord) =>
      Object.keys(row.options).some((name) =>
        row.options[name]!.opens === word && valuesOf(name).length > 0
      );
    for (const [name, { opens }] of Object.entries(row.options)) {
      if (opens === undefined || this.#without.includes(opens)) continue;
      for (const value of valuesOf(name)) this.#open(opens, value, `--${name} ${value}`);
    }
    const [action = "", ...rest] = positionals;
    const wide = new Map(Object.entries(row.wide ?? {})).get(action) ?? [];
    if (wide.includes("net") && !listed("hosts")) this.access.net = undefined;
    if (wide.includes("read") && !listed("paths-read")) this.access.everything = true;
    // An edit of the file may add a camera on a host that `--allow-net` names.
    const later = wide.includes("relays") || row.file !== undefined && listed("hosts");
    if (later && !this.#without.includes("source")) this.#relays();
    const words = row.positionals;
    const [word, values] = typeof words === "object"
      ? [Object.hasOwn(words, action) ? words[action] : undefined, rest]
      : [words, positionals];
    if (word !== undefined) { for (const value of values) this.#open(word, value, value); }
    if (row.local) this.#net("127.0.0.1");
    const listens = row.listens !== undefined && !this.#without.includes("listen");
    if (listens && valuesOf("port").length === 0) {
      this.#listen(this.#host, String(row.listens));
    }
    if (!this.#without.includes("sink")) {
      for (const folder of row.writes ?? []) this.#open("folder", folder, folder);
    }
    return this.access;
  }

  #open(word: AccessWord, value: string, why: string): void {
    // Not the current folder: the command says what is missing.
    if (value.trim() === "") return;
    const path = absolute(value, this.#base);
    const { access } = this;
    switch (word) {
      case "folder":
        access.write.push({ path, why });
        return;
      case "file":
        for (const each of [path, unfinishedOf(path)]) {
          access.write.push({ path: each, why, kind: "file" });
        }
        return this.#parent(path, why);
      case "database":
        for (const end of ["", "-wal", "-shm", "-journal"]) {
          access.write.push({ path: path + end, why, kind: "database" });
        }
        return this.#parent(path, why);
      case "file-folder":
        // Unfinished output is kept in a folder next to the file.
        access.write.push({ path: parentOf(path), why });
        return;
      case "read":
        access.read.add(path);
        return;
      case "clips":
        access.read.add(statOf(path)?.isFile ? parentOf(path) : path);
        return;
      case "beside":
        access.read.add(parentOf(absolute(pathInUrl(value) ?? value, this.#base)));
        return;
      case "model":
        this.#open("beside", value, why);
        // No manifest is drafted without a model.
        if (!value.endsWith(".onnx") || !isThere(path)) return;
        return this.#open("file", `${parentOf(path)}/model.json`, why);
      case "query":
        if (!/\.[cm]?[jt]s$/.test(value)) return void access.named.add(value);
        access.read.add(projectOf(path));
        access.code.add(path);
        return;
      case "log":
      case "existing-log":
        return this.#log(value, why, word === "log");
      case "sink":
        return this.#uri(this.#table.sinks, value, why);
      case "source":
        return this.#uri(this.#table.sources, value, why);
      case "listen":
        return this.#listen(this.#host, value);
      case "metrics":
        return this.#listen("127.0.0.1", value);
      case "hosts":
        for (const host of value.split(",")) this.#net(host);
        return;
      case "paths-read":
        for (const part of value.split(",")) access.read.add(absolute(part, this.#base));
        return;
      case "paths-write":
        for (const part of value.split(",")) this.#open("folder", part, why);
        return;
      case "libraries":
        for (const part of value.split(",")) access.libraries.add(absolute(part, this.#base));
    }
  }

  /** The folder of a file, where that has to be made. */
  #parent(path: string, why: string): void {
    const folder = parentOf(path);
    if (!isThere(folder)) this.access.write.push({ path: folder, why });
  }

  #listen(host: string, port: string): void {
    if (!/^\d+$/.test(port)) return;
    const place = `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
    // A viewer that others reach sits behind a gate of its own, on any port of this machine.
    const gate = sameHosts(place).length === 1 ? sameHosts("127.0.0.1") : [];
    for (const one of [...sameHosts(place), ...gate]) {
      this.access.listens.add(one);
      this.access.net?.add(one);
    }
  }

  #net(host: string): void {
    if (host === "any") this.access.net = undefined;
    for (const one of sameHosts(host)) this.access.net?.add(one);
  }

  #log(url: string, why: string, makes: boolean): void {
    const [, place, query = ""] = /^([^?]*)\??(.*)$/s.exec(url)!;
    const parameters = new URLSearchParams(query);
    if (place!.startsWith("embedded:")) {
      const folder = place!.slice("embedded:".length);
      const isWritten = makes || isThere(absolute(folder, this.#base));
      return this.#open(isWritten ? "folder" : "read", folder, why);
    }
    // Further brokers of a cluster must be listed with --allow-net.
    const hosts = /^kafka:\/\/(?:[^/]*@)?([^/]*)/s.exec(place!)?.[1] ?? "";
    for (const host of hosts.split(",")) {
      if (host !== "") this.#net(host.replace(/:\d+$/, ""));
    }
    for (const name of ["ca", "cert", "key"]) {
      const file = parameters.get(name);
      if (file !== null) this.access.read.add(absolute(file, this.#base));
    }
    // Another program may replace the file.
    const token = parameters.get("token");
    if (token !== null) this.access.read.add(parentOf(absolute(token, this.#base)));
  }

  #uri(table: LaunchTable["sinks"], uri: string, why: string): void {
    const { opens, target, url, ports, options } = openedBy(table, uri);
    const hosts = URL.canParse(url) ? hostsOf(url, ports) : [];
    for (const [word, value] of options) this.#open(word, value, why);
    // The name of a query is not known yet.
    const named = target.replace(/(?:^|\/)[^/]*\{query\}.*$/s, "");
    switch (opens) {
      case "folder":
        return this.#open("folder", target && (named || "."), why);
      case "file":
        if (named !== target) return this.#open("folder", named || ".", why);
        return this.#open("file-folder", target, why);
      case "read":
        return this.#open("read", pathInUrl(uri) ?? target, why);
      case "device":
        return this.#open("read", "/dev", why);
      case "module":
        return this.#open("query", pathInUrl(target) ?? target, why);
      case "host":
        return hosts.forEach((host) => this.#net(host));
      case "stream":
        for (const host of hosts) this.#net(host);
        if (hosts.length > 0) this.#relays();
    }
  }

  /** Where FFmpeg finds the relays to RTSP cameras; over IPv6 for video over UDP from such an address. */
  #relays(): void {
    for (const name of ["127.0.0.1", "[::1]"]) {
      for (const port of RELAY_PORTS) {
        this.access.listens.add(`${name}:${port}`);
        this.access.net?.add(`${name}:${port}`);
      }
    }
  }
}

/** This machine has several names. Anything but a host opens nothing: the command reports it. */
function sameHosts(host: string): string[] {
  if (!isHost(host)) return [];
  const [, name, port = ""] = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.exec(host) ?? [];
  return name === undefined ? [host] : ["localhost", "127.0.0.1", "[::1]"].map((one) => one + port);
}

/** The folder of the nearest `deno.json` or `package.json` above a module, or its own folder. */
function projectOf(file: string): string {
  for (let folder = parentOf(file); folder !== "/"; folder = parentOf(folder)) {
    for (const name of ["deno.json", "deno.jsonc", "package.json"]) {
      if (isThere(`${folder}/${name}`)) return folder;
    }
  }
  return parentOf(file);
}
