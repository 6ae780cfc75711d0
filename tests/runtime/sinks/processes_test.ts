/** File sinks of several processes that are killed and paused at any moment. */
import assert from "node:assert/strict";
import { visible } from "../../contracts/sink_contract_kit.ts";
import { kill } from "../../support/processes.ts";
import { TextLineStream } from "./lines.ts";

const OFFSETS = 40;
const CHILD = `${import.meta.dirname}/processes_child.ts`;

/** A running child; `steps` yields what it says. */
class Child {
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  said: string[] = [];

  constructor(directory: string, partition: number, seed: number) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--allow-read",
        "--allow-write",
        "--allow-ffi",
        "--allow-env",
        "--allow-sys",
        CHILD,
        directory,
        String(partition),
        String(seed),
        String(OFFSETS),
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
  }

  /** Waits until it has printed this many lines in all; false when it ended before. */
  async until(count: number): Promise<boolean> {
    while (this.said.length < count) {
      const { value, done } = await this.#lines.read();
      if (done) return false;
      this.said.push(value);
    }
    return true;
  }

  signal(signal: Deno.Signal): void {
    kill(this.#process, signal);
  }

  /** Its exit code, and what it said on standard error. */
  async ended(): Promise<{ code: number; error: string }> {
    await this.until(Infinity);
    const [{ code }, error] = await Promise.all([
      this.#process.status,
      new Response(this.#process.stderr).text(),
    ]);
    return { code, error };
  }
}

/** What is visible, with the lines that partitions share apart by partition. */
async function outcome(directory: string): Promise<Record<string, string>> {
  const found = await visible(`${directory}/out`);
  for (const [path, text] of Object.entries(found)) {
    if (!/\.(jsonl|csv)$/.test(path)) continue;
    for (const partition of [0, 1]) {
      found[`${path} of ${partition}`] = text.split("\n")
        .filter((line) =>
          line.includes(`"CAMERA-${partition + 1}"`) || line.includes(`,CAMERA-${partition + 1},`)
        )
        .join("\n");
    }
    found[path] = `${text.split("\n").length} lines`;
  }
  return found;
}

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function undisturbed(directory: string, partitions: readonly number[]) {
  const children = partitions.map((partition) => new Child(directory, partition, 7));
  for (const child of children) assert.deepEqual(await child.ended(), { code: 0, error: "" });
  return await outcome(directory);
}

/** Reproducible: the seed is in the message of a failure. */
function randomOf(seed: number): (bound: number) => number {
  return (bound) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor(seed / 2 ** 31 * bound);
  };
}

const seed = Number(Deno.env.get("FRAMELANE_TEST_SEED") ?? 1);
const rounds = Number(Deno.env.get("FRAMELANE_TEST_ROUNDS") ?? 1);

Deno.test("file sinks: two processes killed again and again leave what an undisturbed run leaves", async () => {
  await withDirectory(async (reference) => {
    const expected = await undisturbed(reference, [0, 1]);
    for (let round = 0; round < rounds; round++) {
      await withDirectory(async (directory) => {
        const random = randomOf(seed + round);
        await Promise.all([0, 1].map(async (partition) => {
          for (let life = 0;; life++) {
            const child = new Child(directory, partition, random(1000));
            // Each life gets at least one batch further, so that this ends.
            if (life < 6 && await child.until(1 + random(40))) child.signal("SIGKILL");
            const { code, error } = await child.ended();
            assert.equal(error, "", `seed ${seed + round}`);
            if (code === 0) break;
          }
        }));
        assert.deepEqual(await outcome(directory), expected, `seed ${seed + round}`);
      });
    }
  });
});

Deno.test("file sinks: a process that was paused and replaced changes nothing when it wakes up", async () => {
  await withDirectory(async (reference) => {
    const expected = await undisturbed(reference, [0]);
    for (let round = 0; round < 3 * rounds; round++) {
      await withDirectory(async (directory) => {
        const random = randomOf(seed + round);
        const zombie = new Child(directory, 0, random(1000));
        await zombie.until(1 + random(60));
        zombie.signal("SIGSTOP");
        const other = new Child(directory, 0, random(1000));
        assert.deepEqual(await other.ended(), { code: 0, error: "" }, `seed ${seed + round}`);
        assert.deepEqual(await outcome(directory), expected, `seed ${seed + round}`);
        zombie.signal("SIGCONT");
        await zombie.ended();
        assert.deepEqual(await outcome(directory), expected, `after waking, seed ${seed + round}`);
      });
    }
  });
});
