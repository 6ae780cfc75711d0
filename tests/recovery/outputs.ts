// Everything that a query has put out, so that two runs of it can be compared byte by byte.
import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { TopicLog } from "../../runtime/log/log.ts";
import { judge, type Marked, markOf, sha256, type Verdict } from "../support/checker.ts";
import { readAll } from "../support/log.ts";

/** Where a run of a query puts its outputs. */
export interface Places {
  readonly topic: string;
  readonly folder: string;
}

/** The command of a query of `tests/support/queries` whose outputs of each kind go to these places. */
export function commandInto(
  { topic, folder }: Places,
  { url, query, partitions }: { url: string; query: string; partitions: number },
  more: readonly string[],
): string[] {
  const sinks = [
    `topic:${topic}`,
    `images:${folder}/images`,
    `events:${folder}/events.jsonl`,
    `video:${folder}/video?group=300ms&roll=900ms`,
  ];
  const module = fileURLToPath(new URL(`../support/queries/${query}.ts`, import.meta.url));
  const all = Array.from({ length: partitions }, (_, partition) => partition).join(",");
  return [
    ...["queries", module, "--log", url, "--group", `${topic}-${query}`, "--partitions", all],
    ...sinks.flatMap((sink) => ["--sink", sink]),
    ...["--port", "off", "--executors", "1", "--json"],
    ...more,
  ];
}

/** What is there: names, and the bytes or a sum of them. */
export type Outputs = ReadonlyMap<string, string>;

/** Collects records, pictures, videos, tables and events. What sinks remember for themselves is left out. */
export async function collect(
  log: TopicLog,
  { topic, folder }: Places,
  partitions: number,
): Promise<Outputs> {
  const outputs = new Map<string, string>();
  for (let partition = 0; partition < partitions; partition++) {
    for (const [index, record] of (await readAll(log, topic, partition)).entries()) {
      const { key, timestamp, headers, value } = record;
      const fields = JSON.stringify([key, timestamp, Object.entries(headers).sort()]);
      outputs.set(`record ${partition}/${index}`, `${fields} ${sha256(value)}`);
    }
  }
  for (const path of await files(folder)) {
    const name = relative(folder, path);
    if (/\.(csv|jsonl)$/.test(name)) {
      // Partitions share these: the order between two of them is a matter of luck.
      for (const [lane, lines] of linesByLane(await Deno.readTextFile(path))) {
        outputs.set(`${name} of ${lane}`, lines.join("\n"));
      }
    } else outputs.set(name, sha256(await Deno.readFile(path)));
  }
  return outputs;
}

/** All files below a folder but hidden ones. */
async function files(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (name.startsWith(".")) continue;
    const path = join(folder, name);
    if (isDirectory) found.push(...await files(path));
    else found.push(path);
  }
  return found.sort();
}

function linesByLane(text: string): Map<string, string[]> {
  const lanes = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const lane = /CAMERA-\d+/.exec(line)?.[0] ?? "all";
    lanes.set(lane, [...lanes.get(lane) ?? [], line]);
  }
  return lanes;
}

/** Fails with the names of what differs. */
export function assertSame(actual: Outputs, expected: Outputs, where: string): void {
  const names = new Set([...actual.keys(), ...expected.keys()]);
  const faults = [...names].filter((name) => actual.get(name) !== expected.get(name)).map((name) =>
    !actual.has(name)
      ? `${name} is missing`
      : !expected.has(name)
      ? `${name} is too much`
      : `${name} differs:\n  is      ${actual.get(name)!.slice(0, 400)}\n  must be ${
        expected.get(name)!.slice(0, 400)
      }`
  );
  assert.ok(faults.length === 0, `${where}: ${faults.slice(0, 8).join("\n")}`);
}

/** The checker's word on the frames of an output topic. */
export async function judgeTopic(
  log: TopicLog,
  topic: string,
  partitions: number,
  expected: readonly Marked[],
): Promise<Verdict> {
  const seen: Marked[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    seen.push(...(await readAll(log, topic, partition)).map(markOf));
  }
  return judge(expected, seen);
}

/**
 * The checker's word on the pictures of an `images` folder: their names tell the offset. Those of access units are made
 * anew: each must be there, whatever its bytes.
 */
export async function judgeImages(
  folder: string,
  expected: readonly Marked[],
): Promise<Verdict> {
  // A camera that came late does not begin at 0: its first offset is the first of what it published.
  const published = Map.groupBy(expected, ({ camera }) => camera);
  const seen: Marked[] = [];
  for (const path of await files(folder)) {
    const [, camera, offset] = /(CAMERA-\d+)\/0*(\d+)\.jpg$/.exec(path) ?? [];
    if (camera === undefined) continue;
    const mark = published.get(camera)?.[Number(offset)];
    const sum = mark?.isUnit ? mark.sha256 : sha256(await Deno.readFile(path));
    seen.push({ camera, seq: mark?.seq ?? Number(offset), sha256: sum });
  }
  return judge(expected, seen);
}
