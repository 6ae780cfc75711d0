// Preloaded into `deno test`: writes down each assertion that fails, at once. Deno prints errors after all
// tests: never if the process dies before, as it does when a test fails while FFmpeg's threads are at work.
import { AssertionError } from "node:assert";

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
