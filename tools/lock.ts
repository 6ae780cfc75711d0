// Checks the dependencies: exact versions, from npm alone.

export interface Lock {
  readonly version: string;
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm?: Readonly<Record<string, { readonly integrity?: string }>>;
  readonly jsr?: unknown;
  readonly remote?: unknown;
}

const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

/** Checks the imports of a `deno.json`. */
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

/** Checks a `deno.lock` against the imports that it locks. */
export function lockFaults(lock: Lock, imports: Readonly<Record<string, string>>): string[] {
  const faults: string[] = [];
  if (lock.jsr !== undefined || lock.remote !== undefined) {
    faults.push("The lock contains packages from outside npm");
  }
  for (const [specifier, version] of Object.entries(lock.specifiers)) {
    if (!specifier.startsWith("npm:")) {
      faults.push(`The lock contains ${specifier}: expected only npm packages`);
    }
    if (!EXACT.test(version.split("_")[0]!)) {
      faults.push(`The lock has version ${version} of ${specifier}: expected an exact one`);
    }
  }
  for (const target of Object.values(imports)) {
    if (lock.specifiers[target] === undefined) {
      faults.push(`The lock does not contain ${target}: run deno install`);
    }
  }
  for (const [name, { integrity }] of Object.entries(lock.npm ?? {})) {
    if (!integrity?.startsWith("sha512-")) faults.push(`The lock contains no SHA-512 of ${name}`);
  }
  return faults;
}
