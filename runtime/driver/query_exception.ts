// The failure of a streaming query, on its handle.
import type { OffsetJson } from "../definition/progress.ts";
import { errorOf, type PlainError } from "../executor/protocol.ts";

/** Why a streaming query stopped or restarted; `cause` holds the original error. */
export class StreamingQueryException extends Error {
  override readonly name = "StreamingQueryException";
  /** The error's code, if any, e.g. `OFFSET_OUT_OF_RANGE`. */
  readonly code: string | undefined;
  /** The batch that failed; undefined if none was running. */
  readonly batchId: number | undefined;
  /** Start and end of the batch, as in progress reports: `{"VideoStreaming":{"0":17}}`. */
  readonly startOffset: OffsetJson | undefined;
  readonly endOffset: OffsetJson | undefined;

  constructor(
    query: { query: string; name: string; topic: string; partition: number },
    error: PlainError,
  ) {
    super(`${query.query} ${query.name}: ${error.message}`, { cause: errorOf(error) });
    this.code = error.code;
    if (error.stack !== undefined) this.stack = error.stack;
    const { batch } = error;
    const at = (offset: number) => ({ [query.topic]: { [String(query.partition)]: offset } });
    this.batchId = batch?.batchId;
    this.startOffset = batch && at(batch.start);
    this.endOffset = batch && at(batch.end);
  }
}
