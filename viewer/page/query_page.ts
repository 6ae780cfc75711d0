// `/queries/LANE`: the details of one streaming query.
import type { StreamingQueryProgress } from "../../runtime/definition/progress.ts";
import { cameraText, type LaneView } from "../protocol.ts";
import { drawLine, Series } from "./chart.ts";
import { conditionOf } from "./condition.ts";
import { element, find, set, showFacts, text } from "./dom.ts";
import { count, duration, frames, moment, rate, recent, span } from "./format.ts";
import { startLooks } from "./looks.ts";

interface Details {
  readonly lane: LaneView;
  readonly now: number;
  readonly progress: readonly StreamingQueryProgress[];
  readonly plan: string;
}

const EVERY_MS = 1_000;
const BATCHES_SHOWN = 25;

/** What the charts show, in the order of the page. */
const CHARTS: readonly ((each: StreamingQueryProgress) => number | undefined)[] = [
  (each) => each.inputRowsPerSecond,
  (each) => each.processedRowsPerSecond,
  (each) => each.batchDuration,
  (each) => each.latencies?.e2eLatencyMs.P50,
  (each) => each.latencies?.e2eLatencyMs.P99,
  (each) => offsetsOf(each).reduce((sum, { lag = 0 }) => sum + lag, 0),
];

class QueryPage {
  readonly #lane = decodeURIComponent(location.pathname.slice("/queries/".length));
  readonly #root = find(document, ".query-page", HTMLElement);
  readonly #title = find(this.#root, "h1", HTMLElement);
  readonly #condition = find(this.#root, ".condition", HTMLElement);
  readonly #exception = find(this.#root, ".exception", HTMLElement);
  readonly #image = find(this.#root, ".still", HTMLImageElement);
  readonly #facts = find(this.#root, ".facts", HTMLElement);
  readonly #charts = find(this.#root, ".charts", HTMLElement);
  readonly #plan = find(this.#root, "pre", HTMLElement);
  readonly #offsets = find(this.#root, ".offsets", HTMLElement);
  readonly #batches = find(this.#root, ".batches", HTMLElement);
  readonly #notice = find(this.#root, '[role="status"]', HTMLElement);
  #stillOf = -1;

  constructor() {
    const live = find(document, ".live-tab", HTMLElement);
    set(live, { href: `/?focus=${encodeURIComponent(this.#lane)}` });
  }

  async run(): Promise<void> {
    while (true) {
      if (document.visibilityState === "visible") await this.#refresh();
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  async #refresh(): Promise<void> {
    try {
      const response = await fetch(`/api/queries/${encodeURIComponent(this.#lane)}`);
      if (response.status === 401) location.reload();
      if (response.ok) this.#show(await response.json() as Details);
      text(this.#notice, response.ok ? "" : "No such query");
      if (!response.ok) text(this.#title, this.#lane);
    } catch {
      text(this.#notice, "Connection lost. Retrying …");
    }
  }

  #show({ lane, now, progress, plan }: Details): void {
    const newest = progress.at(-1);
    const condition = conditionOf(lane);
    document.title = `${lane.name} · Framelane`;
    text(this.#title, `${lane.query} on ${cameraText(lane)}`);
    set(this.#condition, { "data-condition": condition });
    text(this.#condition, condition);
    this.#exception.hidden = lane.exception === undefined;
    text(find(this.#exception, "p", HTMLElement), lane.exception ?? "");
    if (lane.lastFrameTimestamp !== undefined && lane.lastFrameTimestamp !== this.#stillOf) {
      this.#stillOf = lane.lastFrameTimestamp;
      const query = new URLSearchParams({ query: lane.query, topic: lane.topic, width: "640" });
      this.#image.src = `/cam/${lane.partition + 1}.jpg?${query}&t=${lane.lastFrameTimestamp}`;
      set(this.#image, { alt: `Newest picture of ${cameraText(lane)}` });
    }
    this.#image.hidden = this.#stillOf < 0;
    this.#showFacts(lane, now, newest);
    this.#showCharts(progress);
    text(this.#plan, plan === "" ? "No plan: this lane shows its partition as it is" : plan);
    this.#showOffsets(newest);
    this.#showBatches(progress);
  }

  #showFacts(lane: LaneView, now: number, newest: StreamingQueryProgress | undefined): void {
    const totals = newest?.totals;
    showFacts(this.#facts, [
      ["Name", lane.name],
      ["Partition", `${lane.topic} / ${lane.partition}`],
      ["Batch", newest === undefined ? "–" : String(newest.batchId)],
      [
        "Checkpoint age",
        lane.lastCommit === undefined ? "–" : span(now - lane.lastCommit),
      ],
      ["Frames in", `${rate(lane.framesPerSecondIn)} per second`],
      ["Frames out", `${rate(lane.framesPerSecondOut)} per second`],
      ["Lag", frames(lane.lagFrames)],
      [
        "Latency",
        lane.latencyP50Ms === undefined
          ? "–"
          : `p50 ${duration(lane.latencyP50Ms)}, p99 ${duration(lane.latencyP99Ms ?? 0)}`,
      ],
      ["Dropped", frames(lane.dropped)],
      ["Dead letters", frames(lane.deadLettered)],
      ["Gaps", frames(lane.gaps)],
      ["Duplicates", totals === undefined ? "–" : frames(totals.duplicates)],
      ["Out of order", totals === undefined ? "–" : frames(totals.orderViolations)],
      ["Restarts", count(lane.restarts)],
      ["Sink", newest?.sink.description ?? "–"],
      [
        "Newest frame",
        lane.lastFrameTimestamp === undefined ? "–" : moment(lane.lastFrameTimestamp),
      ],
      ["Id", newest?.id ?? "–"],
      ["Run", newest?.runId ?? "–"],
    ]);
  }

  #showCharts(progress: readonly StreamingQueryProgress[]): void {
    const color = getComputedStyle(this.#charts).getPropertyValue("--spark");
    CHARTS.forEach((read, index) => {
      const series = new Series(Math.max(30, progress.length));
      for (const each of progress) series.push(read(each) ?? NaN);
      const figure = this.#charts.children[index]!;
      const last = series.length === 0 ? NaN : series.at(series.length - 1);
      text(find(figure, "b", HTMLElement), Number.isNaN(last) ? "–" : rate(last));
      drawLine(find(figure, "canvas", HTMLCanvasElement), series, { color });
    });
  }

  #showOffsets(newest: StreamingQueryProgress | undefined): void {
    const rows = newest === undefined ? [] : offsetsOf(newest);
    fill(
      this.#offsets,
      rows.map((row) => Object.values(row).map((value) => String(value ?? "–"))),
      6,
    );
  }

  #showBatches(progress: readonly StreamingQueryProgress[]): void {
    const ms = (value: number | undefined) => value === undefined ? "–" : duration(value);
    const rows = progress.slice(-BATCHES_SHOWN).reverse().map((each) => [
      String(each.batchId),
      recent(Date.parse(each.timestamp)),
      String(each.numInputRows),
      each.inputRowsPerSecond === undefined ? "–" : rate(each.inputRowsPerSecond),
      each.processedRowsPerSecond === undefined ? "–" : rate(each.processedRowsPerSecond),
      ms(each.batchDuration),
      ms(each.durationMs.walCommit),
      ms(each.durationMs.addBatch),
      ms(each.durationMs.commitOffsets),
      ms(each.latencies?.e2eLatencyMs.P50),
      ms(each.latencies?.e2eLatencyMs.P99),
    ]);
    fill(this.#batches, rows, 11);
  }
}

/** A query's offsets in each partition, in the order of the table's columns. */
function offsetsOf({ sources }: StreamingQueryProgress) {
  return sources.flatMap(({ startOffset, endOffset, latestOffset }) =>
    Object.entries(endOffset).flatMap(([topic, partitions]) =>
      Object.entries(partitions).map(([partition, end]) => {
        const latest = latestOffset[topic]?.[partition];
        const lag = latest === undefined ? undefined : Math.max(0, latest - end);
        return { topic, partition, start: startOffset[topic]?.[partition], end, latest, lag };
      })
    )
  );
}

function fill(body: HTMLElement, rows: readonly string[][], columns: number): void {
  body.replaceChildren(
    ...(rows.length > 0 ? rows : [["Nothing yet", ...Array<string>(columns - 1).fill("")]]).map(
      (row) => element("tr", {}, ...row.map((value) => element("td", {}, value))),
    ),
  );
}

startLooks();
void new QueryPage().run();
