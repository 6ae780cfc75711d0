// The console of user code. Standard output is reserved for results.
import process from "node:process";

/** Makes the console of this thread write to standard error. Loading it takes 50 ms: only once it is used. */
export function logToStandardError(): void {
  const replace = (value: unknown) =>
    Object.defineProperty(globalThis, "console", { configurable: true, writable: true, value });
  const load = () => {
    const { Console } = process.getBuiltinModule("node:console");
    replace(new Console(process.stderr, process.stderr));
    return console;
  };
  Object.defineProperty(globalThis, "console", { configurable: true, get: load, set: replace });
}
