import assert from "node:assert/strict";
import { pageOf } from "../../bench/kafka/page.ts";
import { gridOf, nameOf, parseSettings } from "../../bench/kafka/settings.ts";
import { csvOf, metricsRows, resultRows, summarize, type Trial } from "../../bench/kafka/tables.ts";
import type { Figures } from "../../bench/kafka/trial.ts";

const SETTINGS = parseSettings("16384/0/none,65536/10/zstd");

function figures(seconds: number, latencyMs: readonly number[], lag = 0): Figures {
  return {
    messages: 300,
    bytes: 30_000_000,
    seconds,
    latencyMs,
    errors: 0,
    lag,
    distribution: [100, 100, 100],
    cpuSeconds: 0.3,
    brokerSeconds: 0.15,
    batches: 150,
    wireBytes: 99_000,
  };
}

/** Three repeats of two settings: the second twice as slow as the first. */
function trials(): Trial[] {
  return [1, 2, 3].flatMap((repeat) =>
    SETTINGS.flatMap((setting, index) =>
      (["burst", "live"] as const).map((load): Trial => ({
        setting,
        load,
        repeat,
        producer: figures(repeat * (index + 1), [1, 2, 3, 100 * (index + 1)]),
        consumer: figures(repeat / 10, [5, 6, 7, 8], load === "live" ? repeat : 0),
      }))
    )
  );
}

/** Cells of a CSV without quotation marks, by name of the column. */
function parsed(csv: string): Record<string, string>[] {
  const [head, ...lines] = csv.trimEnd().split("\n").map((line) => line.split(","));
  return lines.map((cells) => Object.fromEntries(head!.map((name, i) => [name, cells[i]!])));
}

Deno.test("kafka tables: every repeat of both sides is a row, with rates that follow from it", () => {
  const all = trials();
  const producer = parsed(csvOf(metricsRows(all, "producer")));
  assert.equal(producer.length, 12);
  const row = producer.find(({ setting, load, repeat }) =>
    setting === "65536/10/zstd" && load === "burst" && repeat === "3"
  )!;
  assert.deepEqual(
    [
      row.messages,
      row.seconds,
      row.seconds_per_message,
      row.messages_per_second,
      row.mb_per_second,
    ],
    ["300", "6", "0.02", "50", "5"],
  );
  assert.deepEqual([row.latency_p50_ms, row.latency_p99_ms], ["2", "200"]);
  assert.deepEqual([row.partition_distribution, row.messages_per_batch], ["100 100 100", "2"]);
  assert.deepEqual([row.cpu_percent, row.cpu_ms_per_message, row.broker_cpu_seconds], [
    "5",
    "1",
    "0.15",
  ]);
  const consumer = parsed(csvOf(metricsRows(all, "consumer")));
  assert.deepEqual(consumer.map(({ lag_frames }) => lag_frames).slice(0, 4), ["0", "1", "0", "1"]);
});

Deno.test("kafka tables: medians and extremes over the repeats, one row a setting", () => {
  const rows = parsed(csvOf(resultRows(summarize(trials()))));
  assert.deepEqual(rows.map(({ setting }) => setting), SETTINGS.map(nameOf));
  const [fast, slow] = rows;
  assert.deepEqual(
    ["median", "low", "high"].map((of) => fast![`producer_messages_per_second_${of}`]),
    ["150", "100", "300"],
  );
  assert.equal(slow!["producer_messages_per_second_median"], "75");
  assert.equal(fast!["consumer_messages_per_second_median"], "1500");
  assert.deepEqual([fast!["live_lag_max_frames"], fast!["lag_at_end_frames"]], ["3", "0"]);
});

Deno.test("kafka tables: awkward cells are quoted, what is unknown stays empty, odd rows are refused", () => {
  assert.equal(
    csvOf([{ a: 'say "yes", please', b: undefined, c: NaN }]),
    'a,b,c\n"say ""yes"", please",,\n',
  );
  assert.throws(
    () => csvOf([{ a: 1 }, { b: 1 }]),
    /^RangeError: Cannot write a table with columns b/,
  );
});

Deno.test("kafka settings: a grid, and what cannot be read is told", () => {
  assert.deepEqual(gridOf([1, 2], [0, 5], ["none", "lz4"]).map(nameOf).length, 8);
  for (const text of ["", "16384/0", "0/0/none", "1/-1/none", "1/1/brotli", "1/1/none/x"]) {
    assert.throws(() => parseSettings(text), /expected BATCH_BYTES\/LINGER_MS\/COMPRESSION/, text);
  }
});

Deno.test("kafka page: holds every setting and the machine, needs nothing from elsewhere", () => {
  const summaries = summarize(trials());
  const page = pageOf({
    machine: {
      processor: "Fast & <Furious>",
      cores: 2,
      memoryGiB: 24,
      system: "Debian",
      deno: "2.9.6",
      kafka: "Apache Kafka 4.1.1",
      date: "2026-01-31",
      load: 0.1,
    },
    summaries,
    classic: [{ out: 260, in: 410 }, { out: 280, in: 400 }, { out: 240, in: 420 }],
    partitions: 3,
    live: { fps: 25, seconds: 3 },
  });
  for (const setting of SETTINGS) assert.ok(page.includes(nameOf(setting)));
  assert.ok(page.includes("Fast &amp; &lt;Furious&gt;, 2 cores"));
  // 260 of ours beside 130 of the Python system.
  assert.ok(page.includes("2.0×"));
  assert.ok(page.includes("prefers-color-scheme:dark"));
  assert.doesNotMatch(page, /<script|<link|@import|url\(|(?:src|href)="?https?:/i);
  assert.doesNotMatch(page, /NaN|undefined|Infinity/);
  const opened = page.match(/<(?:svg|section|div|g|text|title|table|tr)[ >]/g)!.length;
  const closed = page.match(/<\/(?:svg|section|div|g|text|title|table|tr)>/g)!.length;
  assert.equal(opened, closed);
});
