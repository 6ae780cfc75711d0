/**
 * A runtime in a process of its own, to be killed and paused: one partition, all file sinks, a
 * checkpoint of plain files. A commit is a file that only one can make. Says each step before it does it.
 */
import { systemClock } from "../../../runtime/base/clock.ts";
import { events } from "../../../runtime/sinks/events.ts";
import { images } from "../../../runtime/sinks/images.ts";
import type { SinkTask } from "../../../runtime/definition/sink.ts";
import { video } from "../../../runtime/sinks/video.ts";
import { filmed } from "./filmed.ts";

const [directory = "", partitionText = "0", seedText = "1", offsetsText = "40"] = Deno.args;
const partition = Number(partitionText);
const offsets = Number(offsetsText);
const commits = `${directory}/commits-${partition}`;

interface Commit {
  readonly batch: number;
  readonly end: number;
  readonly restart: number;
}

let seed = Number(seedText);
function random(bound: number): number {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
  return Math.floor(seed / 2 ** 31 * bound);
}

function say(step: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${step}\n`));
}

function committed(): Commit {
  const batches = [...Deno.readDirSync(commits)]
    .filter(({ name }) => /^\d+$/.test(name))
    .map(({ name }) => Number(name));
  const batch = Math.max(-1, ...batches);
  if (batch === -1) return { batch, end: 0, restart: 0 };
  return JSON.parse(Deno.readTextFileSync(`${commits}/${batch}`)) as Commit;
}

function commit(next: Commit): void {
  const own = `${commits}/new-${crypto.randomUUID()}`;
  Deno.writeTextFileSync(own, JSON.stringify(next));
  try {
    Deno.linkSync(own, `${commits}/${next.batch}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    say("fenced");
    Deno.exit(3);
  } finally {
    Deno.removeSync(own);
  }
}

Deno.mkdirSync(commits, { recursive: true });
const start = committed();
const sinks = [
  events({ file: `${directory}/out/events.jsonl` }),
  images({ directory: `${directory}/out/images` }),
  video({ directory: `${directory}/out/video`, groupMs: 400 }),
];
const tasks: SinkTask[] = [];
say("open");
for (const sink of sinks) {
  tasks.push(
    await sink.open({
      query: "test",
      topic: "VideoStreaming",
      partition,
      committedEnd: start.end,
      committedBatch: start.batch,
      clock: systemClock,
      signal: new AbortController().signal,

      report: () => {},
    }),
  );
}
say("refeed");
for (let offset = start.restart; offset < start.end; offset++) {
  for (const task of tasks) await task.refeed?.([filmed(partition, offset)]);
}
let { batch, end } = start;
while (end < offsets) {
  const range = { batchId: batch + 1, start: end, end: Math.min(end + 1 + random(4), offsets) };
  const outputs = Array.from(
    { length: range.end - range.start },
    (_, index) => filmed(partition, range.start + index),
  );
  for (const step of ["write", "flush"] as const) {
    for (const task of tasks) {
      say(step);
      if (step === "write") await task.write?.(outputs, range);
      else await task.flush?.(range);
    }
  }
  say("commit");
  const restarts = tasks.map((task) => task.restartOffset?.() ?? range.end);
  commit({ batch: range.batchId, end: range.end, restart: Math.min(range.end, ...restarts) });
  for (const task of tasks) {
    say("committed");
    await task.committed?.(range);
  }
  ({ batchId: batch, end } = { batchId: range.batchId, end: range.end });
}
for (const task of tasks) {
  say("close");
  await task.close?.();
}
say("done");
