// Output of commands about running queries.
import type { Driver } from "../runtime/driver/driver.ts";
import type { StreamingQuery } from "../runtime/driver/streaming_query.ts";
import type { CommandContext } from "./command.ts";

/** Prints events: as JSON lines, or a line for each start. */
export function reportQueries(
  { streams }: Driver,
  json: boolean,
  { print, say }: Pick<CommandContext, "print" | "say">,
): void {
  const line = (type: string, fields: object) => {
    if (json) print(JSON.stringify({ type, ...fields }));
  };
  streams.addListener({
    onQueryProgress: ({ progress }) => line("progress", { progress }),
    onQueryError: (event) => line("error", event),
    onQueryStarted({ id }) {
      const started = streams.get(id);
      if (started !== undefined) say(`${started.query} ${started.name} reads ${started.topic}`);
    },
  });
}

/**
 * Prints the totals of a query that has ended, over all its local partitions.
 *
 * @param started `performance.now()` at its start
 */
export function reportEnd(
  query: string,
  lanes: readonly StreamingQuery[],
  started: number,
  json: boolean,
  { print }: Pick<CommandContext, "print">,
): void {
  const sum = (count: "frames" | "outputs" | "dropped" | "deadLettered") =>
    lanes.reduce((total, { totals }) => total + totals[count], 0);
  const frames = sum("frames");
  const outputs = sum("outputs");
  const dropped = sum("dropped");
  const deadLettered = sum("deadLettered");
  const seconds = Math.round(performance.now() - started) / 1000;
  const totals = { query, frames, outputs, dropped, deadLettered, seconds };
  print(
    json
      ? JSON.stringify({ type: "summary", ...totals })
      : `${query}: ${frames} frames in, ${outputs} outputs, ${dropped} dropped, ` +
        `${deadLettered} dead letters in ${seconds.toFixed(1)} s`,
  );
}

/** Whether a query has ended with an error. */
export function hasFailed({ state }: StreamingQuery): boolean {
  return state === "failed";
}
