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

/** The totals of a query over all its local partitions. */
export function totalsOf(lanes: readonly StreamingQuery[]) {
  const sum = (count: "frames" | "outputs" | "dropped" | "deadLettered") =>
    lanes.reduce((total, { totals }) => total + totals[count], 0);
  return {
    frames: sum("frames"),
    outputs: sum("outputs"),
    dropped: sum("dropped"),
    deadLettered: sum("deadLettered"),
  };
}
