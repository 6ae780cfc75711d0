// Errors of streaming queries, as listeners and `--json` get them.
import { given } from "../base/options.ts";
import type { PlainError } from "../executor/protocol.ts";
import { cameraOfPartition } from "../definition/frame.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/** A run failed, or an operator failed on an input that was dead-lettered. */
export interface QueryErrorEvent {
  readonly query: string;
  /** `QUERY-PARTITION-n`. */
  readonly name: string;
  readonly id: string;
  readonly runId: string;
  readonly topic: string;
  readonly partition: number;
  readonly camera: string;
  /** ISO 8601. */
  readonly timestamp: string;
  /**
   * The reaction: `dead-letter` makes a dead letter of the frame, `restart` restarts the query, `stop` leaves
   * it failed.
   */
  readonly action: "dead-letter" | "restart" | "stop";
  /** Name of the error's class. */
  readonly error: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
  /** The failed operator, and the offset of its input frame, if any. */
  readonly operator?: string;
  readonly offset?: number;
  /** Time of the timer being handled, epoch milliseconds. */
  readonly timer?: number;
  /** URI of the sink that failed. */
  readonly sink?: string;
  /** Place in the user's source; line and column from 1. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

export function queryError(
  { query, name, id, runId, topic, partition }: StreamingQuery,
  { name: error, message, stack, code, failed, operator, sink, place }: PlainError,
  action: QueryErrorEvent["action"],
  now: number,
): QueryErrorEvent {
  const { tries: _tries, why: _why, ...input } = failed ?? {};
  return {
    query,
    name,
    id,
    runId,
    topic,
    partition,
    camera: cameraOfPartition(partition),
    timestamp: new Date(now).toISOString(),
    action,
    error,
    message,
    ...given({ stack, code, operator }),
    ...input,
    ...given({ sink }),
    ...place,
  };
}
