// Leader epochs of the records that were read.
//
// After a lost disk or an unclean leader election the same offsets may hold other records. A broker that
// gets the epoch of the last record read can tell that its log was truncated before it.
import type { EpochRange } from "../records/decoder.ts";

/** Shared by the readers and committers of a log. */
export class Epochs {
  readonly #seen = new Map<string, EpochRange[]>();

  observe(topic: string, partition: number, { epoch, from, to }: EpochRange): void {
    if (epoch < 0 || to <= from) return;
    const key = `${topic}/${partition}`;
    let seen = this.#seen.get(key);
    if (seen === undefined) this.#seen.set(key, seen = []);
    const known = seen.find((one) => one.epoch === epoch);
    if (known === undefined) {
      seen.push({ epoch, from, to });
      seen.sort((a, b) => a.epoch - b.epoch);
      if (seen.length > MAX_EPOCHS) seen.shift();
    } else {
      // Epochs only increase: all records between two of one epoch belong to it.
      known.from = Math.min(known.from, from);
      known.to = Math.max(known.to, to);
    }
  }

  /** The epoch of the record before `offset`; −1 if unknown: a guess would look like a truncation. */
  before(topic: string, partition: number, offset: number): number {
    return this.#seen.get(`${topic}/${partition}`)
      ?.findLast(({ from, to }) => from < offset && offset <= to)?.epoch ?? -1;
  }

  forget(topic: string, partition: number): void {
    this.#seen.delete(`${topic}/${partition}`);
  }
}

const MAX_EPOCHS = 32;
