/**
 * `deno task kernels`: compiles the picture kernels, AssemblyScript, to the module that is committed
 * beside them. The gate compiles them too and compares: the same sources give the same bytes.
 *
 * @module
 */
import asc from "assemblyscript/asc";
import { join, ROOT } from "./paths.ts";
import { checkUsage } from "./usage.ts";

const FOLDER = "runtime/image/kernels";
const MODULE = `${FOLDER}/kernels.wasm`;
const OPTIONS = [
  ...["-O3", "--converge", "--noAssert", "--runtime", "stub", "--importMemory"],
  ...["--enable", "simd", "--uncheckedBehavior", "always"],
  // Functions that take vectors are called by other kernels alone.
  ...["--disableWarning", "112"],
];

/** @throws {Error} with the compiler's messages. */
async function compile(): Promise<Uint8Array> {
  let module: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [`${FOLDER}/module.as.ts`, "--outFile", "kernels.wasm", "--baseDir", ROOT, ...OPTIONS],
    {
      writeFile(name, contents) {
        if (name === "kernels.wasm" && contents instanceof Uint8Array) module = contents;
      },
    },
  );
  if (error !== null || module === undefined) {
    throw new Error(`Cannot compile the kernels: ${stderr.toString()}`, { cause: error });
  }
  return module;
}

/** What is wrong with the committed module. */
export async function kernelFaults(): Promise<string[]> {
  const [built, committed] = [await compile(), await Deno.readFile(join(ROOT, MODULE))];
  const same = built.length === committed.length && built.every((byte, i) => byte === committed[i]);
  return same ? [] : [`${MODULE} is not what its sources compile to: run deno task kernels`];
}

if (import.meta.main) {
  checkUsage("deno task kernels\n\nCompiles the kernels of runtime/image/kernels.", []);
  await Deno.writeFile(join(ROOT, MODULE), await compile());
}
