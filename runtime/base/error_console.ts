// The console of user code. Standard output is reserved for results.
import process from "node:process";

/** Makes the console of this thread write to standard error. Loading it takes 50 ms: only once it is used. */
export function logToStandardError(): void {
  let made: Console | undefined;
  const load = () => {
    const { Console } = process.getBuiltinModule("node:console");
    return new Console(process.stderr, process.stderr) as unknown as Console;
  };
  Object.defineProperty(globalThis, "console", { configurable: true, get: () => made ??= load() });
}
