/**
 * Which leader wrote which records.
 *
 * A partition's log can be cut short and written anew (a disk that was lost, an unclean election): the
 * same offsets then hold other frames. Each leader has an epoch, each batch carries it, and a broker that is
 * told the epoch of what was read last can say that its own history is another one.
 *
 * @module
 */

/** Epochs of partitions as far as they were seen, shared by the readers and committers of a log. */
export class Epochs {
  /** For each partition the first offset seen of each epoch, ascending. */
  readonly #seen = new Map<string, { epoch: number; from: number }[]>();

  /** Remembers that the record at `offset` was written in `epoch`. */
  observe(topic: string, partition: number, offset: number, epoch: number): void {
    if (epoch < 0 || offset < 0) return;
    const key = `${topic}/${partition}`;
    let seen = this.#seen.get(key);
    if (seen === undefined) this.#seen.set(key, seen = []);
    const known = seen.find((one) => one.epoch === epoch);
    if (known === undefined) {
      seen.push({ epoch, from: offset });
      seen.sort((a, b) => a.epoch - b.epoch);
      if (seen.length > MAX_EPOCHS) seen.shift();
    } else if (offset < known.from) {
      known.from = offset;
    }
  }

  /** The epoch of the record before `offset`; −1 when it is not known. */
  before(topic: string, partition: number, offset: number): number {
    return this.#seen.get(`${topic}/${partition}`)
      ?.findLast(({ from }) => from < offset)?.epoch ?? -1;
  }

  /** The partition's log is another one now. */
  forget(topic: string, partition: number): void {
    this.#seen.delete(`${topic}/${partition}`);
  }
}

/** Only recent ones matter: a leader changes now and then. */
const MAX_EPOCHS = 32;
