// Checks that dependencies have exact versions, from npm alone. `deno check --frozen --no-remote` checks the lock.
const EXACT = /^npm:(?:@[^/@]+\/)?[^/@]+@\d+\.\d+\.\d+(-[\w.]+)?$/;

/** Faults in the imports of a `deno.json`. */
export function importFaults(imports: Readonly<Record<string, string>>): string[] {
  return Object.entries(imports).filter(([, target]) => !EXACT.test(target)).map(
    ([name, target]) =>
      `Import ${JSON.stringify(name)} is ${
        JSON.stringify(target)
      }: expected npm:NAME@EXACT-VERSION`,
  );
}
