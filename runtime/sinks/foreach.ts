import { checkFunction } from "../base/options.ts";
import type { Output } from "../definition/frame.ts";
import type { BatchRange } from "../log/log.ts";
import type { Sink, SinkContext } from "../definition/sink.ts";

/**
 * Passes each batch to a function. After a crash the same batch is repeated with the same id and
 * outputs, so that a function can be exact by remembering the last `batchId` of each partition. With the overload
 * policy `sample` it then has those too that were dropped in between.
 *
 * @example
 * ```ts
 * import { foreachBatch, query } from "../mod.ts";
 *
 * export default query("count").readStream().writeStream(
 *   foreachBatch((frames, batch, { partition }) => {
 *     globalThis.console.log(partition, batch.batchId, frames.length);
 *   }),
 * );
 * ```
 */
export function foreachBatch<T = Output>(
  write: (
    outputs: readonly T[],
    batch: BatchRange,
    context: SinkContext,
  ) => void | Promise<void>,
): Sink<T> {
  checkFunction("write by foreachBatch", write);
  return {
    uri: "foreachBatch",
    delivery: "at-least-once",
    needsPlan: true,
    exclusive: true,
    open: (context) => ({ write: (outputs, batch) => write(outputs, batch, context) }),
  };
}

/** Passes each output to a function, in order; outputs may be repeated after a crash. */
export function foreach<T = Output>(
  write: (output: T, context: SinkContext) => void | Promise<void>,
): Sink<T> {
  checkFunction("write by foreach", write);
  return {
    uri: "foreach",
    delivery: "at-least-once",
    exclusive: true,
    open: (context) => ({
      async write(outputs) {
        for (const output of outputs) await write(output, context);
      },
    }),
  };
}
