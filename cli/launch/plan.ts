// Plans a run: its permissions as flags of Deno, and faults.
import type { AccessWord } from "../../runtime/base/access.ts";
import type { ExecutorPermissions } from "../../runtime/driver/permissions.ts";
import { type Access, AccessPlan, fileRow, type LaunchRow, type LaunchTable } from "./access.ts";
import { asksForHelp, OFF, optionText, tokensOf } from "./arguments.ts";
import { writableCode } from "./guard.ts";
import { libraryFiles } from "./native.ts";
import { absolute, isThere, parentOf, realPath } from "./paths.ts";

export interface Surroundings {
  readonly base: string;
  /** Folder of Framelane's code, with links followed. */
  readonly root: string;
  readonly environment: (name: string) => string | undefined;
}

/** A run, worked out. */
export interface Launch {
  readonly row: LaunchRow;
  readonly access: Access;
  readonly flags: readonly string[];
  /** Paths that the run reads besides those in its options. */
  readonly reads: readonly string[];
  /** Queries of users' own, whose types are to be checked. */
  readonly queries: readonly string[];
  /** What the run's executors may do, which is less: see `EXECUTORS`. Undefined where none may run models. */
  readonly executors: ExecutorPermissions | undefined;
  readonly cache: string;
  /** Places that must not be written; the command reports them with its other faults. */
  readonly faults: readonly string[];
}

/** What opens something for cameras, the registry or the viewer. */
const NOT_FOR_EXECUTORS: readonly AccessWord[] = ["source", "database", "listen", "metrics"];
const NOTHING: LaunchRow = { switches: [], options: {} };
/** Where libraries look up which C library this system has. */
const C_LIBRARY = ["/etc/alpine-release", "/usr/bin/ldd"];

/** Works out what a command line may touch. An unknown command, and help, may touch nothing. */
export function planLaunch(argv: readonly string[], surroundings: Surroundings): Launch {
  const { base, root, environment } = surroundings;
  const [name = "", ...rest] = argv;
  const table = tableOf(root);
  const known = Object.hasOwn(table.commands, name) ? table.commands[name]! : NOTHING;
  // Help loads the command's libraries, but reads and writes nothing.
  const { native } = known;
  const help = asksForHelp(rest);
  const row = help ? { ...NOTHING, ...(native && { native }) } : known;
  let inFile: readonly string[] = [];
  let file: string | undefined;
  if (row.file !== undefined) {
    const forms = Object.fromEntries(Object.keys(row.options).map((name) => [name, {}]));
    const given = tokensOf(rest, forms).find(({ kind }) => kind === "positional");
    file = absolute(given?.value ?? row.file, base);
    inFile = fileOptions(file, root);
  }
  const accessWithout = (words: readonly AccessWord[]) => {
    const plan = new AccessPlan(table, base, words);
    if (inFile.length > 0) plan.of(fileRow(table), inFile, () => undefined);
    return plan.of(row, rest, environment);
  };
  const access = accessWithout([]);
  if (file !== undefined) {
    access.read.add(file);
    access.replaced.add(parentOf(file));
    // An edit may put the link to another file of the folder, as Kubernetes does.
    if (realPath(file) !== file) access.read.add(parentOf(file));
  }
  const cache = denoCache(surroundings);
  const others = [cache, realPath(Deno.execPath())];
  const faults = [
    ...writableCode(access, { root, others, authors: row.authors ?? [] }),
    // Deno takes lists of paths, and a comma always separates two.
    ...[...access.read, ...access.write.map(({ path }) => path)]
      .flatMap((path) => /^[^,]*,[^/]*/.exec(path)?.[0] ?? [])
      .map((path) => `Cannot open ${JSON.stringify(path)}: expected a path without a comma`),
  ];
  const runsModels = native?.includes("onnx") === true;
  const codecs = libraryFiles(row.native?.filter((name) => name !== "onnx") ?? [], root);
  const onnx = runsModels ? libraryFiles(["onnx"], root) : [];
  const own = [...access.libraries];
  for (const file of [...codecs, ...onnx]) access.libraries.add(file);
  const reads = [packagesAround(root), ...(row.native === undefined ? [] : C_LIBRARY)];
  // A folder that may not be written is not granted: the command stops with the reason.
  const withLinks = linksFollowed();
  const flags = flagsFor(row, access, { reads, writable: faults.length === 0, withLinks });
  const executors = help || !runsModels ? undefined : executorPermissions(
    accessWithout(NOT_FOR_EXECUTORS),
    accessWithout([...NOT_FOR_EXECUTORS, "sink"]),
    { reads, writable: faults.length === 0, withLinks, libraries: [...own, ...codecs], onnx },
  );
  const queries = [...access.named].filter((name) => !Object.hasOwn(table.queries, name))
    .map((name) => `${root}/queries/${name}.ts`);
  const checked = !OFF.includes(optionText("check", { switch: true }, rest, environment) ?? "");
  return {
    ...{ row, access, flags, reads, executors, cache, faults },
    queries: checked ? [...access.code, ...queries] : [],
  };
}

/** Read, not imported: what it holds depends on the options alone. */
function tableOf(root: string): LaunchTable {
  return JSON.parse(Deno.readTextFileSync(`${root}/cli/launch/table.json`)) as LaunchTable;
}

/** What a file opens, as options. A separate program reads it, since that takes a library. */
function fileOptions(file: string, root: string): string[] {
  const read = [packagesAround(root), file].join(",");
  const program = `${root}/cli/up/opens.${isThere(`${root}/main.ts`) ? "ts" : "js"}`;
  const { stdout, success } = new Deno.Command("deno", {
    args: [
      ...["run", "--quiet", "--no-prompt", "--node-modules-dir=manual", "--cached-only"],
      ...[`--allow-read=${read}`, "--allow-env=FRAMELANE_*", "--ignore-env", program, file],
    ],
    stderr: "inherit",
  }).outputSync();
  return success ? JSON.parse(new TextDecoder().decode(stdout)) as string[] : [];
}

/** Framelane's folder, or where it lies among other packages, which are those that it imports. */
function packagesAround(root: string): string {
  const end = root.lastIndexOf("/node_modules/");
  return end < 0 ? root : `${root.slice(0, end)}/node_modules`;
}

/** Deno's cache: its files are those of `node_modules`, by hard links. */
function denoCache({ base, environment }: Surroundings): string {
  const home = environment("HOME") ?? environment("USERPROFILE") ?? "/";
  // Services may have none of these variables: Deno looks up the user's folder.
  if (!["DENO_DIR", "XDG_CACHE_HOME", "HOME", "USERPROFILE"].some(environment)) {
    try {
      const { stdout } = new Deno.Command("deno", { args: ["info", "--json"] }).outputSync();
      return realPath(JSON.parse(new TextDecoder().decode(stdout)).denoDir);
    } catch {
      // There is no such user, or no deno on the PATH: as if its folder were the root.
    }
  }
  const caches = {
    darwin: `${home}/Library/Caches`,
    windows: environment("LOCALAPPDATA") ?? `${home}/AppData/Local`,
  }[Deno.build.os as string] ?? environment("XDG_CACHE_HOME") ?? `${home}/.cache`;
  return realPath(absolute(environment("DENO_DIR") ?? `${caches}/deno`, base));
}

/** What is granted in addition to the options' values. */
interface Granted {
  readonly reads: readonly string[];
  /** Whether folders are granted; none is if one of them holds code. */
  readonly writable: boolean;
  readonly withLinks: (paths: readonly string[]) => string[];
}

function flagsFor(
  row: LaunchRow,
  access: Access,
  { reads, writable, withLinks }: Granted,
): string[] {
  const write = writable ? access.write.map(({ path }) => path) : [];
  const flags = ["--no-prompt", "--node-modules-dir=manual", "--cached-only", "--deny-import"];
  if (row.v8 !== undefined) flags.push(`--v8-flags=${row.v8}`);
  const allow = (kind: string, values: Iterable<string>) => {
    const list = [...new Set(values)].filter((value) => !value.includes(","));
    if (list.length > 0) flags.push(`--allow-${kind}=${list.join(",")}`);
  };
  if (access.everything) flags.push("--allow-read");
  else allow("read", withLinks([...reads, ...access.read, ...write]));
  allow("write", withLinks(write));
  if (access.net === undefined) flags.push("--allow-net");
  else allow("net", access.net);
  flags.push("--allow-env=FRAMELANE_*");
  // sharp reads variables of its own: it sees an empty environment instead of an error.
  if (row.native?.includes("sharp")) flags.push("--ignore-env");
  allow("ffi", access.libraries);
  allow("run", row.runs ?? []);
  allow("sys", row.sys ?? []);
  return flags;
}

/**
 * Executors run queries, models and codecs. They may not listen, start programs or query the system, and
 * see no token of the viewer, no camera and no registry.
 *
 * @param all what the options open that concern queries.
 * @param base the same without what their sinks open.
 */
function executorPermissions(
  all: Access,
  base: Access,
  { reads, writable, withLinks, libraries, onnx }: Granted & {
    readonly libraries: string[];
    readonly onnx: readonly string[];
  },
): ExecutorPermissions {
  const paths = (access: Access) => writable ? access.write.map(({ path }) => path) : [];
  const always = withLinks(paths(base));
  return {
    always: {
      read: all.everything ? true : withLinks([...reads, ...all.read]).concat(always),
      write: always,
      net: base.net === undefined ? true : [...base.net],
      env: [],
      ffi: libraries,
      run: false,
      sys: false,
      import: false,
    },
    ifNeeded: {
      write: [...new Set(paths(all))].filter((path) => !always.includes(path))
        .map((path) => ({ path, forms: withLinks([path]) })),
      net: [...all.net ?? []].filter((host) => !base.net?.has(host)),
      onnx,
      env: ["FRAMELANE_WEBHOOK_SECRET"],
    },
  };
}

/** Each path as given, and its target, looked up once. */
function linksFollowed(): (paths: readonly string[]) => string[] {
  const known = new Map<string, string>();
  return (paths) =>
    paths.flatMap((path) => {
      const real = known.get(path) ?? realPath(path);
      known.set(path, real);
      return real === path ? [path] : [path, real];
    });
}

/** Folders that a run writes to: the kernel's fence can name only those that are there. */
export function writtenFolders({ write }: Access): { path: string; mode: number }[] {
  return write.map(({ path, kind, why }) => ({
    path: kind === undefined ? path : parentOf(path),
    mode: why.startsWith("--log") ? 0o700 : 0o777,
  }));
}
