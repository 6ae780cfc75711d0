import { LogError } from "../../runtime/log/log.ts";
import { PATIENCE_MS } from "./until.ts";

/** Runs it again while the log says that this may help. */
export async function retry<T>(action: () => Promise<T>, timeoutMs = PATIENCE_MS): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      const again = error instanceof LogError && error.retryable && performance.now() < deadline;
      if (!again) throw error;
    }
    await new Promise((next) => setTimeout(next, 50));
  }
}
