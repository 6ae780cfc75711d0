// Which leader wrote which records.
//
// A partition's log can be truncated and written again (a disk that was lost, an unclean election): the
// same offsets then hold other frames. Each leader has an epoch, each batch carries it, and a broker that
// knows the epoch of what was read last can say that its own history is another one.
import type { EpochRange } from "../records/decoder.ts";

/** Epochs of partitions as far as they were seen, shared by the readers and committers of a log. */
export class Epochs {
  /** For each partition what was seen of each epoch: offsets from `from` up to but without `to`. */
  readonly #seen = new Map<string, EpochRange[]>();

  /** Remembers that the records from `from` up to but without `to` were written in `epoch`. */
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
      // Epochs only grow: whatever lies between two records of one epoch is of it.
      known.from = Math.min(known.from, from);
      known.to = Math.max(known.to, to);
    }
  }

  /**
   * The epoch of the record before `offset`; −1 when it was not seen. A guess would do harm: for a broker an
   * offset beyond its epoch's end is one that was never written.
   */
  before(topic: string, partition: number, offset: number): number {
    return this.#seen.get(`${topic}/${partition}`)
      ?.findLast(({ from, to }) => from < offset && offset <= to)?.epoch ?? -1;
  }

  /** The partition's log is another one now. */
  forget(topic: string, partition: number): void {
    this.#seen.delete(`${topic}/${partition}`);
  }
}

/** Only recent ones matter: a leader changes now and then. */
const MAX_EPOCHS = 32;
