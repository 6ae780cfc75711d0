// Checks that all exports are documented, with their methods and the types that they use.
import { ROOT } from "./paths.ts";
import { run } from "./run.ts";

interface Documentation {
  readonly nodes: Readonly<Record<string, { readonly symbols?: readonly SymbolDoc[] }>>;
}

interface SymbolDoc {
  readonly name: string;
  readonly declarations: readonly (Documented & {
    readonly declarationKind: string;
    readonly kind?: string;
    readonly def?: { readonly methods?: readonly (Documented & { readonly name: string })[] };
  })[];
}

interface Documented {
  readonly jsDoc?: { readonly doc?: string; readonly tags?: readonly { readonly kind: string }[] };
  readonly accessibility?: string;
  readonly location?: { readonly filename: string; readonly line: number };
}

function undocumented({ nodes }: Documentation): string[] {
  const faults: string[] = [];
  for (const symbol of Object.values(nodes).flatMap(({ symbols }) => symbols ?? [])) {
    // A reference is documented at its target.
    const declarations = symbol.declarations.filter(({ declarationKind, kind }) =>
      declarationKind === "export" && kind !== "reference"
    );
    const [first] = declarations;
    if (first !== undefined && !declarations.some(isDocumented)) {
      faults.push(`${place(first)} ${symbol.name} has no description`);
    }
    for (const { def } of declarations) {
      const methods = (def?.methods ?? []).filter(({ accessibility, jsDoc }) =>
        accessibility !== "private" && !jsDoc?.tags?.some(({ kind }) => kind === "internal")
      );
      for (const name of new Set(methods.map(({ name }) => name))) {
        const overloads = methods.filter((method) => method.name === name);
        if (!name.startsWith("[") && !overloads.some(isDocumented)) {
          faults.push(`${place(overloads[0]!)} ${symbol.name}.${name} has no description`);
        }
      }
    }
  }
  return faults;
}

function isDocumented({ jsDoc }: Documented): boolean {
  return (jsDoc?.doc ?? "").trim() !== "";
}

function place({ location }: Documented): string {
  if (location === undefined) return "?";
  return `${location.filename.replace(`file://${ROOT}/`, "")}:${location.line + 1}`;
}

/** The faults in the public documentation of some modules, which may refer to each other. */
export async function documentationFaults(modules: readonly string[]): Promise<string[]> {
  const env = { NO_COLOR: "1" };
  const [json, lint] = await Promise.all([
    run(Deno.execPath(), ["doc", "--json", ...modules], { cwd: ROOT, env }),
    run(Deno.execPath(), ["doc", "--lint", ...modules], { cwd: ROOT, env }),
  ]);
  if (json?.code !== 0) {
    return [`Cannot read the documentation of ${modules.join(", ")}: ${json?.output}`];
  }
  const hidden = (lint?.output ?? "").matchAll(/error\[private-type-ref\]: (.*)\n\s*--> (\S+)/g);
  return [
    ...undocumented(JSON.parse(json.stdout) as Documentation),
    ...[...hidden].map(([, says, where]) => `${where!.replace(`${ROOT}/`, "")} ${says}`),
  ];
}
