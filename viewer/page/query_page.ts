// `/queries/LANE`: the details of one streaming query.
import type { StreamingQueryProgress } from "../../runtime/definition/progress.ts";
import { cameraText, type LaneView } from "../protocol.ts";
import { drawLine, Series } from "./chart.ts";
import { conditionOf } from "./condition.ts";
import { element, set, showFacts, text } from "./dom.ts";
import { count, duration, frames, moment, rate, recent, span } from "./format.ts";
import { brand } from "./header.ts";

interface Details {
  readonly lane: LaneView;
  readonly now: number;
  readonly progress: readonly StreamingQueryProgress[];
  readonly plan: string;
}

const EVERY_MS = 1_000;
const BATCHES_SHOWN = 25;

export function showQuery(lane: string): void {
  void new QueryPage(lane).run();
}

class QueryPage {
  readonly #lane: string;
  readonly #title = element("h1");
  readonly #condition = element("span", { class: "condition" });
  readonly #exception = element("section", { class: "exception card" });
  readonly #image = element("img", { class: "still", alt: "" });
  readonly #facts = element("dl", { class: "facts card" });
  readonly #charts = element("div", { class: "charts" });
  readonly #plan = element("pre", { class: "card", tabindex: 0, "aria-label": "Plan" });
  readonly #offsets = element("tbody");
  readonly #batches = element("tbody");
  readonly #notice = element("p", { class: "muted", role: "status" });
  #stillOf = -1;

  constructor(lane: string) {
    this.#lane = lane;
    const bar = document.getElementById("bar")!;
    bar.append(
      brand(),
      element(
        "nav",
        { class: "tabs", "aria-label": "Pages" },
        element("a", { class: "tab", href: "/" }, "Wall"),
        element("a", { class: "tab", href: `/?focus=${encodeURIComponent(lane)}` }, "Live"),
      ),
    );
    const wall = document.getElementById("wall")!;
    set(wall, { class: "query-page", "aria-label": "Query" });
    wall.append(
      element("header", { class: "page-title" }, this.#title, this.#condition, this.#notice),
      this.#exception,
      element("div", { class: "columns" }, this.#image, this.#facts),
      this.#charts,
      section("Plan", this.#plan),
      section(
        "Offsets",
        table(["Topic", "Partition", "Start", "End", "Latest", "Lag"], this.#offsets),
      ),
      section(
        "Batches",
        table([
          "Batch",
          "Started",
          "Frames",
          "In/s",
          "Processed/s",
          "Took",
          "Write-ahead",
          "Run",
          "Commit",
          "Latency p50",
          "p99",
        ], this.#batches),
      ),
    );
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
    this.#exception.replaceChildren(
      element("h2", {}, "Last exception"),
      element("p", {}, lane.exception ?? ""),
    );
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
    const charts: [string, (each: StreamingQueryProgress) => number | undefined][] = [
      ["Frames in per second", (each) => each.inputRowsPerSecond],
      ["Processed per second", (each) => each.processedRowsPerSecond],
      ["Batch, ms", (each) => each.batchDuration],
      ["Latency p50, ms", (each) => each.latencies?.e2eLatencyMs.P50],
      ["Latency p99, ms", (each) => each.latencies?.e2eLatencyMs.P99],
      ["Lag, frames", (each) => offsetsOf(each).reduce((sum, { lag = 0 }) => sum + lag, 0)],
    ];
    if (this.#charts.childElementCount === 0) {
      for (const [title] of charts) {
        this.#charts.append(
          element(
            "figure",
            { class: "chart card" },
            element("figcaption", {}, element("span", { class: "title" }, title), element("b")),
            element("canvas", { "aria-hidden": "true" }),
          ),
        );
      }
    }
    const color = getComputedStyle(this.#charts).getPropertyValue("--spark");
    charts.forEach(([, read], index) => {
      const series = new Series(Math.max(30, progress.length));
      for (const each of progress) series.push(read(each) ?? NaN);
      const figure = this.#charts.children[index]!;
      const last = series.length === 0 ? NaN : series.at(series.length - 1);
      text(figure.querySelector("b")!, Number.isNaN(last) ? "–" : rate(last));
      drawLine(figure.querySelector("canvas")!, series, { color });
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

function section(title: string, ...content: Node[]): HTMLElement {
  return element("section", {}, element("h2", {}, title), ...content);
}

function table(columns: readonly string[], body: HTMLTableSectionElement): HTMLElement {
  const head = element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)));
  return element(
    "div",
    { class: "card scroll", tabindex: 0, role: "group", "aria-label": columns.join(", ") },
    element("table", {}, element("thead", {}, head), body),
  );
}

function fill(body: HTMLElement, rows: readonly string[][], columns: number): void {
  body.replaceChildren(
    ...(rows.length > 0 ? rows : [["Nothing yet", ...Array<string>(columns - 1).fill("")]]).map(
      (row) => element("tr", {}, ...row.map((value) => element("td", {}, value))),
    ),
  );
}
