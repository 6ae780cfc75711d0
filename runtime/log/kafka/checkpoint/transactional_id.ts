// Transactional ids: what they are called, who has them, and what errors say about them.
import type { CommitterOptions } from "../../log.ts";
import type { Connection } from "../net/connection.ts";
import { brokerErrors, errorNames } from "../protocol/errors.ts";
import { DESCRIBE_TRANSACTIONS } from "../protocol/transactions.ts";

/** States of a transaction that was ended without its records being kept. */
export const ABORTED = new Set(["PrepareEpochFence", "PrepareAbort", "CompleteAbort"]);
/** States of a transaction whose partitions are still being marked. */
export const UNSETTLED = new Set(["PrepareCommit", "PrepareAbort"]);

/** Whose transactional id it is. */
export type TransactionPlace = Pick<CommitterOptions, "group" | "query" | "topic" | "partition">;

/** The transactional id of a query on a partition: no two places have the same. */
export function transactionalId({ group, query, topic, partition }: TransactionPlace): string {
  const names = [group, query, topic].map(encodeURIComponent);
  return `framelane/${names.join("/")}/${partition}`;
}

/** How things stand with a transactional id; undefined when the broker is too old to tell, or does not know it. */
export async function describeTransaction(
  connection: Connection,
  transactionalId: string,
  signal: AbortSignal,
) {
  if (!connection.versions.has(DESCRIBE_TRANSACTIONS)) return undefined;
  try {
    const { transactions } = await connection.call(
      DESCRIBE_TRANSACTIONS,
      { transactionalIds: [transactionalId] },
      { signal },
    );
    return transactions[0];
  } catch (error) {
    // Kafka forgets ids that are unused for a week.
    if (errorNames(error).includes("TRANSACTIONAL_ID_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** True when the error says that the transactional id has another owner. */
export function isFencing(error: unknown): boolean {
  return brokerErrors(error).some(({ outcome }) => outcome === "fenced");
}

/** True when the coordinator has forgotten the id, which it does with those that were idle for long. */
export function isForgotten(error: unknown): boolean {
  return errorNames(error).includes("INVALID_PRODUCER_ID_MAPPING");
}
