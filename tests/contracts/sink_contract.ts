// What every exactly-once file sink must do, whatever happens in between: what is visible in the
// end equals, byte for byte, what an undisturbed run leaves.
//
// The suite plays the engine: write, flush, commit, committed. Owners crash between any two steps, or
// are left behind as zombies that continue later, and the next one begins again from the checkpoint.
import assert from "node:assert/strict";
import fc from "fast-check";
import { lastOffsetOf, type Output } from "../../runtime/definition/frame.ts";
import type { BatchRange } from "../../runtime/log/log.ts";
import type { Sink, SinkTask } from "../../runtime/definition/sink.ts";
import { withFullDisk } from "./disk_faults.ts";
import { sinkContext, visible } from "./sink_contract_kit.ts";

/** A sink under the contract. */
export interface SinkSubject {
  readonly name: string;
  /** The sink, writing below `directory`. */
  make(directory: string): Sink;
  /** The output for an offset of a partition. */
  output(partition: number, offset: number): Output;
  /** False leaves out the test that fills the disk at every operation. */
  readonly faults?: boolean;
  /** What may remain of an earlier history. */
  readonly remains?: (path: string) => boolean;
  /** How many runs of the property. Default 40. */
  readonly runs?: number;
  /** Offsets of a run. Default 24. */
  readonly offsets?: number;
}

/** Where an owner stops: before the named step of its batch, or after it all. */
const STEPS = ["write", "flush", "commit", "committed", "done"] as const;

/** One owner's life. */
interface Life {
  /** Sizes of the batches it takes; the last one is cut short at `end`. */
  readonly batches: readonly number[];
  readonly end: typeof STEPS[number];
  /** Left behind open instead of closed; continues when its successor is done. */
  readonly zombie: boolean;
  /** After it, all zombies continue. */
  readonly wakes?: boolean;
  /**
   * After its first batch comes an owner that looked at the checkpoint before that batch, was paused,
   * and takes over now; it gets as far as its own commit, which is refused.
   */
  readonly late?: boolean;
}

const lives = fc.array(
  fc.record<Life>({
    batches: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
    end: fc.constantFrom(...STEPS),
    zombie: fc.boolean(),
    wakes: fc.boolean(),
    late: fc.boolean(),
  }),
  { maxLength: 6 },
);

interface Checkpoint {
  readonly batch: number;
  readonly end: number;
  readonly restart: number;
}

/** A lane's engine: the checkpoint, and what runs from it. */
class Lane {
  readonly #sink: Sink;
  readonly #subject: SinkSubject;
  readonly #partition: number;
  readonly #offsets: number;
  #checkpoint: Checkpoint = { batch: -1, end: 0, restart: 0 };
  #zombies: { task: SinkTask; rest: (() => Promise<void>)[] }[] = [];

  constructor(subject: SinkSubject, sink: Sink, partition: number) {
    this.#subject = subject;
    this.#sink = sink;
    this.#partition = partition;
    this.#offsets = subject.offsets ?? 24;
  }

  get done(): boolean {
    return this.#checkpoint.end >= this.#offsets;
  }

  async live(life: Life): Promise<void> {
    const task = await this.#open(this.#checkpoint);
    let rest: (() => Promise<void>)[] = [];
    try {
      for (const [index, size] of life.batches.entries()) {
        if (this.done) break;
        const before = this.#checkpoint;
        const steps = this.#steps(task, size, before);
        const last = index === life.batches.length - 1;
        const count = last ? STEPS.indexOf(life.end) : steps.length;
        for (const step of steps.slice(0, count)) await step();
        rest = steps.slice(count);
        if (life.late && index === 0) await this.#comeLate(before);
      }
    } catch (error) {
      // It notices the late one, and the query begins again.
      if (!life.late || (error as { code?: string }).code !== "TAKEN_OVER") throw error;
      rest = [];
    } finally {
      if (life.zombie) this.#zombies.push({ task, rest });
      else await task.close?.();
    }
  }

  async #open(checkpoint: Checkpoint): Promise<SinkTask> {
    const { batch, end, restart } = checkpoint;
    const task = await this.#sink.open(sinkContext({
      partition: this.#partition,
      committedEnd: end,
      committedBatch: batch,
    }));
    if (restart < end) await task.refeed?.(this.#outputs(restart, end));
    return task;
  }

  /** An owner whose view of the checkpoint is old: it can do anything but commit. */
  async #comeLate(view: Checkpoint): Promise<void> {
    const task = await this.#open(view);
    try {
      for (const step of this.#steps(task, 3, view).slice(0, 2)) await step();
    } finally {
      await task.close?.();
    }
  }

  /** Zombies wake up. Their commit is refused, so they only come to what lies before it. */
  async wake(): Promise<void> {
    for (const { task, rest } of this.#zombies.splice(0)) {
      try {
        // Without a commit of its own a batch ends before it; with one, `committed` is all that is left.
        for (const step of rest.length === 1 ? rest : rest.slice(0, -2)) await step();
      } catch (error) {
        assert.equal((error as { code?: string }).code, "TAKEN_OVER", String(error));
      } finally {
        await task.close?.();
      }
    }
  }

  #outputs(start: number, end: number): Output[] {
    const outputs: Output[] = [];
    for (let offset = start; offset < end; offset++) {
      outputs.push(this.#subject.output(this.#partition, offset));
    }
    return outputs;
  }

  #steps(task: SinkTask, size: number, from: Checkpoint): (() => Promise<void>)[] {
    const batch: BatchRange = {
      batchId: from.batch + 1,
      start: from.end,
      end: Math.min(from.end + size, this.#offsets),
    };
    const outputs = this.#outputs(batch.start, batch.end);
    assert.ok(outputs.every((output) => lastOffsetOf(output) < batch.end));
    return [
      async () => {
        const half = Math.ceil(outputs.length / 2);
        await task.write?.(outputs.slice(0, half), batch);
        if (half < outputs.length) await task.write?.(outputs.slice(half), batch);
      },
      async () => await task.flush?.(batch),
      () => {
        const restart = Math.min(task.restartOffset?.() ?? batch.end, batch.end);
        this.#checkpoint = { batch: batch.batchId, end: batch.end, restart };
        return Promise.resolve();
      },
      async () => await task.committed?.(batch),
    ];
  }
}

/** Runs the suite on a sink. */
export function sinkContract(subject: SinkSubject): void {
  const withDirectory = async (work: (directory: string) => Promise<void>) => {
    const directory = await Deno.makeTempDir();
    try {
      await work(directory);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  };
  const undisturbed = async (directory: string) => {
    const lane = new Lane(subject, subject.make(directory), 0);
    await lane.live({ batches: Array(100).fill(7), end: "done", zombie: false });
    return await visible(directory);
  };

  Deno.test(`${subject.name}: any crash and any zombie leaves the bytes of an undisturbed run`, async () => {
    await withDirectory(async (reference) => {
      const expected = await undisturbed(reference);
      assert.notDeepEqual(expected, {});
      await fc.assert(
        fc.asyncProperty(lives, (list) =>
          withDirectory(async (directory) => {
            const lane = new Lane(subject, subject.make(directory), 0);
            for (const life of list) {
              if (lane.done) break;
              await lane.live(life);
              if (life.wakes) await lane.wake();
            }
            await lane.live({ batches: Array(100).fill(3), end: "done", zombie: false });
            await lane.wake();
            assert.deepEqual(await visible(directory), expected);
          })),
        { numRuns: subject.runs ?? 40 },
      );
    });
  });

  Deno.test(`${subject.name}: a zombie that wakes up early does not disturb its successor`, async () => {
    await withDirectory(async (reference) => {
      const expected = await undisturbed(reference);
      for (const end of STEPS) {
        await withDirectory(async (directory) => {
          const lane = new Lane(subject, subject.make(directory), 0);
          await lane.live({ batches: [5, 4], end, zombie: true });
          await lane.live({ batches: [3, 3], end: "flush", zombie: true });
          await lane.live({ batches: [2], end: "done", zombie: false });
          await lane.wake();
          await lane.live({ batches: Array(100).fill(3), end: "done", zombie: false });
          assert.deepEqual(await visible(directory), expected, `zombie before ${end}`);
        });
      }
    });
  });

  Deno.test(`${subject.name}: a batch that was given up and came again with other frames counts once`, async () => {
    await withDirectory(async (reference) => {
      const expected = await undisturbed(reference);
      const lastSteps = ["commit", "committed", "done"] as const;
      for (const sizes of [[1, 3], [3, 1]] as const) {
        for (const end of lastSteps) {
          await withDirectory(async (directory) => {
            const lane = new Lane(subject, subject.make(directory), 0);
            for (const before of [0, 5]) {
              const batches = before === 0 ? [] : [before];
              await lane.live({ batches: [...batches, sizes[0]], end: "commit", zombie: false });
              await lane.live({ batches: [sizes[1]], end, zombie: false });
            }
            await lane.live({ batches: Array(100).fill(6), end: "done", zombie: false });
            assert.deepEqual(await visible(directory), expected, `${sizes}, ${end}`);
          });
        }
      }
    });
  });

  Deno.test(`${subject.name}: an owner that comes late with an old view takes nothing away`, async () => {
    await withDirectory(async (reference) => {
      const expected = await undisturbed(reference);
      for (const end of STEPS) {
        await withDirectory(async (directory) => {
          const lane = new Lane(subject, subject.make(directory), 0);
          await lane.live({ batches: [5], end: "done", zombie: false });
          await lane.live({ batches: [4, 2], end, zombie: false, late: true });
          await lane.live({ batches: [4], end, zombie: false, late: true });
          await lane.live({ batches: Array(100).fill(6), end: "done", zombie: false });
          assert.deepEqual(await visible(directory), expected, `ended before ${end}`);
        });
      }
    });
  });

  Deno.test(`${subject.name}: opened again with nothing new it changes nothing`, async () => {
    await withDirectory(async (directory) => {
      const expected = await undisturbed(directory);
      const lane = new Lane(subject, subject.make(directory), 0);
      await lane.live({ batches: [], end: "done", zombie: false });
      assert.deepEqual(await visible(directory), expected);
    });
  });

  Deno.test(`${subject.name}: starting anew from the first offset leaves every output once`, async () => {
    await withDirectory(async (directory) => {
      const expected = await undisturbed(directory);
      const again = Object.entries(await undisturbed(directory))
        .filter(([path]) => !subject.remains?.(path));
      assert.deepEqual(Object.fromEntries(again), expected);
    });
  });

  if (subject.faults ?? true) {
    Deno.test(`${subject.name}: a full disk is named, and costs nothing when there is room again`, async () => {
      await withDirectory(async (reference) => {
        const expected = await undisturbed(reference);
        for (let n = 1, reached = true; reached; n++) {
          await withDirectory(async (directory) => {
            const lane = new Lane(subject, subject.make(directory), 0);
            await lane.live({ batches: [4], end: "done", zombie: false });
            reached = await withFullDisk(n, async () => {
              try {
                await lane.live({ batches: [4, 4], end: "done", zombie: false });
              } catch (error) {
                assert.equal((error as { code?: string }).code, "DISK_FULL", String(error));
                assert.match((error as Error).message, /^Cannot .*: the disk is full$/);
              }
            });
            await lane.live({ batches: Array(100).fill(7), end: "done", zombie: false });
            assert.deepEqual(await visible(directory), expected, `full at operation ${n}`);
          });
        }
      });
    });
  }

  Deno.test(`${subject.name}: a folder that cannot be made is named in the error`, async () => {
    await withDirectory(async (directory) => {
      await Deno.writeTextFile(`${directory}/file`, "");
      const sink = subject.make(`${directory}/file/below`);
      await assert.rejects(
        async () => await sink.open(sinkContext()),
        (error: Error) =>
          error.message.includes(`${directory}/file`) && /folder/.test(error.message),
      );
    });
  });
}
