// What the dependencies may look like: exact versions, from npm alone.

/** The parts of `deno.lock` that are looked at. */
export interface Lock {
  readonly version: string;
  readonly specifiers: Readonly<Record<string, string>>;
  /** By name with version. */
  readonly npm?: Readonly<Record<string, { readonly integrity?: string }>>;
  readonly jsr?: unknown;
  readonly remote?: unknown;
}

const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

/** What is wrong with the imports of a `deno.json`. */
export function importFaults(imports: Readonly<Record<string, string>>): string[] {
  return Object.entries(imports).flatMap(([name, target]) => {
    const version = /^npm:(?:@[^/@]+\/)?[^/@]+@(.*)$/.exec(target)?.[1];
    return version !== undefined && EXACT.test(version) ? [] : [
      `Import ${JSON.stringify(name)} is ${
        JSON.stringify(target)
      }: expected npm:NAME@EXACT-VERSION`,
    ];
  });
}

/** What is wrong with a `deno.lock`, given the imports it locks. */
export function lockFaults(lock: Lock, imports: Readonly<Record<string, string>>): string[] {
  const faults: string[] = [];
  if (lock.jsr !== undefined || lock.remote !== undefined) {
    faults.push("The lock holds packages from elsewhere than npm");
  }
  for (const [specifier, version] of Object.entries(lock.specifiers)) {
    if (!specifier.startsWith("npm:")) {
      faults.push(`The lock holds ${specifier}: expected npm alone`);
    }
    if (!EXACT.test(version.split("_")[0]!)) {
      faults.push(`The lock gives ${specifier} the version ${version}: expected an exact one`);
    }
  }
  for (const target of Object.values(imports)) {
    if (lock.specifiers[target] === undefined) {
      faults.push(`The lock knows nothing of ${target}: run deno install`);
    }
  }
  for (const [name, { integrity }] of Object.entries(lock.npm ?? {})) {
    if (!integrity?.startsWith("sha512-")) faults.push(`The lock holds no SHA-512 of ${name}`);
  }
  return faults;
}
