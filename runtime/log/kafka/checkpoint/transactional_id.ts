// Names, owners and errors of transactional ids.
import type { CommitterOptions } from "../../log.ts";
import type { Connection } from "../net/connection.ts";
import { brokerErrors, errorNames } from "../protocol/errors.ts";
import { DESCRIBE_TRANSACTIONS } from "../protocol/transactions.ts";

/** States of an aborted transaction. */
export const ABORTED = new Set(["PrepareEpochFence", "PrepareAbort", "CompleteAbort"]);
/** States of a transaction whose markers are being written. */
export const UNSETTLED = new Set(["PrepareCommit", "PrepareAbort"]);

export type TransactionPlace = Pick<CommitterOptions, "group" | "query" | "topic" | "partition">;

/** Unique for each group, query, topic and partition. */
export function transactionalId({ group, query, topic, partition }: TransactionPlace): string {
  const names = [group, query, topic].map(encodeURIComponent);
  return `framelane/${names.join("/")}/${partition}`;
}

/** Undefined if the broker does not know the id, or does not support DescribeTransactions. */
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
    // Kafka forgets ids that are not used for a week.
    if (errorNames(error).includes("TRANSACTIONAL_ID_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Whether the transactional id has another owner. */
export function isFencing(error: unknown): boolean {
  return brokerErrors(error).some(({ kind }) => kind.outcome === "fenced");
}

/** Whether the coordinator has forgotten the idle transactional id. */
export function isForgotten(error: unknown): boolean {
  return errorNames(error).includes("INVALID_PRODUCER_ID_MAPPING");
}
