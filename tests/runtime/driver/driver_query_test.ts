import assert from "node:assert/strict";
import { type DriverParts, DriverQuery } from "../../../runtime/driver/driver_query.ts";
import { FakeClock } from "../../../runtime/testing.ts";

Deno.test("a module that is never loaded is named after a minute", async () => {
  const clock = new FakeClock();
  const spec = { name: "q", topic: "T", module: "file:///q.ts", group: "g", sinks: [] };
  const parts: Pick<DriverParts, "clock" | "pool" | "report"> = {
    clock,
    pool: { load: () => new Promise(() => {}), unload: () => {} },
    report: () => {},
  };
  // Loading needs no more of what queries have in common.
  const query = new DriverQuery(spec, parts as DriverParts);
  const loading = assert.rejects(
    query.load(),
    /Loading query q from file:\/\/\/q.ts took longer than 60000 ms/,
  );
  await clock.advance(60_000);
  await loading;
});
