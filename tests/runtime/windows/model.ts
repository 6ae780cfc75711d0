// What windows are, computed from all frames at once: the definition that `createWindower`, which
// sees one frame after the other, is compared with.
import type { Frame } from "../../../runtime/definition/frame.ts";
import type { WindowOptions } from "../../../runtime/windows/window_options.ts";

/** A window as the model has it. */
export interface ModelWindow {
  readonly first: number;
  readonly number: number;
  readonly offsets: readonly number[];
}

/** All that comes out of a list of frames. */
export interface ModelOutcome {
  readonly windows: readonly ModelWindow[];
  readonly late: number;
  readonly ahead: number;
}

interface Sample {
  readonly offset: number;
  readonly time: number;
}

interface Begun {
  readonly samples: Sample[];
  /** When it is done, as the index of a frame and an order within; undefined when never. */
  done?: readonly [number, number];
}

/** What remains when frames without confirmation are left out. */
function believed(frames: readonly Frame[], options: WindowOptions): [Frame[], number] {
  const { durationMs, maxStepMs, maxGapMs, gap } = options;
  if (durationMs === undefined) return [[...frames], 0];
  const kept: Frame[] = [];
  let ahead = 0;
  let highest = -Infinity;
  frames.forEach((frame, index) => {
    const time = frame.timestamp;
    if (highest !== -Infinity && time > highest + maxStepMs!) {
      const next = frames[index + 1];
      if (next === undefined) return;
      if (next.timestamp < time - maxStepMs!) {
        ahead++;
        return;
      }
    }
    const step = kept.length === 0 ? 0 : time - kept.at(-1)!.timestamp;
    const isGap = maxGapMs !== undefined && Math.abs(step) > maxGapMs;
    if (isGap && (gap === "reset" || step < 0)) highest = -Infinity;
    highest = Math.max(highest, time);
    kept.push(frame);
  });
  return [kept, ahead];
}

/** Runs of frames without a gap between them. */
function runsOf(frames: readonly Frame[], maxGapMs = Infinity): Frame[][] {
  const runs: Frame[][] = [];
  for (const frame of frames) {
    const before = runs.at(-1)?.at(-1);
    if (before === undefined || Math.abs(frame.timestamp - before.timestamp) > maxGapMs) {
      runs.push([frame]);
    } else runs.at(-1)!.push(frame);
  }
  return runs;
}

/** The samples that each frame of a run brings, and how many frames came after their tick. */
function ticksOf(
  run: readonly Frame[],
  fps: number,
): { of: Sample[][]; last: number; late: number } {
  const ticksTo = ({ timestamp }: Frame) => (timestamp - run[0]!.timestamp) * fps / 1000;
  /** No other is nearer when the next one, as far away as the one before, lies further behind. */
  const tickOf = (frame: Frame, index: number) => {
    const step = index === 0 ? 0 : (frame.timestamp - run[index - 1]!.timestamp) * fps / 1000;
    return Math.floor(ticksTo(frame) + (step > 0 && step < 0.75 ? step / 2 : 0.5));
  };
  let last = -1;
  let late = 0;
  const of = run.map((frame, index) => {
    const tick = tickOf(frame, index);
    if (Math.round(ticksTo(frame)) < last) late++;
    if (tick <= last) return [];
    const before = run.slice(0, index);
    const newest = before.reduce<Frame | undefined>(
      (one, other) => one === undefined || other.timestamp >= one.timestamp ? other : one,
      undefined,
    );
    const samples: Sample[] = [];
    for (let missed = last + 1; missed < tick; missed++) {
      samples.push({
        offset: newest!.offset,
        time: run[0]!.timestamp + missed * 1000 / fps,
      });
    }
    last = tick;
    return [...samples, { offset: frame.offset, time: frame.timestamp }];
  });
  return { of, last, late };
}

/** Windows, late frames and frames too far ahead of a whole stream. */
export function windowsOf(frames: readonly Frame[], options: WindowOptions): ModelOutcome {
  const [kept, ahead] = believed(frames, options);
  const runs = runsOf(kept, options.maxGapMs);
  const begun: Begun[] = [];
  const late = options.frames !== undefined
    ? byCount(runs, options, begun)
    : byTime(runs, options, begun);
  const numbers = new Map<number, number>();
  const numbered = begun.map((window) => {
    const first = window.samples[0]!.offset;
    const number = numbers.get(first) ?? 0;
    numbers.set(first, number + 1);
    return { ...window, first, number };
  });
  return {
    windows: numbered.filter(({ done }) => done !== undefined)
      .sort((a, b) => a.done![0] - b.done![0] || a.done![1] - b.done![1])
      .map(({ first, number, samples }) => ({
        first,
        number,
        offsets: samples.map(({ offset }) => offset),
      })),
    late,
    ahead,
  };
}

function byCount(runs: readonly Frame[][], options: WindowOptions, begun: Begun[]): number {
  const { frames: size, hop = size, fps, every = 1, gap } = options as
    & WindowOptions
    & { frames: number };
  let late = 0;
  let at = 0;
  let phase = 0;
  if (fps === undefined && gap === "drop") {
    // One grid for all; windows that span a gap are not done.
    const samples = runs.flatMap((run, index) => run.map((frame) => ({ frame, index })))
      .filter((_, index) => index % every === 0);
    const all = runs.flat();
    for (let start = 0; start < samples.length; start += hop!) {
      const part = samples.slice(start, start + size);
      const last = part.at(-1)!;
      const whole = part.length === size && part[0]!.index === last.index;
      begun.push({
        samples: part.map(({ frame }) => ({ offset: frame.offset, time: frame.timestamp })),
        ...(whole ? { done: [all.indexOf(last.frame), 0] } : {}),
      });
    }
    return 0;
  }
  for (const [index, run] of runs.entries()) {
    const sampled = fps !== undefined ? ticksOf(run, fps) : {
      of: run.map(({ offset, timestamp: time }, i) => i % every === 0 ? [{ offset, time }] : []),
      last: 0,
      late: 0,
    };
    late += sampled.late;
    const samples = sampled.of.flatMap((list, i) => list.map((sample) => ({ sample, at: at + i })));
    at += run.length;
    const next = runs[index + 1];
    for (let start = (hop! - phase) % hop!; start < samples.length; start += hop!) {
      const part = samples.slice(start, start + size);
      const whole = part.length === size;
      const padded = !whole && gap === "pad" && next !== undefined;
      const list = part.map(({ sample }) => sample);
      while (padded && list.length < size) list.push(list.at(-1)!);
      begun.push({
        samples: list,
        ...(whole ? { done: [part.at(-1)!.at, start] } : padded ? { done: [at, -1] } : {}),
      });
    }
    if (gap === "drop" && next !== undefined) {
      // The pause counts as ticks without frames.
      const tick = Math.round((next[0]!.timestamp - run[0]!.timestamp) * fps! / 1000);
      phase = (phase + samples.length + Math.max(0, tick - sampled.last - 1)) % hop!;
    } else phase = 0;
  }
  return late;
}

function byTime(runs: readonly Frame[][], options: WindowOptions, begun: Begun[]): number {
  const { durationMs, hopMs = durationMs, latenessMs = 0, fps, every = 1, gap } = options as
    & WindowOptions
    & { durationMs: number };
  let late = 0;
  let at = 0;
  let seen = 0;
  let highest = -Infinity;
  let banned = -Infinity;
  let windows = new Map<number, Begun>();
  const over = (start: number) => start + durationMs <= highest - latenessMs;
  for (const [index, run] of runs.entries()) {
    if (index > 0) {
      const back = run[0]!.timestamp < runs[index - 1]!.at(-1)!.timestamp;
      if (gap === "reset" || back) {
        highest = banned = -Infinity;
        seen = 0;
        windows = new Map();
      }
      for (const [start, { done }] of windows) {
        if (done !== undefined) continue;
        banned = Math.max(banned, start);
        windows.delete(start);
      }
    }
    const ticks = fps === undefined ? undefined : ticksOf(run, fps);
    late += ticks?.late ?? 0;
    for (const [i, frame] of run.entries()) {
      const samples = ticks?.of[i] ??
        (seen++ % every === 0 ? [{ offset: frame.offset, time: frame.timestamp }] : []);
      const reach = (time: number) => {
        highest = Math.max(highest, time);
        for (const [start, window] of windows) {
          if (over(start)) window.done ??= [at, start];
        }
      };
      for (const sample of samples) {
        reach(sample.time);
        const around: number[] = [];
        const least = Math.floor((sample.time - durationMs) / hopMs!) * hopMs!;
        for (let start = least; start <= sample.time; start += hopMs!) {
          if (start > sample.time - durationMs) around.push(start);
        }
        if (around.length > 0 && around.every(over)) late++;
        for (const start of around) {
          if (over(start) || start <= banned) continue;
          const window = windows.get(start) ?? { samples: [] };
          if (window.samples.length === 0) begun.push(window);
          windows.set(start, window);
          window.samples.push(sample);
        }
      }
      reach(frame.timestamp);
      at++;
    }
  }
  return late;
}
