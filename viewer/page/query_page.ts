// `/queries/LANE`: the details of one streaming query.
import type { StreamingQueryProgress } from "../../runtime/definition/progress.ts";
import { cameraText, type LaneView } from "../protocol.ts";
import { Chart } from "./chart.ts";
import { conditionOf } from "./condition.ts";
import { copyOf, element, find, set, showFacts, text } from "./dom.ts";
import { count, duration, frames, known, moment, rate, recent, span } from "./format.ts";

interface Details {
  readonly lane: LaneView;
  readonly now: number;
  readonly progress: readonly StreamingQueryProgress[];
  readonly plan: string;
}

const EVERY_MS = 1_000;
const BATCHES_SHOWN = 25;

/** Titles of charts and columns, and what they show. */
type Shown<Row, Value> = readonly (readonly [title: string, read: (row: Row) => Value])[];

const CHARTS: Shown<StreamingQueryProgress, number | undefined> = [
  ["Frames in per second", (each) => each.inputRowsPerSecond],
  ["Processed per second", (each) => each.processedRowsPerSecond],
  ["Batch, ms", (each) => each.batchDuration],
  ["Latency p50, ms", (each) => each.latencies?.e2eLatencyMs.P50],
  ["Latency p99, ms", (each) => each.latencies?.e2eLatencyMs.P99],
  ["Lag, frames", (each) => offsetsOf(each).reduce((sum, { lag = 0 }) => sum + lag, 0)],
];

const BATCHES: Shown<StreamingQueryProgress, string | number> = [
  ["Batch", (each) => each.batchId],
  ["Started", (each) => recent(Date.parse(each.timestamp))],
  ["Frames", (each) => each.numInputRows],
  ["In/s", (each) => known(rate, each.inputRowsPerSecond)],
  ["Processed/s", (each) => known(rate, each.processedRowsPerSecond)],
  ["Took", (each) => known(duration, each.batchDuration)],
  ["Write-ahead", (each) => known(duration, each.durationMs.walCommit)],
  ["Run", (each) => known(duration, each.durationMs.addBatch)],
  ["Commit", (each) => known(duration, each.durationMs.commitOffsets)],
  ["Latency p50", (each) => known(duration, each.latencies?.e2eLatencyMs.P50)],
  ["p99", (each) => known(duration, each.latencies?.e2eLatencyMs.P99)],
];

const OFFSETS: Shown<ReturnType<typeof offsetsOf>[number], string | number> = [
  ["Topic", ({ topic }) => topic],
  ["Partition", ({ partition }) => partition],
  ["Start", ({ start }) => known(String, start)],
  ["End", ({ end }) => end],
  ["Latest", ({ latest }) => known(String, latest)],
  ["Lag", ({ lag }) => known(String, lag)],
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
  readonly #drawn: Chart[] = [];
  readonly #plan = find(this.#root, "pre", HTMLElement);
  readonly #offsets = find(this.#root, ".offsets", HTMLElement);
  readonly #batches = find(this.#root, ".batches", HTMLElement);
  readonly #notice = find(this.#root, '[role="status"]', HTMLElement);
  #stillOf = -1;

  constructor() {
    const live = find(document, ".live-tab", HTMLElement);
    set(live, { href: `/?focus=${encodeURIComponent(this.#lane)}` });
    for (const [title] of CHARTS) {
      const figure = copyOf("chart");
      text(find(figure, ".title", HTMLElement), title);
      this.#charts.append(figure);
      this.#drawn.push(new Chart(figure));
    }
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
      document.body.classList.remove("lost");
    } catch {
      text(this.#notice, "Connection lost. Retrying …");
      document.body.classList.add("lost");
    }
  }

  #show({ lane, now, progress, plan }: Details): void {
    const newest = progress.at(-1);
    const condition = conditionOf(lane);
    const title = `${lane.query} on ${cameraText(lane)}`;
    document.title = `${title} · Framelane`;
    text(this.#title, title);
    set(this.#condition, { "data-condition": condition });
    text(this.#condition, condition);
    this.#exception.hidden = lane.exception === undefined;
    text(find(this.#exception, "p", HTMLElement), lane.exception ?? "");
    const { lastFrameTimestamp = this.#stillOf } = lane;
    // On a busy machine the next picture waits until this one is there.
    if (lastFrameTimestamp !== this.#stillOf && this.#image.complete) {
      this.#stillOf = lastFrameTimestamp;
      const query = new URLSearchParams({ query: lane.query, topic: lane.topic, width: "640" });
      this.#image.src = `/cam/${lane.partition + 1}.jpg?${query}&t=${lastFrameTimestamp}`;
      set(this.#image, { alt: `Newest picture of ${cameraText(lane)}` });
    }
    this.#image.hidden = this.#stillOf < 0;
    this.#showFacts(lane, now, newest);
    this.#showCharts(progress);
    text(this.#plan, plan === "" ? "No plan: this lane shows its partition as it is" : plan);
    showTable(this.#offsets, OFFSETS, newest === undefined ? [] : offsetsOf(newest));
    showTable(this.#batches, BATCHES, progress.slice(-BATCHES_SHOWN).reverse());
  }

  #showFacts(lane: LaneView, now: number, newest: StreamingQueryProgress | undefined): void {
    const totals = newest?.totals;
    showFacts(this.#facts, [
      ["Name", lane.name],
      ["Partition", `${lane.topic} / ${lane.partition}`],
      ["Batch", known(String, newest?.batchId)],
      ["Checkpoint age", known((commit) => span(now - commit), lane.lastCommit)],
      ["Frames in", `${rate(lane.framesPerSecondIn)} per second`],
      ["Frames out", `${rate(lane.framesPerSecondOut)} per second`],
      ["Lag", frames(lane.lagFrames)],
      ["Latency p50", known(duration, lane.latencyP50Ms)],
      ["Latency p99", known(duration, lane.latencyP99Ms)],
      ["Dropped", frames(lane.dropped)],
      ["Dead letters", frames(lane.deadLettered)],
      ["Gaps", frames(lane.gaps)],
      ["Duplicates", known(frames, totals?.duplicates)],
      ["Out of order", known(frames, totals?.orderViolations)],
      ["Restarts", count(lane.restarts)],
      ["Sink", newest?.sink.description ?? "–"],
      ["Newest frame", known(moment, lane.lastFrameTimestamp)],
      ["Id", newest?.id ?? "–"],
      ["Run", newest?.runId ?? "–"],
    ]);
  }

  #showCharts(progress: readonly StreamingQueryProgress[]): void {
    CHARTS.forEach(([, read], index) => {
      const values = progress.map((each) => [read(each) ?? NaN]);
      this.#drawn[index]!.update(values, rate, Math.max(30, values.length));
    });
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

function showTable<Row>(
  table: HTMLElement,
  columns: Shown<Row, string | number>,
  rows: readonly Row[],
): void {
  const nothing = element("td", { colspan: columns.length }, "Nothing yet");
  const titles = columns.map(([title]) => element("th", { scope: "col" }, title));
  const lines = rows.map((row) => columns.map(([, read]) => element("td", {}, String(read(row)))));
  table.replaceChildren(
    element("thead", {}, element("tr", {}, ...titles)),
    element(
      "tbody",
      {},
      ...(rows.length === 0 ? [[nothing]] : lines).map((cells) => element("tr", {}, ...cells)),
    ),
  );
}

void new QueryPage().run();
