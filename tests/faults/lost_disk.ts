// A topic whose disk is lost, or that is deleted, under a camera and two queries: the one that may lose
// nothing stops and says what to do, the one that may continues and counts each lost frame.
import assert from "node:assert/strict";
import { join } from "node:path";
import { FramePublisher } from "../../cameras/publisher.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import type { KafkaCluster } from "../support/cluster.ts";
import { judgeTopic } from "../recovery/outputs.ts";
import { type Marked, markedRecords, markOf } from "../support/checker.ts";
import type { FramelaneProcess } from "../support/framelane.ts";
import { openPatiently, withAdmin, withKafka } from "../support/kafka.ts";
import type { Random } from "../support/random.ts";
import { say } from "../support/trial_report.ts";
import { passthrough, reached } from "./passthrough.ts";
import { until } from "../support/until.ts";
import { withFolder } from "../support/folder.ts";

const TOPIC = "VideoStreaming";

/** What takes the frames away. */
export type Loss = "the disk is emptied" | "the topic is deleted";

/** What a trial found. */
export interface LostDisk {
  /** Frames that the query counted as lost; as many as the checker misses. */
  readonly lost: number;
  readonly recoveryMs: number;
}

/** Makes a trial on a broker of its own; fails unless everything is stopped, counted and gone on with as it must be. */
export async function lostDisk(
  loss: Loss,
  random: Random,
  units?: readonly Uint8Array[],
): Promise<LostDisk> {
  return await withFolder(async (dataDir) => {
    let found: LostDisk | undefined;
    await withKafka({ dataDir }, async (kafka) => {
      const disk = join(dataDir, "node-1", "data", `${TOPIC}-0`);
      found = await trial(loss, { random, kafka, disk, units });
    });
    return found!;
  });
}

async function trial(
  loss: Loss,
  { random, kafka, disk, units }: {
    readonly random: Random;
    readonly kafka: KafkaCluster;
    readonly disk: string;
    readonly units: readonly Uint8Array[] | undefined;
  },
): Promise<LostDisk> {
  const url = `kafka://${kafka.bootstrap}`;
  const log = await openPatiently(url);
  await log.createTopic(TOPIC, 1);
  const camera = new Camera(
    new FramePublisher({
      log,
      producer: await log.producer(),
      topic: TOPIC,
      partition: 0,
      clock: systemClock,
      report: (message) => say(`camera: ${message}`),
    }),
    units,
  );
  const running: FramelaneProcess[] = [];
  const start = (name: string, ...more: string[]) => {
    const process = passthrough(url, TOPIC, name, more);
    running.push(process);
    return process;
  };
  try {
    const strict = start("strict");
    const lenient = start("lenient", "--no-fail-on-data-loss");
    const reaches = (output: string, seq: number) => reached(log, output, seq);
    await reaches("strict-OUT", 10);
    await reaches("lenient-OUT", 10);
    // What comes now is gone before it is read.
    for (const process of running) process.signal("SIGSTOP");
    const before = camera.published.length;
    const unread = random.whole(15, 40);
    await until("frames that are not read", () => camera.published.length >= before + unread);
    if (loss === "the disk is emptied") {
      await kafka.nodes[0]!.stop();
      for (const { name } of Deno.readDirSync(disk)) {
        if (!name.endsWith("metadata")) await Deno.remove(join(disk, name));
      }
      for (const process of running) process.signal("SIGCONT");
      await kafka.nodes[0]!.start();
    } else {
      await withAdmin((admin) => admin.deleteTopics({ topics: [TOPIC] }), kafka.bootstrap);
      for (const process of running) process.signal("SIGCONT");
    }
    const back = performance.now();
    assert.equal(await strict.ended(), 1, strict.output());
    assert.match(
      strict.output(),
      /the topic was deleted and created again.*--no-fail-on-data-loss/,
    );
    await reaches("lenient-OUT", camera.seq + 5);
    const recoveryMs = performance.now() - back;
    if (loss === "the disk is emptied") await stopsAgainAndIsTold(start, reaches, camera);
    const published = await camera.stop();
    await reaches("lenient-OUT", published.at(-1)!.seq);
    assert.equal(await lenient.stop(), 0, lenient.output());
    const { dropped } = lenient.summaries[0]!;
    const verdict = await judgeTopic(log, "lenient-OUT", 1, published);
    assert.deepEqual(
      [verdict.lost, verdict.doubled, verdict.reordered, verdict.changed],
      [dropped, 0, 0, 0],
      `${verdict.faults.join("; ")}\n${lenient.output()}`,
    );
    assert.ok(dropped >= unread, `${dropped} lost, of ${unread} that were not read`);
    const told = /Lost (\d+) frames of VideoStreaming partition 0/.exec(lenient.output());
    const lost = Number(told?.[1]);
    // Access units at the start of the new log that have lost their keyframe are counted by themselves.
    assert.ok(units === undefined ? lost === dropped : lost <= dropped, lenient.output());
    return { lost: dropped, recoveryMs };
  } catch (error) {
    for (const process of running) say(process.output());
    throw error;
  } finally {
    for (const process of running) await process.kill();
    await camera.stop();
    await log.close();
  }
}

/** The query that stopped stops again; told to continue it takes the new frames, each once. */
async function stopsAgainAndIsTold(
  start: (name: string, ...more: string[]) => FramelaneProcess,
  reaches: (output: string, seq: number) => Promise<void>,
  camera: Camera,
): Promise<void> {
  const again = start("strict");
  assert.equal(await again.ended(), 1, again.output());
  assert.match(again.output(), /the topic was deleted and created again/);
  const told = start("strict", "--no-fail-on-data-loss");
  await reaches("strict-OUT", camera.seq + 5);
  assert.match(told.output(), /Lost \d+ frames of .* with the previous topic/);
  assert.equal(await told.stop(), 0, told.output());
}

/** A camera that never rests: 50 frames a second, by the publisher of all cameras. */
class Camera {
  /** What the log has confirmed. */
  readonly published: Marked[] = [];
  seq = 0;
  readonly #publisher: FramePublisher;
  readonly #units: readonly Uint8Array[] | undefined;
  readonly #ended = new AbortController();
  readonly #done: Promise<void>;

  constructor(publisher: FramePublisher, units: readonly Uint8Array[] | undefined) {
    this.#publisher = publisher;
    this.#units = units;
    this.#done = this.#run();
    this.#done.catch(() => {});
  }

  async #run(): Promise<void> {
    const start = Date.now();
    while (!this.#ended.signal.aborted) {
      const [record] = markedRecords(1, 1, { from: this.seq++, start, units: this.#units });
      await this.#publisher.publish({
        record: record!,
        delivered: () => void this.published.push(markOf(record!)),
      });
      await systemClock.sleep(20);
    }
    await this.#publisher.flush();
  }

  async stop(): Promise<readonly Marked[]> {
    this.#ended.abort();
    await this.#done;
    await this.#publisher.close();
    return this.published;
  }
}
