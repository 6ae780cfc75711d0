import assert from "node:assert/strict";
import { PartitionOwner } from "../../../runtime/driver/partition_owner.ts";
import type { GroupMember } from "../../../runtime/log/log.ts";
import { FakeClock, MemoryLog } from "../../../runtime/testing.ts";

function ownerOn(log: MemoryLog, signal: AbortSignal): PartitionOwner {
  return new PartitionOwner({
    log,
    topic: "VideoStreaming",
    group: "g",
    partitions: "all",
    signal,
    clock: new FakeClock(),
    report: () => {},
    onAssigned: () => assert.fail("Nothing was assigned"),
    onKept: () => {},
    onRevoked: () => Promise.resolve(),
    onRebalance: () => {},
  });
}

Deno.test("an owner that is stopped while it joins its group leaves again, and waits for nothing", async () => {
  const log = new MemoryLog();
  const joined = Promise.withResolvers<GroupMember>();
  const joining = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  log.joinGroup = () => {
    joining.resolve();
    return joined.promise;
  };
  const stopping = new AbortController();
  const owner = ownerOn(log, stopping.signal);
  const starting = owner.start();
  await joining.promise;
  stopping.abort(new Error("Stopping"));
  await owner.leave();
  joined.resolve({ memberId: "m", leave: () => Promise.resolve(left.resolve()) });
  await left.promise;
  await starting;
});

Deno.test("an owner that is stopped before its first partitions come waits for them no more", async () => {
  const log = new MemoryLog();
  const joined = Promise.withResolvers<void>();
  let left = 0;
  log.joinGroup = () => {
    joined.resolve();
    return Promise.resolve({ memberId: "m", leave: () => Promise.resolve(void left++) });
  };
  const stopping = new AbortController();
  const owner = ownerOn(log, stopping.signal);
  const starting = owner.start();
  await joined.promise;
  // The member is known one turn later.
  await Promise.resolve();
  stopping.abort(new Error("Stopping"));
  await starting;
  await owner.leave();
  assert.equal(left, 1);
});
