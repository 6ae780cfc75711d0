/**
 * A sweep as one page: plots, what follows from them, and all figures. It holds all it needs.
 *
 * @module
 */
import type { Machine } from "../support/machine.ts";
import { escape, grouped, type Tone } from "./charts.ts";
import { CLASSIC_IMAGES, type ClassicRun, PYTHON_WATCHDOG } from "./classic.ts";
import { checkWords, costWords, fastWords, soonWords } from "./findings.ts";
import {
  classicCharts,
  costChart,
  costLegend,
  latencyChart,
  legend,
  speedCharts,
  tradeOff,
} from "./plots.ts";
import { best, bySpeed, whole } from "./ranking.ts";
import { STYLE } from "./style.ts";
import { spreadOf, type Summary } from "./tables.ts";

/** What the page tells. */
export interface Report {
  readonly machine: Machine;
  readonly summaries: readonly Summary[];
  readonly classic: readonly ClassicRun[];
  readonly partitions: number;
  readonly live: { readonly fps: number; readonly seconds: number };
}

/** The page. */
export function pageOf(report: Report): string {
  const { machine, summaries, classic, partitions, live } = report;
  const [first] = summaries;
  const kilobytes = (first!.frameBytes / 1000).toFixed(0);
  const title = "Framelane on Kafka";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}: batch size × linger × compression</title>
<style>${STYLE}</style>
</head>
<body>
<header>
  <p class="over">Batch size × linger × compression</p>
  <h1>${title}</h1>
  <p class="lead">${
    first!.messages
  } real JPEG frames of 640×480 (${kilobytes} KB each) a run, ${partitions} cameras on
  ${partitions} partitions, through the cameras’ publisher into Apache Kafka and out of it again,
  ${summaries.length} settings, ${
    first!.repeats
  } interleaved repeats. Medians; whiskers reach from the lowest to the
  highest repeat.</p>
  ${machineCard(machine)}
</header>
<main>
${tiles(report)}
<section>
  <h2>How fast</h2>
  <p>${fastWords(summaries)}</p>
  <div class="legend">${legend(summaries)}</div>
  <figure>${speedCharts(summaries)}</figure>
</section>
<section>
  <h2>How soon</h2>
  <p>${partitions} cameras at ${live.fps} frames a second, so that nothing queues. ${
    soonWords(summaries)
  }</p>
  <figure>${latencyChart(summaries)}</figure>
</section>
<section>
  <h2>Both at once</h2>
  <p>Up is more frames, left is sooner. What lies up and left of another is better in both.</p>
  <figure>${tradeOff(summaries)}</figure>
</section>
<section>
  <h2>What it costs</h2>
  <p>${costWords(summaries)}</p>
  <div class="legend">${costLegend(summaries)}</div>
  <figure>${costChart(summaries)}</figure>
</section>
<section>
  <h2>The classic job: ${CLASSIC_IMAGES} images</h2>
  ${classicSection(classic)}
</section>
<section>
  <h2>All figures</h2>
  <p>Every repeat is in <a href="producer_metrics.csv">producer_metrics.csv</a> and
  <a href="consumer_metrics.csv">consumer_metrics.csv</a>, medians and extremes in
  <a href="kafka_performance_results.csv">kafka_performance_results.csv</a>.</p>
  <div class="scroll">${table(summaries)}</div>
  <p class="fine">${
    checkWords(summaries)
  } Acknowledged means by all in-sync replicas, from an idempotent
  producer. Frames are JPEG: a compression finds little left to save in them.</p>
</section>
</main>
<footer>Made by <code>deno task bench kafka</code> on ${
    escape(machine.date)
  }; no figure is typed by hand.</footer>
</body>
</html>
`;
}

function machineCard({ processor, cores, memoryGiB, system, deno, kafka, date, load }: Machine) {
  const entries = [
    ["Processor", `${processor}, ${cores} cores`],
    ["Memory", `${memoryGiB} GiB`],
    ["System", system],
    ["Deno", deno],
    ["Kafka", `${kafka}; broker and benchmark share the machine`],
    ["Date", `${date}; load before: ${load.toFixed(2)}`],
  ];
  return `<dl class="machine">${
    entries.map(([name, value]) => `<div><dt>${name}</dt><dd>${escape(value!)}</dd></div>`).join("")
  }</dl>`;
}

function tiles({ summaries, classic }: Report): string {
  const out = best(summaries, (one) => one.producer.messagesPerSecond.median);
  const back = best(summaries, (one) => one.consumer.messagesPerSecond.median);
  const soon = best(summaries, (one) => -one.liveEndP99.median);
  const ours = spreadOf(classic.map((run) => run.out));
  const tile = (value: string, unit: string, what: string, tone: Tone) =>
    `<div class="tile ${tone}"><p class="big">${value} <span>${unit}</span></p><p>${what}</p></div>`;
  return `<div class="tiles">` +
    tile(
      grouped(Math.round(out.producer.messagesPerSecond.median)),
      "frames/s out",
      `${Math.round(out.producer.mbPerSecond.median)} MB/s with ${out.name}`,
      out.setting.compression,
    ) +
    tile(
      grouped(Math.round(back.consumer.messagesPerSecond.median)),
      "frames/s in",
      `${Math.round(back.consumer.mbPerSecond.median)} MB/s with ${back.name}`,
      back.setting.compression,
    ) +
    tile(
      soon.liveEndP99.median.toFixed(1),
      "ms",
      `camera to consumer, 99 of 100 frames, with ${soon.name}`,
      soon.setting.compression,
    ) +
    tile(
      `${(ours.median / PYTHON_WATCHDOG.out).toFixed(1)}×`,
      "the classic job",
      `${CLASSIC_IMAGES} images out: ${
        grouped(Math.round(ours.median))
      }/s here, ${PYTHON_WATCHDOG.out}/s reported of Python with watchdog`,
      "other",
    ) +
    `</div>`;
}

function classicSection(classic: readonly ClassicRun[]): string {
  return `<p>Out: the camera of a folder finds ${CLASSIC_IMAGES} image files, reads each, checks that it is whole,
  publishes it and has it acknowledged. In: each is read from the topic, decoded to its pixels and written to a
  file. One run out, one run in, ${classic.length} times. The figures of the Python system,
  ${PYTHON_WATCHDOG.out} out and ${PYTHON_WATCHDOG.in} in, are reported ones, from another machine: they were not
  measured here.</p>
  <figure>${classicCharts(classic)}</figure>`;
}

function table(summaries: readonly Summary[]): string {
  const head = [
    "batch / linger / compression",
    "frames/s out",
    "MB/s",
    "frames/s in",
    "MB/s",
    "frames a batch",
    "bytes a frame",
    "live ms acknowledged<br>p50 · p99",
    "live ms to consumer<br>p50 · p99",
    "most lag",
    "errors",
  ];
  const rows = bySpeed(summaries).map((one) => [
    `<span class="key ${one.setting.compression}"></span>${escape(one.name)}`,
    whole(one.producer.messagesPerSecond.median),
    whole(one.producer.mbPerSecond.median),
    whole(one.consumer.messagesPerSecond.median),
    whole(one.consumer.mbPerSecond.median),
    one.framesPerBatch.toFixed(1),
    whole(one.wireBytes),
    `${one.liveAckP50.median.toFixed(1)} · ${one.liveAckP99.median.toFixed(1)}`,
    `${one.liveEndP50.median.toFixed(1)} · ${one.liveEndP99.median.toFixed(1)}`,
    whole(one.liveLag),
    whole(one.errors),
  ]);
  return `<table><thead><tr>${
    head.map((name) => `<th scope="col">${name}</th>`).join("")
  }</tr></thead><tbody>${
    rows.map(([name, ...cells]) =>
      `<tr><th scope="row">${name}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`
    ).join("")
  }</tbody></table>`;
}
