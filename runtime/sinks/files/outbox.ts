// A lane's durable queue of deliveries. It survives crashes; what was delivered but not removed
// before a crash is delivered again.
import { Semaphore } from "../../base/wait.ts";
import type { SinkContext } from "../../definition/sink.ts";
import { Journal, type Left } from "./journal.ts";
import { isCommitted, type Position } from "./lane.ts";

const OUTBOX = { name: "outbox", headerBytes: 8 } as const;
const MAXIMUM_WASTE = 1 << 20;
/** An item without its body, and the note of its delivery. */
const ENTRY_BYTES = 200;

export interface Item {
  readonly number: number;
  readonly position: Position;
  readonly id: string;
  readonly body: string;
}

/** All items up to `sent` were delivered, and those up to `released` committed, to whichever checkpoint. */
interface Note {
  readonly sent: number;
  readonly released: number;
}

/** One owner's outbox of a lane. Calls of the same method must not overlap. */
export class Outbox {
  readonly #journal: Journal<Item | Note>;
  items: Item[] = [];
  #next = 1;
  #note: Note = { sent: 0, released: 0 };
  /** Bytes of the journal's entries that were delivered, about. */
  #waste = 0;
  readonly #turns = new Semaphore(1);

  private constructor(journal: Journal<Item | Note>) {
    this.#journal = journal;
  }

  /** Takes over a lane's outbox, with its committed items: another group's checkpoint may hold them. */
  static async open(root: string, context: SinkContext): Promise<Outbox> {
    const journal = await Journal.open<Item | Note>(root, OUTBOX);
    try {
      const box = new Outbox(journal);
      await journal.fence.guard(() => box.#takeOver(context));
      return box;
    } catch (error) {
      journal.close();
      throw error;
    }
  }

  async #takeOver(context: SinkContext): Promise<void> {
    const waiting = new Map<string, Omit<Item, "number">>();
    const uncommitted: Left<Item>[] = [];
    for (const { folder, entries } of this.#journal.left.toReversed()) {
      const { released } = noteIn(entries);
      const rest: Item[] = [];
      for (const item of undelivered(entries)) {
        const { number, position, id } = item;
        // Outputs of several batches may have the same id.
        if (number <= released || isCommitted(position, context)) {
          waiting.set(`${position.batch} ${id}`, item);
        } else rest.push(item);
      }
      uncommitted.push({ folder, entries: rest });
    }
    await this.#release(await this.add([...waiting.values()]));
    // The note that they are committed is on the disk before the old folders lose it.
    await this.add([]);
    // Remove what was copied from the old folders. A later owner may find the rest committed: see
    // `release`.
    for (const { folder, entries } of uncommitted) await this.#journal.replace(entries, folder);
    await this.#journal.fence.trim();
  }

  /** Stores items, which survive a crash of the machine. They are not listed before `release`. */
  async add(things: readonly Omit<Item, "number">[]): Promise<Item[]> {
    const items = things.map((thing) => ({ ...thing, number: this.#next++ }));
    await this.#turns.run(() => this.#journal.add(...items));
    this.#journal.fence.check();
    return items;
  }

  /** Releases items for delivery after their batch was committed. */
  async release(items: readonly Item[]): Promise<void> {
    await this.#release(items);
    await this.#journal.confirm();
  }

  async #release(items: readonly Item[]): Promise<void> {
    this.items.push(...items);
    const last = items.at(-1);
    if (last === undefined) return;
    await this.#turns.run(() => this.#write({ ...this.#note, released: last.number }));
  }

  async #write(note: Note): Promise<void> {
    this.#note = note;
    await this.#journal.write(note);
  }

  async removeOldest(): Promise<void> {
    const item = this.items.shift()!;
    await this.#turns.run(async () => {
      await this.#write({ ...this.#note, sent: item.number });
      this.#waste += item.body.length + ENTRY_BYTES;
      if (this.#waste <= MAXIMUM_WASTE) return;
      const { fence } = this.#journal;
      // Keeps the undelivered items, released or not.
      await fence.guard(async () => {
        const items = undelivered(await this.#journal.entries());
        await this.#journal.replace([...items, this.#note]);
        this.#waste = 0;
      });
    });
  }

  close(): void {
    this.#journal.close();
  }
}

function undelivered(entries: readonly (Item | Note)[]): Item[] {
  const { sent } = noteIn(entries);
  return entries.filter((entry) => "number" in entry && entry.number > sent) as Item[];
}

/** The last note. */
function noteIn(entries: readonly (Item | Note)[]): Note {
  return { sent: 0, released: 0, ...entries.findLast((entry) => "sent" in entry) };
}
