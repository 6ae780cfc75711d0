// A lane's durable queue of deliveries. It survives crashes; what was delivered but not removed
// before a crash is delivered again.
import type { SinkContext } from "../../definition/sink.ts";
import { Fence } from "./fence.ts";
import { readEntries, syncDirectory, writeEntries } from "./io.ts";
import { isCommitted, type Position } from "./lane.ts";
import { newestState, Slots } from "./slots.ts";

const HEADER_BYTES = 8;
const SENT_CAPACITY = 4096;
const MAXIMUM_LEFT = 8;
const MAXIMUM_WASTE = 1 << 20;

export interface Item {
  readonly number: number;
  readonly position: Position;
  readonly id: string;
  readonly body: string;
}

interface Sent {
  readonly number: number;
}

/** One owner's outbox of a lane. Calls of the same method must not overlap. */
export class Outbox {
  readonly #fence: Fence;
  #file: Deno.FsFile;
  readonly #sentFile: Deno.FsFile;
  readonly #sent: Slots<Sent>;
  #items: Item[] = [];
  #size = 0;
  #next = 1;
  #confirmed = false;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(fence: Fence, file: Deno.FsFile, sentFile: Deno.FsFile) {
    this.#fence = fence;
    this.#file = file;
    this.#sentFile = sentFile;
    this.#sent = new Slots(sentFile, SENT_CAPACITY);
  }

  /** Takes over a lane's outbox, with its committed items. */
  static async open(root: string, context: SinkContext): Promise<Outbox> {
    const fence = await Fence.claim(root);
    return await fence.guard(() => Outbox.#takeOver(fence, context));
  }

  static async #takeOver(fence: Fence, context: SinkContext): Promise<Outbox> {
    const left = await fence.adopt();
    const waiting = new Map<string, Omit<Item, "number">>();
    const uncommitted = new Map<string, Item[]>();
    for (const folder of left.toReversed()) {
      const items = await undelivered(folder);
      for (const { position, id, body } of items) {
        if (isCommitted(position, context)) waiting.set(id, { position, id, body });
      }
      uncommitted.set(folder, items.filter(({ position }) => !isCommitted(position, context)));
    }
    const open = (name: string) =>
      Deno.open(`${fence.directory}/${name}`, { read: true, write: true, create: true });
    const file = await open("outbox");
    let sent: Deno.FsFile;
    try {
      sent = await open("sent");
    } catch (error) {
      file.close();
      throw error;
    }
    const box = new Outbox(fence, file, sent);
    try {
      await box.#sent.read();
      box.#items = await box.add([...waiting.values()]);
      await syncDirectory(fence.directory);
      // Remove what was copied from the old folders. A later owner may find the rest committed: see
      // `release`.
      for (const [folder, items] of uncommitted) await rewrite(folder, items);
      await fence.removePrevious(fence.previous.slice(MAXIMUM_LEFT));
      return box;
    } catch (error) {
      box.close();
      throw error;
    }
  }

  get items(): readonly Item[] {
    return this.#items;
  }

  /** Stores items, which survive a crash of the machine. They are not listed before `release`. */
  async add(things: readonly Omit<Item, "number">[]): Promise<Item[]> {
    const items = things.map((thing) => ({ ...thing, number: this.#next++ }));
    await this.#exclusively(() => this.#append(items));
    this.#fence.check();
    return items;
  }

  /** Releases items for delivery after their batch was committed. */
  async release(items: readonly Item[]): Promise<void> {
    this.#items.push(...items);
    if (!this.#confirmed) await this.#fence.guard(() => this.#fence.removePrevious());
    this.#confirmed = true;
  }

  async removeOldest(): Promise<void> {
    const item = this.#items.shift();
    if (item === undefined) return;
    await this.#exclusively(async () => {
      await this.#sent.write({ number: item.number });
      if (this.#size > MAXIMUM_WASTE) await this.#fence.guard(() => this.#shrink());
    });
  }

  close(): void {
    this.#file.close();
    this.#sentFile.close();
  }

  async #append(items: readonly Item[]): Promise<void> {
    this.#size = await writeEntries(this.#file, this.#size, items, HEADER_BYTES);
    await this.#file.syncData();
  }

  /** Rewrites the file with the undelivered items, released or not. */
  async #shrink(): Promise<void> {
    const { directory } = this.#fence;
    await rewrite(directory, await undelivered(directory));
    this.#file.close();
    this.#file = await Deno.open(`${directory}/outbox`, { read: true, write: true });
    this.#size = (await this.#file.stat()).size;
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

async function rewrite(folder: string, items: readonly Item[]): Promise<void> {
  {
    using file = await Deno.open(`${folder}/outbox.new`, {
      write: true,
      create: true,
      truncate: true,
    });
    await writeEntries(file, 0, items, HEADER_BYTES);
    await file.sync();
  }
  await Deno.rename(`${folder}/outbox.new`, `${folder}/outbox`);
  await syncDirectory(folder);
}

async function undelivered(folder: string): Promise<Item[]> {
  const items = await readEntries<Item>(`${folder}/outbox`, HEADER_BYTES);
  const sent = (await newestState<Sent>([folder], "sent", SENT_CAPACITY))?.state.number ?? 0;
  return items.filter(({ number }) => number > sent);
}
