// The `events:FILE` sink: one line of JSON for each output.
import { checkOptions } from "../base/fields.ts";
import { splitPath } from "../base/folders.ts";
import type { Result } from "../definition/frame.ts";
import { openNamed } from "./files/failure.ts";
import { checkOutput, completeResult } from "../definition/result.ts";
import type { Sink, SinkContext } from "../definition/sink.ts";

/** Options of `events`. */
export interface EventsOptions {
  /**
   * The file; its folders are created, `{query}` stands for the query's name. Default
   * `.framelane/events.jsonl`.
   */
  readonly file?: string;
}

/**
 * Writes a `Result` as a line of JSON for each output, exactly once. All partitions write to the
 * one file, from any number of workers and processes; the lines of a partition are in source order,
 * and appear when their batch is committed. The sink keeps its state in a hidden folder next to the
 * file; move the file away (log rotation) and a new one begins.
 *
 * @example
 * ```ts
 * import { events } from "./events.ts";
 *
 * const sink = events({ file: "out/motion.jsonl" });
 * sink.uri; // "events:out/motion.jsonl"
 * ```
 */
export function events(options: EventsOptions = {}): Sink {
  const { file = ".framelane/events.jsonl" } = options;
  checkOptions("write events", options, {
    file: { accepted: "a file", takes: (path) => /[^/]$/.test(String(path)) },
  });
  const action = `write events to ${JSON.stringify(file)}`;
  return {
    uri: `events:${file}`,
    delivery: "exactly-once",
    opens: { writes: [splitPath(file).folder] },
    check: checkOutput,
    open: (context) =>
      openNamed(action, async () => {
        const { StagedLines } = await import("./files/staged_lines.ts");
        const path = file.replaceAll("{query}", context.query);
        const { folder, name } = splitPath(path);
        const lines = await StagedLines.open({
          path,
          root: `${folder}/.${name}.framelane`,
          lastOffsetOf: (line) => lastOffsetOfLine(line, context),
        }, context);
        let text = "";
        return {
          write(outputs) {
            for (const output of outputs) {
              text += `${JSON.stringify(completeResult(output, context.query))}\n`;
            }
          },
          async flush(batch) {
            if (text !== "") await lines.stage(batch, text, []);
            text = "";
          },
          committed: () => lines.publish(),
          close: () => lines.close(),
        };
      }),
  };
}

function lastOffsetOfLine(line: string, context: SinkContext): number | undefined {
  let result: Result;
  try {
    result = JSON.parse(line) as Result;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (
    result?.query !== context.query || result.topic !== context.topic ||
    result.partition !== context.partition
  ) return undefined;
  return result.window?.lastOffset;
}
