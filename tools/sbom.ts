// `deno task sbom`: a CycloneDX bill of materials of all dependencies, made from `deno.lock`, on
// standard output. Licences are read from the installed packages; what is not installed on this machine
// (packages for other systems) has none.
import { Buffer } from "node:buffer";
import { writeLine } from "../cli/output.ts";
import project from "../deno.json" with { type: "json" };
import type { Lock, LockedPackage } from "./lock.ts";
import { join, ROOT } from "./paths.ts";
import { checkUsage } from "./usage.ts";

/** A component of the bill. */
export interface Component {
  readonly type: "library";
  readonly "bom-ref": string;
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** `excluded`: only tests and benchmarks use it. */
  readonly scope: "required" | "excluded";
  readonly hashes: readonly { readonly alg: "SHA-512"; readonly content: string }[];
  readonly licenses?: readonly { readonly expression: string }[];
}

/** The bill, as CycloneDX 1.6 has it. */
export interface Bill {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly version: 1;
  readonly metadata: unknown;
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

/** Imports that only tests and benchmarks use. */
const TRIALS = ["axe-core", "fast-check", "kafkajs", "playwright-core"];

/** Everything the bill is made from. */
export interface SbomInput {
  readonly name: string;
  readonly version: string;
  readonly imports: Readonly<Record<string, string>>;
  readonly lock: Lock;
  /** The licence of an installed package, by its key in the lock. */
  readonly licence: (key: string) => Promise<string | undefined>;
}

/** Makes the bill. The same lock gives the same bill. */
export async function makeBill(
  { name, version, imports, lock, licence }: SbomInput,
): Promise<Bill> {
  const packages = lock.npm ?? {};
  const byName = new Map<string, string[]>();
  for (const key of Object.keys(packages)) {
    const { full } = parseKey(key);
    byName.set(full, [...(byName.get(full) ?? []), key]);
  }
  // Where there is but one version of a package, the lock names it without.
  const resolve = (text: string): string[] => text in packages ? [text] : byName.get(text) ?? [];
  const needs = (of: LockedPackage): string[] =>
    [...(of.dependencies ?? []), ...(of.optionalDependencies ?? [])].flatMap(resolve);
  const rootsOf = (names: string[]) => names.map((of) => imports[of]!.replace(/^npm:/, ""));
  const required = closure(
    rootsOf(Object.keys(imports).filter((of) => !TRIALS.includes(of))),
    (key) => needs(packages[key] ?? {}),
  );
  const own = `pkg:generic/${encodeURIComponent(name)}@${version}`;
  const components = await Promise.all(
    Object.entries(packages).map(async ([key, locked]) =>
      component(key, locked, required.has(key), await licence(key))
    ),
  );
  const ref = (key: string) => purl(parseKey(key));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": own,
        name,
        version,
        licenses: [{ license: { id: "MIT" } }],
      },
    },
    components,
    dependencies: [
      { ref: own, dependsOn: rootsOf(Object.keys(imports)).map(ref) },
      ...Object.entries(packages).map(([key, locked]) => ({
        ref: ref(key),
        dependsOn: [...new Set(needs(locked).map(ref))],
      })),
    ],
  };
}

function component(
  key: string,
  { integrity }: LockedPackage,
  required: boolean,
  licence?: string,
): Component {
  const parsed = parseKey(key);
  const hash = integrity?.startsWith("sha512-")
    ? [{
      alg: "SHA-512" as const,
      content: Buffer.from(integrity.slice(7), "base64").toString("hex"),
    }]
    : [];
  return {
    type: "library",
    "bom-ref": purl(parsed),
    ...(parsed.group === undefined ? {} : { group: parsed.group }),
    name: parsed.name,
    version: parsed.version,
    purl: purl(parsed),
    scope: required ? "required" : "excluded",
    hashes: hash,
    ...(licence === undefined ? {} : { licenses: [{ expression: licence }] }),
  };
}

/** `@scope/name@1.2.3_peer@4.5.6` in parts. */
function parseKey(key: string): { full: string; group?: string; name: string; version: string } {
  const at = key.indexOf("@", 1);
  const full = key.slice(0, at);
  const version = key.slice(at + 1).split("_")[0]!;
  const slash = full.indexOf("/");
  return slash < 0
    ? { full, name: full, version }
    : { full, group: full.slice(0, slash), name: full.slice(slash + 1), version };
}

function purl({ group, name, version }: { group?: string; name: string; version: string }): string {
  return `pkg:npm/${group === undefined ? "" : `${encodeURIComponent(group)}/`}${name}@${version}`;
}

function closure(roots: readonly string[], next: (key: string) => readonly string[]): Set<string> {
  const seen = new Set<string>();
  const queue = [...roots];
  for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
    if (seen.has(key)) continue;
    seen.add(key);
    queue.push(...next(key));
  }
  return seen;
}

/** The licence that an installed package names. */
export async function installedLicence(key: string): Promise<string | undefined> {
  const { full, version } = parseKey(key);
  const folder = join(
    ROOT,
    "node_modules",
    ".deno",
    `${full.replaceAll("/", "+")}@${version}`,
    "node_modules",
    full,
  );
  try {
    const { license } = JSON.parse(await Deno.readTextFile(join(folder, "package.json")));
    return typeof license === "string" ? license : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

if (import.meta.main) {
  checkUsage("deno task sbom\n\nWrites a CycloneDX 1.6 bill of materials to standard output.", []);
  const lock = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.lock"))) as Lock;
  const { name, version, imports } = project;
  const bill = await makeBill({ name, version, imports, lock, licence: installedLicence });
  writeLine(Deno.stdout, JSON.stringify(bill, null, 2));
}
