// The obligations of `TopicLog`, as tests. Every implementation runs all of them.
//
// Nothing here assumes that offsets are dense, that a topic is the only one, or that time stands still.
import { registerCommitters } from "./log_contract_committers.ts";
import { registerGroups } from "./log_contract_groups.ts";
import { registerInspection } from "./log_contract_inspection.ts";
import type { LogContract, Obligation } from "./log_contract_kit.ts";
import { registerOwners } from "./log_contract_owners.ts";
import { registerReaders } from "./log_contract_readers.ts";
import { registerTopics } from "./log_contract_topics.ts";

/**
 * Registers the suite for one implementation.
 *
 * @example
 * ```ts
 * import { logContract } from "./log_contract.ts";
 * import { openLog } from "../../runtime/log/open.ts";
 *
 * logContract("embedded log", {
 *   async open() {
 *     const url = `embedded:${await Deno.makeTempDir()}`;
 *     const logs = [await openLog(url)];
 *     return {
 *       log: logs[0]!,
 *       reopen: async () => (logs.push(await openLog(url)), logs.at(-1)!),
 *       expire: () => Promise.resolve(),
 *       cleanup: async () => { for (const log of logs) await log.close(); },
 *     };
 *   },
 *   childFlags: () => ["--allow-read", "--allow-write"],
 *   sessionTimeoutMs: 1_000,
 *   tooLargeBytes: 1 << 27,
 * });
 * ```
 */
export function logContract(name: string, contract: LogContract): void {
  const obligation: Obligation = (what, test) => {
    Deno.test(`${name}: ${what}`, async (t) => {
      const underTest = await contract.open(t);
      try {
        await test(underTest, contract);
      } finally {
        await underTest.cleanup();
      }
    });
  };
  registerTopics(obligation);
  registerReaders(obligation);
  registerGroups(obligation);
  registerCommitters(obligation);
  registerOwners(obligation);
  registerInspection(obligation);
}
