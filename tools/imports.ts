// Checks which files may import which, by the rules of `docs/architecture.md`.
import { join, relative, ROOT } from "./paths.ts";

/** An import: a file of the project, and what it imports. */
export interface Import {
  /** Path from the project's folder, e.g. `runtime/definition/query.ts`. */
  readonly from: string;
  /** A path from the project's folder, or a package as `npm:NAME`. */
  readonly to: string;
  /** Line in `from`, counted from 1. */
  readonly line: number;
  /** It is of types alone, or read when the program asks for it: not at the start. */
  readonly later?: boolean;
}

interface Violation extends Import {
  readonly rule: string;
}

interface Rule {
  readonly says: string;
  readonly of: RegExp;
  /** What those may import from the project. */
  readonly may?: RegExp;
  /** What those may not import, packages included. */
  readonly not?: RegExp;
}

const INTERFACES = String
  .raw`runtime/(definition/(align|frame|operator|overload|places|progress|sink)|base/(clock|errors|fields|mask|nearest|options)|lanes|log/(log|records|checkpoint|log_error))\.ts`;
const CONCRETE = String
  .raw`runtime/(log/(kafka|embedded)|sinks/(?!mod\.ts|open\.ts)|operators|image|windows/window_operator)`;

const RULES: readonly Rule[] = [
  { says: "Nothing imports main.ts", of: /^/, not: /^main\.ts$/ },
  {
    says: "The frame and the interfaces import each other alone",
    of: new RegExp(`^${INTERFACES}$`),
    may: new RegExp(`^${INTERFACES}$`),
    not: /^npm:/,
  },
  {
    says: "The streaming query's loop imports interfaces, never a concrete log, sink or operator",
    of: /^runtime\/engine\//,
    not: new RegExp(`^(${CONCRETE}|npm:)`),
  },
  {
    says: "The runtime imports only itself",
    of: /^runtime\//,
    may: /^(runtime\/|deno\.json$)/,
  },
  { says: "Cameras import the runtime", of: /^cameras\//, may: /^(cameras|runtime)\// },
  {
    says: "Queries import the runtime's public faces and queries/operators/",
    of: /^queries\//,
    may: /^(runtime\/((image|sinks)\/)?mod\.ts$|queries\/operators\/)/,
  },
  { says: "The viewer imports the runtime", of: /^viewer\//, may: /^(viewer|runtime)\// },
  {
    says:
      "Commands and main.ts import the product, and of the tools the Kafka starter and evaluation",
    of: /^(cli\/|main\.ts$)/,
    may: /^(cli|cameras|runtime|queries|viewer|tools\/(kafka|evaluate))\/|^deno\.json$/,
  },
  {
    says: "Tools of the package import what the package has",
    of: /^tools\/(kafka|evaluate)\//,
    may:
      /^((cli|cameras|runtime|queries|viewer|tools\/(kafka|evaluate))\/|tools\/(debian|run)\.ts$)/,
  },
  {
    says: "The product imports neither tests nor benchmarks",
    of: /^(?!tests\/|bench\/)/,
    not: /^(tests|bench)\//,
  },
  {
    says: "Kafka's codecs are imported in runtime/log/kafka/",
    of: /^(?!runtime\/log\/kafka\/|tests\/|bench\/)/,
    not: /^npm:@platformatic\/wasm-utils$/,
  },
  {
    says: "Packages for trials are imported in tests and benchmarks",
    of: /^(?!tests\/|bench\/)/,
    not:
      /^npm:(@platformatic\/kafka|kafkajs|fast-check|playwright-core|axe-core|kubernetes-models\/?.*|@prometheus-io\/.*)$/,
  },
];

export function violations(
  imports: readonly Import[],
  rules: readonly Rule[] = RULES,
): Violation[] {
  return imports.flatMap((one) => {
    const local = !one.to.startsWith("npm:");
    return rules
      .filter(({ of, may, not }) =>
        of.test(one.from) &&
        (not?.test(one.to) || (local && may !== undefined && !may.test(one.to)))
      )
      .map(({ says }) => ({ ...one, rule: says }));
  });
}

interface ModuleInfo {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly specifier: string;
    readonly code?: Resolved;
    readonly type?: Resolved;
    readonly isDynamic?: boolean;
  }[];
}

interface Resolved {
  readonly specifier?: string;
  readonly span: { readonly start: { readonly line: number } };
}

/** All imports of some files, including types, as Deno resolves them. */
export async function importsOf(files: readonly string[], root = ROOT): Promise<Import[]> {
  const folder = await Deno.makeTempDir({ prefix: "framelane-imports-" });
  try {
    const entry = join(folder, "all.ts");
    const url = (file: string) => JSON.stringify(`file://${join(root, file)}`);
    await Deno.writeTextFile(entry, files.map((file) => `import ${url(file)};\n`).join(""));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", join(ROOT, "deno.json"), entry],
      cwd: ROOT,
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(`Cannot read the imports: ${decoder.decode(stderr)}`);
    const { modules } = JSON.parse(decoder.decode(stdout)) as { modules: ModuleInfo[] };
    return modules.flatMap((module) => importsOfModule(module, root, entry));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function importsOfModule(module: ModuleInfo, root: string, entry: string): Import[] {
  const from = pathOf(module.specifier, root);
  if (from === undefined || module.specifier === `file://${entry}`) return [];
  return (module.dependencies ?? []).flatMap(({ code, type, isDynamic }) => {
    const resolved = code ?? type;
    if (resolved?.specifier === undefined) return [];
    const to = packageOf(resolved.specifier) ?? pathOf(resolved.specifier, root);
    if (to === undefined) return [];
    const later = code === undefined || isDynamic === true;
    return [{ from, to, line: resolved.span.start.line + 1, later }];
  });
}

function pathOf(specifier: string, root: string): string | undefined {
  if (!specifier.startsWith("file://")) return undefined;
  const path = relative(root, decodeURIComponent(specifier.slice("file://".length)));
  return path.startsWith("..") || path.startsWith("node_modules/") ? undefined : path;
}

/** Maps `npm:@scope/name@1.2.3/sub`, or a file in `node_modules`, to `npm:@scope/name`. */
function packageOf(specifier: string): string | undefined {
  const name = /^(?:npm:\/?|file:.*\/node_modules\/)((?:@[^/@]+\/)?[^/@]+)/.exec(specifier)?.[1];
  return name === undefined ? undefined : `npm:${name}`;
}

/**
 * Finds circular imports, including types and dynamic imports.
 *
 * @returns each circle as the path around it.
 */
export function circles(imports: readonly Import[]): string[][] {
  const next = new Map<string, string[]>();
  for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const found: string[][] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) return void found.push([...path.slice(at), file]);
    if (done.has(file)) return;
    for (const to of next.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return found;
}
