/** A frame beyond the 64 MiB that Framelane takes, in a topic that takes more. */
import assert from "node:assert/strict";
import { parseAddress } from "../../../runtime/log/kafka/net/address.ts";
import { Cluster } from "../../../runtime/log/kafka/net/cluster.ts";
import { encodeBatch } from "../../../runtime/log/kafka/records/encoder.ts";
import { ensureTopic } from "../../../runtime/log/kafka/read/topics.ts";
import { openLog } from "../../../runtime/log/open.ts";
import { judgeTopic } from "../../recovery/outputs.ts";
import { assertFlawless, markedRecords, markOf } from "../../support/checker.ts";
import { framelane } from "../../support/framelane.ts";
import { appendBatches, kafkaUrl, uniqueName } from "../../support/kafka.ts";
import { readAll } from "../../support/log.ts";
import { reportRow } from "../../support/trial_report.ts";

const MIB = 2 ** 20;
const FRAMES = 20;
const LARGE = 11;

Deno.test("a frame of more than 64 MiB in a topic that takes it is a dead letter, its neighbours are untouched", async () => {
  const url = kafkaUrl();
  const topic = uniqueName("oversized");
  const cluster = new Cluster(await parseAddress(url), 10_000);
  const log = await openLog(url);
  try {
    await ensureTopic(cluster, topic, 1, { "max.message.bytes": String(96 * MIB) });
    const records = markedRecords(1, FRAMES, { start: Date.now() - 60_000 });
    const value = new Uint8Array(65 * MIB);
    value.set(records[LARGE]!.value);
    records[LARGE] = { ...records[LARGE]!, value };
    await appendBatches(topic, 0, records.map((record) => encodeBatch([record])));
    const { code, process } = await framelane([
      ...["queries", "passthrough", "--log", url, "--topic", topic, "--group", `${topic}-group`],
      ...["--starting-offsets", "earliest", "--trigger", "available-now", "--executors", "1"],
      ...["--sink", `topic:${topic}-out`, "--json"],
    ]);
    assert.equal(code, 0, process.output());
    assert.equal(process.summaries[0]!.deadLettered, 1, process.output());
    assert.doesNotMatch(process.output(), /; restarting/);
    const published = records.toSpliced(LARGE, 1).map(markOf);
    const verdict = await judgeTopic(log, `${topic}-out`, 1, published);
    reportRow({
      fault: "a frame of 65 MiB, Kafka: dead-lettered, the others",
      repetitions: 1,
      verdict,
    });
    assertFlawless(verdict, "neighbours");
    const [letter] = await readAll(log, `${topic}.dead-letters`, 0);
    assert.equal(letter!.headers["reason"], "too-large");
    // Refused as a picture: its output topic would not have taken it either.
    assert.match(
      letter!.headers["__streams.errors.message"]!,
      /^Cannot accept an image of 68157440 /,
    );
    assert.equal(letter!.headers["truncated"], String(65 * MIB));
    assert.equal(letter!.headers["__streams.errors.offset"], String(LARGE));
  } finally {
    await log.close();
    await cluster.close();
  }
});
