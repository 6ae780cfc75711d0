// Preloaded into `deno test`: chooses the examples of properties, and writes down each assertion that fails, at
// once. Deno prints errors after all tests: never if the process dies before, as it does when a test fails while
// FFmpeg's threads are at work.
import { AssertionError } from "node:assert";
import fc from "fast-check";

// Properties are tried on the same examples in every run, unless a test or this variable gives a seed.
fc.configureGlobal({ seed: Number(Deno.env.get("FRAMELANE_TEST_SEED") ?? 1) });

const file = Deno.env.get("FRAMELANE_TEST_FAILURES")!;

// Its constructor sets it, once for each assertion that fails.
Object.defineProperty(AssertionError.prototype, "code", {
  set(this: AssertionError, value: string) {
    Object.defineProperty(this, "code", {
      ...{ value, configurable: true, enumerable: true, writable: true },
    });
    const place = new Error().stack!.split("\n").find((line) =>
      line.includes("file:") && !line.includes("failures.ts")
    );
    Deno.writeTextFileSync(file, `${this.message.trimEnd()}\n${place}\n`, { append: true });
  },
});
