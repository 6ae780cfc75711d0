// Damages the database of a log and looks at what its reader makes of it: the last good checkpoint, or
// a stop that says what is wrong. Anything else would be a silent jump.
import assert from "node:assert/strict";
import { LogError } from "../../runtime/log/log.ts";
import { openLog } from "../../runtime/log/open.ts";
import { withFolder } from "../support/folder.ts";
import type { Random } from "../support/random.ts";

const OWNED = { group: "g", query: "q", topic: "VideoStreaming", partition: 0 };
const BATCHES = 12;
const STATE = new Uint8Array(300).map((_, i) => i % 251);

/** How many damaged files were still read, and how many were refused. */
export interface DamageReport {
  readonly read: number;
  readonly refused: number;
}

/** A place in a file, and what is wrong there. */
export interface Damage {
  readonly at: number;
  readonly kind: "truncated" | "flipped";
  /** Of the byte, when flipped. */
  readonly bit?: number;
}

/** Evenly spread truncations and seeded bit flips for a file of this size. */
export function damages(size: number, count: number, random: Random): Damage[] {
  const step = Math.max(1, Math.floor(size / count));
  const cuts = Array.from(
    { length: Math.ceil(size / step) },
    (_, index): Damage => ({ at: index * step, kind: "truncated" }),
  );
  const flips = Array.from({ length: count }, (): Damage => ({
    at: random.whole(0, size - 1),
    kind: "flipped",
    bit: random.whole(0, 7),
  }));
  return [...cuts, ...flips];
}

/** Each bit of a file of this size, flipped. */
export function eachBit(size: number): Damage[] {
  return Array.from({ length: size * 8 }, (_, i) => ({ at: i >> 3, kind: "flipped", bit: i & 7 }));
}

/** Makes checkpoints, damages their file in each of these ways, and opens it. */
export async function damageCheckpoints(
  choose: (size: number) => Damage[],
): Promise<DamageReport> {
  return await withFolder(async (root) => {
    const log = `${root}/log`;
    await makeCheckpoints(`embedded:${log}`);
    const file = `${log}/log.db`;
    const bytes = await Deno.readFile(file);
    let [read, refused] = [0, 0];
    for (const damage of choose(bytes.length)) {
      await removeBeside(file);
      await Deno.writeFile(file, damaged(bytes, damage));
      if (await isRead(`embedded:${log}`, JSON.stringify(damage))) read++;
      else refused++;
    }
    return { read, refused };
  });
}

async function makeCheckpoints(url: string): Promise<void> {
  const log = await openLog(url);
  await log.createTopic("VideoStreaming", 1);
  const committer = await log.committer({ ...OWNED, outputTopics: ["OUT"] });
  for (let batchId = 0; batchId < BATCHES; batchId++) {
    const batch = { batchId, start: batchId * 10, end: batchId * 10 + 10 };
    await committer.plan(batch);
    await committer.commit(batch, { end: batch.end, restart: batch.end - 5, state: STATE }, [{
      topic: "OUT",
      partition: 0,
      key: null,
      value: new Uint8Array(3),
      timestamp: 1,
      headers: {},
    }]);
  }
  await committer.close();
  await log.close();
}

/** Removes what SQLite leaves beside its file. */
async function removeBeside(file: string): Promise<void> {
  for (const end of ["-wal", "-shm"]) {
    await Deno.remove(file + end).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

/** The bytes with that damage. */
export function damaged(bytes: Uint8Array, { at, kind, bit = 0 }: Damage): Uint8Array {
  if (kind === "truncated") return bytes.slice(0, at);
  const copy = bytes.slice();
  copy[at]! ^= 1 << bit;
  return copy;
}

/** True when the last good checkpoint was read, false when it was refused by name. */
async function isRead(url: string, damage: string): Promise<boolean> {
  const log = await openLog(url, { timeoutMs: 1000 });
  try {
    const committer = await log.committer(OWNED);
    assert.deepEqual(
      committer.committed,
      { batchId: BATCHES - 1, end: 120, restart: 115, state: STATE },
      `${damage}: a silent jump`,
    );
    assert.equal(committer.planned, undefined);
    await committer.close();
    return true;
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    const named = /^(?:CHECKPOINT_.*|INTERNAL|INVALID|TOPIC_MISSING|PARTITION_MISSING)$/;
    assert.match(error.code, named, `${damage}: ${error.code} ${error.message}`);
    return false;
  } finally {
    await log.close();
  }
}
