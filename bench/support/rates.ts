// Rates of several contenders that take turns, beside each other.
import { print } from "../print.ts";
import { spread } from "./stats.ts";

/** Frames a second, and milliseconds of processor for each: on a busy machine the steadier figure. */
export interface Rate {
  readonly rate: number;
  readonly ms: number;
}

/** What Python's `measure.py` prints of a run. */
export interface PeerRun {
  readonly steadyFrames: number;
  readonly steadySeconds: number;
  readonly steadyProcessor: number;
}

/** A run in Python as a rate. */
export function rateOf({ steadyFrames, steadySeconds, steadyProcessor }: PeerRun): Rate {
  return { rate: steadyFrames / steadySeconds, ms: steadyProcessor * 1000 / steadyFrames };
}

/** The mean of several runs. */
export function meanOf(runs: readonly Rate[]): Rate {
  const mean = (pick: keyof Rate) => runs.reduce((sum, run) => sum + run[pick], 0) / runs.length;
  return { rate: mean("rate"), ms: mean("ms") };
}

/** Collects the rates of each round. */
export class Rates {
  readonly #all = new Map<string, Rate[]>();

  add(name: string, rate: Rate): void {
    this.#all.set(name, [...this.#all.get(name) ?? [], rate]);
  }

  /** Forgets all: the round was a warm-up. */
  clear(): void {
    this.#all.clear();
  }

  /** Prints all, and what share each is of some of them, round by round. */
  print(of: readonly string[]): void {
    for (const [name, rates] of this.#all) {
      const each = (pick: keyof Rate, digits: number) =>
        spread(rates.map((one) => one[pick]), digits);
      print(
        `  ${name.padEnd(22)} ${each("rate", 1)} frames/s, ${each("ms", 2)} ms of processor each`,
      );
      for (const other of of) {
        const others = this.#all.get(other);
        if (others === undefined || other === name) continue;
        const share = spread(rates.map(({ rate }, i) => rate / others[i]!.rate), 2);
        const byProcessor = spread(rates.map(({ ms }, i) => others[i]!.ms / ms), 2);
        print(`    of ${other}: ${share}, by processor ${byProcessor}`);
      }
    }
  }
}
