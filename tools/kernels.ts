// `deno task kernels`: compiles the AssemblyScript kernels to the committed modules next to them.
// The gate compiles them too and compares: the build is reproducible.
import asc from "assemblyscript/asc";
import { join, ROOT } from "./paths.ts";
import { checkUsage } from "./usage.ts";

const MODULES = [
  {
    source: "runtime/image/kernels/module.as.ts",
    module: "runtime/image/kernels/kernels.wasm",
    options: ["--importMemory"],
  },
  {
    source: "runtime/log/kafka/records/crc32c.as.ts",
    module: "runtime/log/kafka/records/crc32c.wasm",
    options: ["--initialMemory", "5", "--maximumMemory", "5"],
  },
] as const;
const OPTIONS = [
  ...["-O3", "--converge", "--noAssert", "--runtime", "stub"],
  ...["--enable", "simd", "--uncheckedBehavior", "always"],
  // Only other kernels call functions with vector parameters.
  ...["--disableWarning", "112"],
];

/** @throws {Error} with the compiler's messages. */
async function compile({ source, options }: typeof MODULES[number]): Promise<Uint8Array> {
  let module: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [source, "--outFile", "module.wasm", "--baseDir", ROOT, ...OPTIONS, ...options],
    {
      writeFile(name, contents) {
        if (name === "module.wasm" && contents instanceof Uint8Array) module = contents;
      },
    },
  );
  if (error !== null || module === undefined) {
    throw new Error(`Cannot compile ${source}: ${stderr.toString()}`, { cause: error });
  }
  return module;
}

/** Checks the committed modules against their sources. */
export async function kernelFaults(): Promise<string[]> {
  const faults: string[] = [];
  for (const each of MODULES) {
    const built = await compile(each);
    const committed = await Deno.readFile(join(ROOT, each.module));
    if (built.length !== committed.length || built.some((byte, i) => byte !== committed[i])) {
      faults.push(`${each.module} differs from its compiled sources: run deno task kernels`);
    }
  }
  return faults;
}

if (import.meta.main) {
  checkUsage("deno task kernels", "Compiles the WebAssembly modules of the runtime.", []);
  for (const each of MODULES) await Deno.writeFile(join(ROOT, each.module), await compile(each));
}
