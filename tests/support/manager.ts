// A manager without a runtime.
import { StreamingQueryManager } from "../../runtime/driver/manager.ts";

/** A manager of queries that a test begins and ends. */
export function managerOf(report: (message: string) => void = () => {}): StreamingQueryManager {
  const none = () => Promise.resolve([]);
  return new StreamingQueryManager(report, {
    stop: () => Promise.resolve(),
    add: none,
    replace: none,
    remove: none,
  });
}
