// What `deno task bench peers` writes: tables with every ratio and whether its goal is reached, plots.
// Ratios are taken within each round; medians are those of the rounds.
import { barChart } from "./plot.ts";
import { table } from "./report.ts";
import { median, percentile, spread } from "./stats.ts";

/** What one run of one contender gave. */
export interface Outcome {
  /** Frames a second from the first frame that was done to the last. */
  readonly steady: number;
  /** Frames a second from the start of the process to the last frame. */
  readonly cold: number;
  /** Seconds from the start of the process to the first frame that was done. */
  readonly firstFrame: number;
}

export interface PeerRow {
  readonly name: string;
  readonly about: string;
  readonly backlog: Outcome[];
  /** Capture to sink of every frame, milliseconds, for each round. */
  readonly live: number[][];
}

export interface Measured {
  /** Frames a second of the bare codec loop. */
  readonly bare: number[];
  readonly rows: readonly PeerRow[];
  /** Frames a second that went into windows. */
  readonly windows: Readonly<Record<"framelane" | "python-best", number[]>>;
  /** Names and reasons. */
  readonly skipped: readonly (readonly [string, string])[];
}

interface Goal {
  readonly work: string;
  /** `undefined` when who it is measured against was skipped. */
  readonly values: readonly number[] | undefined;
  readonly least?: number;
  readonly most?: number;
}

export function peersReport(measured: Measured): {
  lines: string[];
  files: Record<string, string>;
} {
  const { bare, rows, windows, skipped } = measured;
  const ours = rows.find(({ name }) => name === "framelane");
  const of = (name: string) => rows.find((row) => row.name === name);
  const ratios = (name: string, pick: (outcome: Outcome) => number) => {
    const theirs = of(name);
    return ours === undefined || theirs === undefined
      ? undefined
      : theirs.backlog.map((run, i) => pick(ours.backlog[i]!) / pick(run));
  };
  const live = (name: string, share: number) => {
    const row = of(name);
    return row === undefined || row.live.length === 0
      ? undefined
      : row.live.map((list) => percentile(list, share));
  };
  const lower = (name: string, share: number) => {
    const [mine, theirs] = [live("framelane", share), live(name, share)];
    return mine === undefined || theirs === undefined
      ? undefined
      : theirs.map((value, i) => value / Math.max(mine[i]!, 1));
  };
  const windowRatios = windows["python-best"].map((value, i) => windows.framelane[i]! / value);
  const goals: Goal[] = [
    { work: "backlog, steady ÷ Spark", values: ratios("pyspark", (run) => run.steady), least: 5 },
    { work: "backlog, cold ÷ Spark", values: ratios("pyspark", (run) => run.cold), least: 12 },
    {
      work: "backlog, steady ÷ the best Python",
      values: ratios("python-best", (run) => run.steady),
      least: 1.25,
    },
    {
      work: "backlog, steady ÷ the bare codec loop",
      values: ours?.backlog.map((run, i) => run.steady / bare[i]!),
      least: 0.95,
    },
    { work: "live p50, ms", values: live("framelane", 0.5), most: 8 },
    { work: "live p99, ms", values: live("framelane", 0.99), most: 25 },
    { work: "live p50, Spark ÷ ours", values: lower("pyspark", 0.5), least: 60 },
    { work: "live p99, Spark ÷ ours", values: lower("pyspark", 0.99), least: 60 },
    {
      work: "16-frame windows, hop 8, to float tensors 224² ÷ the best Python",
      values: windowRatios.length === 0 ? undefined : windowRatios,
      least: 1.5,
    },
  ];
  const cell = (values: readonly number[] | undefined, digits: number) =>
    values === undefined || values.length === 0 ? "–" : spread(values, digits);
  const lines = [
    "## Goals",
    "",
    "Medians of the rounds (lowest–highest); ratios are those of each round.",
    "",
    ...table(
      ["work", "measured", "goal", ""],
      goals.map(({ work, values, least, most }) => [
        work,
        cell(values, 2),
        least === undefined ? `≤ ${most}` : `≥ ${least}`,
        values === undefined
          ? "not measured"
          : median(values) >= (least ?? -Infinity) && median(values) <= (most ?? Infinity)
          ? "reached"
          : "missed",
      ]),
    ),
    "",
    "## Greyscale: a backlog, and live",
    "",
    ...table(
      [
        "",
        "steady, frames/s",
        "ours ÷ theirs",
        "from cold start, frames/s",
        "ours ÷ theirs",
        "first frame, s",
        "live p50, ms",
        "live p99, ms",
      ],
      [
        ...rows.map(({ name, about, backlog }) => [
          `${name}: ${about}`,
          cell(backlog.map((run) => run.steady), 0),
          cell(ratios(name, (run) => run.steady), 2),
          cell(backlog.map((run) => run.cold), 0),
          cell(ratios(name, (run) => run.cold), 2),
          cell(backlog.map((run) => run.firstFrame), 2),
          cell(live(name, 0.5), 0),
          cell(live(name, 0.99), 0),
        ]),
        ["bare codec loop, no log", cell(bare, 0), "", "", "", "", "", ""],
      ],
    ),
    "",
    "## Windows",
    "",
    ...table(
      ["", "frames/s into windows"],
      Object.entries(windows).map(([name, values]) => [name, cell(values, 0)]),
    ),
    ...(skipped.length === 0 ? [] : ["", "## Skipped", ""]),
    ...skipped.map(([name, why]) => `- ${name}: ${why}`),
  ];
  const measuredRows = rows.filter(({ backlog }) => backlog.length > 0);
  const files: Record<string, string> = {};
  if (measuredRows.length > 0) {
    files["backlog.svg"] = barChart("Greyscale over a backlog, frames per second", [
      ...measuredRows.map(({ name, backlog }) => ({
        name,
        values: backlog.map((run) => run.steady),
      })),
      { name: "bare codec loop", values: bare },
    ]);
    files["cold.svg"] = barChart(
      "The same from the start of the process, frames per second",
      measuredRows.map(({ name, backlog }) => ({ name, values: backlog.map((run) => run.cold) })),
    );
  }
  const lively = rows.filter((row) => row.live.length > 0);
  if (lively.length > 0) {
    files["live.svg"] = barChart(
      "3 × 15 frames/s live, capture to sink, 99th percentile in ms",
      lively.map(({ name }) => ({ name, values: live(name, 0.99)! })),
    );
  }
  if (windowRatios.length > 0) {
    files["windows.svg"] = barChart(
      "16-frame windows to float tensors, frames per second",
      Object.entries(windows).map(([name, values]) => ({ name, values })),
    );
  }
  return { lines, files };
}
