import assert from "node:assert/strict";
import { type DriverParts, DriverQuery } from "../../../runtime/driver/driver_query.ts";
import type { GroupMember } from "../../../runtime/log/log.ts";
import { FakeClock, MemoryLog } from "../../../runtime/testing.ts";
import { LOADED, SPEC } from "./fake_pool.ts";

/** A query that is assigned nothing. */
function queryOn(log: MemoryLog): DriverQuery {
  const parts = {
    log,
    clock: new FakeClock(),
    pool: { load: () => Promise.resolve(LOADED), unload: () => {} },
    report: () => {},
    lanes: { begin: () => assert.fail("Nothing was assigned"), endAll: () => Promise.resolve() },
  };
  return new DriverQuery(SPEC, parts as unknown as DriverParts);
}

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

Deno.test("a query that is stopped while it joins its group leaves again, and waits for nothing", async () => {
  const log = new MemoryLog();
  const joined = Promise.withResolvers<GroupMember>();
  const joining = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  log.joinGroup = () => {
    joining.resolve();
    return joined.promise;
  };
  const query = queryOn(log);
  const beginning = query.begin();
  await joining.promise;
  await query.end("drain");
  joined.resolve({ memberId: "m", leave: () => Promise.resolve(left.resolve()) });
  await left.promise;
  await beginning;
});

Deno.test("a query that is stopped before its first partitions come waits for them no more", async () => {
  const log = new MemoryLog();
  const joined = Promise.withResolvers<void>();
  let left = 0;
  log.joinGroup = () => {
    joined.resolve();
    return Promise.resolve({ memberId: "m", leave: () => Promise.resolve(void left++) });
  };
  const query = queryOn(log);
  const beginning = query.begin();
  await joined.promise;
  // The member is known one turn later.
  await Promise.resolve();
  await query.end("drain");
  await beginning;
  assert.equal(left, 1);
});
