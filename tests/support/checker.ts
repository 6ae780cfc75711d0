// The one checker of all trials: every frame carries its camera, its sequence number and the SHA-256
// of its bytes; after a trial the checker says what is lost, doubled, reordered or changed.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { LogRecord } from "../../runtime/log/log.ts";
import { type RecordOptions, records } from "./frames.ts";

/** A frame as the checker knows it. */
export interface Marked {
  readonly camera: string;
  /** The camera's own count. */
  readonly seq: number;
  readonly sha256: string;
  /** It is an access unit: its picture has other bytes. */
  readonly isUnit?: boolean;
}

/** What became of the frames. All zeros: nothing. */
export interface Verdict {
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly changed: number;
  /** The first few faults, for people. */
  readonly faults: readonly string[];
}

const FAULTS_SHOWN = 8;

/** SHA-256 as hexadecimal digits. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Records as a camera publishes them, each with the SHA-256 of its bytes. */
export function markedRecords(
  camera: number,
  count: number,
  options: RecordOptions = {},
): LogRecord[] {
  return records(camera, count, options).map((record) => ({
    ...record,
    headers: { ...record.headers, sha256: sha256(record.value) },
  }));
}

/** What the checker needs to know of a record; its bytes are summed anew. */
export function markOf(
  { key, value, headers }: Pick<LogRecord, "key" | "value" | "headers">,
): Marked {
  return {
    camera: key ?? "",
    seq: Number(headers["seq"]),
    sha256: sha256(value),
    isUnit: headers["content-type"] === "video/h264",
  };
}

/**
 * Compares what came out, in the order in which it came out, with what went in. Cameras are
 * independent of each other: only within one is there an order.
 */
export function judge(expected: Iterable<Marked>, seen: Iterable<Marked>): Verdict {
  const wanted = new Map<string, string>();
  const name = ({ camera, seq }: Marked) => `${camera} #${seq}`;
  for (const mark of expected) wanted.set(name(mark), mark.sha256);
  const times = new Map<string, number>();
  const highest = new Map<string, number>();
  const faults: string[] = [];
  let [lost, doubled, reordered, changed] = [0, 0, 0, 0];
  for (const mark of seen) {
    const frame = name(mark);
    const count = (times.get(frame) ?? 0) + 1;
    times.set(frame, count);
    const sum = wanted.get(frame);
    if (sum !== mark.sha256) {
      changed++;
      faults.push(`${frame} ${sum === undefined ? "was never published" : "has other bytes"}`);
    }
    if (count > 1) {
      doubled++;
      faults.push(`${frame} came ${count} times`);
      continue;
    }
    const before = highest.get(mark.camera) ?? -1;
    if (mark.seq < before) {
      reordered++;
      faults.push(`${frame} came after #${before}`);
    }
    highest.set(mark.camera, Math.max(before, mark.seq));
  }
  for (const frame of wanted.keys()) {
    if (times.has(frame)) continue;
    lost++;
    faults.push(`${frame} is missing`);
  }
  return { lost, doubled, reordered, changed, faults: faults.slice(0, FAULTS_SHOWN) };
}

/** The sum of several verdicts. */
export function total(verdicts: readonly Verdict[]): Verdict {
  const sum = (count: (verdict: Verdict) => number) =>
    verdicts.reduce((all, verdict) => all + count(verdict), 0);
  return {
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    reordered: sum(({ reordered }) => reordered),
    changed: sum(({ changed }) => changed),
    faults: verdicts.flatMap(({ faults }) => faults).slice(0, FAULTS_SHOWN),
  };
}

/** Fails unless nothing is lost, doubled, reordered or changed. */
export function assertFlawless(verdict: Verdict, where: string): void {
  assert.deepEqual(
    verdict,
    { lost: 0, doubled: 0, reordered: 0, changed: 0, faults: [] },
    `${where}: ${verdict.faults.join("; ")}`,
  );
}
