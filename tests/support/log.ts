// An embedded log for one test.
import { systemClock } from "../../runtime/base/clock.ts";
import type { Frame } from "../../runtime/definition/frame.ts";
import type { TopicLog } from "../../runtime/log/log.ts";
import { openLog } from "../../runtime/log/open.ts";
import { retry } from "../../runtime/base/wait.ts";
import { records } from "./frames.ts";
import { PATIENCE_MS } from "./until.ts";

/** Gives the test an empty embedded log and removes it afterwards. */
export async function withLog(
  test: (url: string, log: TopicLog, directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "framelane-test-" });
  const url = `embedded:${directory}/log`;
  const log = await openLog(url);
  try {
    await test(url, log, directory);
  } finally {
    await log.close();
    await Deno.remove(directory, { recursive: true });
  }
}

/** Everything that a partition holds. */
export async function readAll(log: TopicLog, topic: string, partition: number): Promise<Frame[]> {
  const { earliest, latest } = await log.offsets(topic, partition);
  const reader = await log.reader();
  const source = await reader.open(topic, partition, earliest);
  const frames: Frame[] = [];
  while (source.position < latest) {
    const more = await source.read(1000, AbortSignal.timeout(PATIENCE_MS), latest);
    if (more.length === 0) break;
    // Copies: a frame may be a view on a buffer that is used again.
    frames.push(...more.map((frame) => ({ ...frame, value: frame.value.slice() })));
  }
  await source.close();
  await reader.close();
  return frames;
}

/** Appends to some partitions at a camera's pace while `test` runs; returns how many to each. */
export async function whilePublishing(
  log: TopicLog,
  partitions: number,
  test: () => Promise<void>,
  topic = "VideoStreaming",
): Promise<number> {
  let done = false;
  const publishing = (async () => {
    const producer = await log.producer();
    let seq = 0;
    while (!done) {
      for (let partition = 0; partition < partitions; partition++) {
        await retry(
          () => producer.append(topic, partition, records(partition + 1, 5, { from: seq })),
          { clock: systemClock, minDelayMs: 50, maxDelayMs: 500 },
        );
      }
      seq += 5;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await producer.close();
    return seq;
  })();
  try {
    await test();
  } finally {
    done = true;
    await publishing;
  }
  return await publishing;
}
