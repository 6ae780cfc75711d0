/**
 * The process whose log is on a small disk: fills it, and does what the error advises. Ends with what went wrong, if
 * anything did.
 *
 *     deno run … full_disk_child.ts FOLDER
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { EmbeddedLog } from "../../runtime/log/embedded/log.ts";
import { LogError } from "../../runtime/log/log.ts";
import { FakeClock } from "../../runtime/testing/fake_clock.ts";
import { readAll } from "../contracts/log_contract_kit.ts";

const FRAME = 50_000;
const [folder] = Deno.args as [string];
// Its background upkeep stands still: whether it ran last decides what is left for retention to remove.
const clock = new FakeClock(Date.now());
const log = new EmbeddedLog(`embedded:${join(folder, "log")}`, { clock, onWarning: () => {} });
await log.createTopic("t", 1);
const producer = await log.producer();
let count = 0;
/** Appends frames that carry their offset; resolves to how many were acknowledged. */
async function append(frames: number): Promise<number> {
  for (let done = 0; done < frames; done++) {
    const value = new Uint8Array(FRAME);
    new DataView(value.buffer).setUint32(0, count);
    const record = { key: null, headers: {}, timestamp: Date.now(), value };
    try {
      assert.equal(await producer.append("t", 0, [record]), count);
    } catch (error) {
      assert.ok(error instanceof LogError, String(error));
      assert.deepEqual([error.code, error.retryable], ["DISK_FULL", true]);
      assert.match(error.message, /no space is left .* deno task log retention TOPIC --bytes N/);
      return done;
    }
    count++;
  }
  return frames;
}
/** All that is kept is as it was acknowledged. */
async function assertWhole(): Promise<number> {
  const frames = await readAll(log, "t", 0);
  const { earliest, latest } = await log.offsets("t", 0);
  assert.deepEqual([frames[0]?.offset, latest], [earliest, count]);
  for (const [i, { offset, value, fault }] of frames.entries()) {
    const mark = fault ?? new DataView(value.buffer, value.byteOffset).getUint32(0);
    assert.deepEqual([offset, mark, value.length], [earliest + i, offset, FRAME]);
  }
  return frames.length;
}

/** Leaves no byte. */
function fillDisk(): void {
  using filler = Deno.openSync(join(folder, "filler"), { create: true, append: true });
  for (let bytes = 1 << 20; bytes > 0;) {
    try {
      if (filler.writeSync(new Uint8Array(bytes)) < bytes) bytes >>= 1;
    } catch {
      bytes >>= 1;
    }
  }
}

// Nothing may go: appends fail by name, and what was acknowledged is there.
assert.ok(await append(100_000) < 100_000);
assert.ok(count > 100);
assert.equal(await append(10), 0);
assert.ok((await log.storage()).diskFreeBytes! < 1 << 20);
assert.equal(await assertWhole(), count);

// Nor is there room for a backup: what came of it is not taken for one.
const half = join(folder, "backup");
await assert.rejects(log.backup(half), { code: "DISK_FULL" });
const unusable = new EmbeddedLog(`embedded:${half}`);
await assert.rejects(unusable.topics(), { code: /INVALID|DISK_FULL/ });
await unusable.close();
Deno.removeSync(half, { recursive: true });

// What only needs rows takes from the reserve. Frames do not, so there is room for the advice.
fillDisk();
const { size } = Deno.statSync(join(folder, "log/reserve"));
await log.createTopic("rows", 3_000);
assert.ok(Deno.statSync(join(folder, "log/reserve")).size < size);
assert.equal(await append(100), 0);

// The advice works on the full disk.
await log.retention("t", { bytes: 5_000_000 });
assert.equal(await append(300), 300);
assert.ok(await assertWhole() >= 90);

// Somebody else takes all the rest: retention goes first, so appends continue.
fillDisk();
let refused = 0;
for (let i = 0; i < 300; i++) if (await append(1) === 0) refused++;
assert.equal(refused, 0, `${refused} of 300 appends were refused`);
await assertWhole();
await producer.close();
await log.close();

// Also for a process that finds the disk full when it starts.
fillDisk();
const again = new EmbeddedLog(`embedded:${join(folder, "log")}`, { onWarning: () => {} });
await again.retention("t", { bytes: 1_000_000 });
assert.ok((await again.offsets("t", 0)).latest === count);
await again.close();
