// `track()` beside the ByteTrack of Python's `supervision`: the same detections, scored by `motmetrics`
// and `trackeval`. Synthetic sequences, whose truth is known, and a film, if one is named: there the
// shipped detector finds the people, and the reference's tracks stand for the truth.
import { detect } from "../queries/operators/detect.ts";
import { track } from "../queries/operators/track/mod.ts";
import type { Frame, OperatorContext } from "../runtime/mod.ts";
import { systemClock } from "../runtime/base/clock.ts";
import { framesOf } from "./frames.ts";
import { print } from "./print.ts";
import { optionsOf } from "./support/options.ts";
import { pythonPeer } from "./support/peer_packages.ts";
import { table } from "./support/report.ts";

/** Largest difference to the reference that counts as equal. */
const MOST_DIFFERENCE = 0.02;
/** What the detector is unsure of keeps a track alive. */
const THRESHOLD = 0.1;
const METRICS = ["MOTA", "IDF1", "HOTA"] as const;

/** Left, top, right, bottom, score. */
type Row = readonly [number, number, number, number, number];

interface Sequence {
  readonly name: string;
  readonly fps: number;
  readonly frames: readonly (readonly Row[])[];
}

type Scores = Readonly<Record<typeof METRICS[number], number>>;

export async function bench(args: readonly string[]): Promise<void> {
  const { film, frames } = optionsOf(args, { film: "", frames: 300 });
  const script = await pythonPeer("tracking.py", "tracking.txt");
  const folder = await Deno.makeTempDir({ prefix: "framelane-tracking-" });
  try {
    const peer = async <T>(action: string, given?: unknown): Promise<T> => {
      const path = `${folder}/${action}.json`;
      if (given === undefined) return await script(action);
      await Deno.writeTextFile(path, JSON.stringify(given));
      return await script(action, path);
    };
    const seen = film === "" ? undefined : await detections(film, frames);
    const sequences = await peer<Sequence[]>("follow", seen);
    const followed = [];
    for (const one of sequences) followed.push({ ...one, ours: await follow(one) });
    const rows = await peer<{ name: string; reference: Scores; ours: Scores }[]>("score", followed);
    const lines = table(
      ["sequence", ...METRICS.flatMap((name) => [name, "reference"])],
      rows.map(({ name, ours, reference }) => [
        name,
        ...METRICS.flatMap((metric) => [ours[metric].toFixed(4), reference[metric].toFixed(4)]),
      ]),
    );
    lines.forEach(print);
    const worst = Math.max(
      ...rows.flatMap(({ ours, reference }) =>
        METRICS.map((m) => Math.abs(ours[m] - reference[m]))
      ),
    );
    print(`Largest difference: ${worst.toFixed(4)}; at most ${MOST_DIFFERENCE} is wanted`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function contextOf(topic: string): OperatorContext {
  const { signal } = new AbortController();
  return { query: "tracking", topic, partition: 0, clock: systemClock, signal };
}

/** What the detector finds in a film, people alone. */
async function detections(film: string, most: number): Promise<Sequence> {
  const detector = await detect(undefined, { threshold: THRESHOLD, labels: ["person"] })
    .open(contextOf("film"));
  const frames: Row[][] = [];
  let last = 0;
  try {
    for await (const { value, timestamp } of framesOf(film, { loop: false, quality: 95 })) {
      last = timestamp;
      const [output] = await detector.process(frameOf(frames.length, timestamp, value.slice()));
      const objects = output?.result?.frames?.[0]?.objects ?? [];
      frames.push(objects.map(({ box, score }) => [...box, score] as unknown as Row));
      if (frames.length === most) break;
    }
  } finally {
    await detector.close?.();
  }
  return { name: "film", fps: Math.round((frames.length - 1) * 1000 / last), frames };
}

/** Our tracks: one number for each detection, 0 where it belongs to none. */
async function follow({ fps, frames }: Sequence): Promise<number[][]> {
  const tracker = await track<Frame>().open(contextOf("tracks"));
  const tracks: number[][] = [];
  for (const [offset, rows] of frames.entries()) {
    const frame = frameOf(offset, Math.round(offset * 1000 / fps));
    const objects = rows.map(([left, top, right, bottom, score]) => ({
      label: "person",
      score,
      box: [left, top, right, bottom] as const,
    }));
    const result = { frames: [{ offset, timestamp: frame.timestamp, objects }] };
    const [output] = await tracker.process({ ...frame, result });
    tracks.push(output!.result!.frames![0]!.objects!.map(({ track = 0 }) => track));
  }
  return tracks;
}

function frameOf(offset: number, timestamp: number, value = new Uint8Array()): Frame {
  return { topic: "tracks", partition: 0, offset, timestamp, key: null, headers: {}, value };
}
