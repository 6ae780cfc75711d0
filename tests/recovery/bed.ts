// Kills a query at a point and looks at what it has put out after it has gone on: the same as if
// nothing had happened.
import assert from "node:assert/strict";
import { BATCH_STEPS, CRASH_VARIABLE } from "./crash.ts";
import type { TopicLog } from "../../runtime/log/log.ts";
import { accessUnits, GROUP } from "../support/access_units.ts";
import {
  assertFlawless,
  type Marked,
  markedRecords,
  markOf,
  total,
  type Verdict,
} from "../support/checker.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import type { Random } from "../support/random.ts";
import {
  assertSame,
  collect,
  commandInto,
  judgeImages,
  judgeTopic,
  type Outputs,
  type Places,
} from "./outputs.ts";

const PARTITIONS = 2;
const FRAMES = 60;
/** Runs after which a trial must be through, whatever was killed. */
const MOST_RUNS = 6;

/** Queries that are killed: one of frames with a small state, one of windows with a large one, one of two cameras. */
const QUERIES = ["chain", "hashes", "pairs"] as const;
/** The query of windows where frames are access units: it hashes what they show. */
const PIXELS = "pixels";

/** When a query is killed. */
export type KillPoint =
  /** At the Nth time that it comes to a step. */
  | { readonly at: string }
  /** When there are this many files below its folder, its own notes included. */
  | { readonly files: number };

/** A trial: which query, and where its runs are killed, one after the other. */
export interface Trial {
  readonly query: typeof QUERIES[number];
  readonly kills: readonly KillPoint[];
}

/** Trials from a seed: every step comes up, on all queries, as do instants of no particular step. */
export function trials(count: number, random: Random): Trial[] {
  const steps = BATCH_STEPS.map((step) => step as string);
  const point = (index: number): KillPoint => {
    // Sinks take turns within a step, partitions too: late counts are early batches all the same.
    if (index % 3 === 2) return { files: random.whole(1, 3 * FRAMES) };
    return {
      at: `${steps[(index - Math.floor(index / 3)) % steps.length]}:${random.whole(1, 14)}`,
    };
  };
  return Array.from({ length: count }, (_, index) => ({
    query: QUERIES[Math.floor(index / 2) % QUERIES.length]!,
    kills: random.next() < 0.3 ? [point(index), point(random.whole(0, 30))] : [point(index)],
  }));
}

/** What a bed is made on. */
export interface BedOptions {
  readonly log: TopicLog;
  readonly url: string;
  /** Topic that the frames are published to; no other test's. */
  readonly source: string;
  /** An empty folder for what the queries write. */
  readonly folder: string;
  /** Frames are access units of H.264 instead of images. */
  readonly video?: boolean;
}

/** Where trials are made: a log with frames in it, and what undisturbed runs make of them. */
export class RecoveryBed {
  readonly #log: TopicLog;
  readonly #url: string;
  readonly #source: string;
  readonly #folder: string;
  readonly #published: Marked[] = [];
  readonly #undisturbed = new Map<string, Outputs>();
  #number = 0;
  readonly #verdicts: Verdict[] = [];
  /** Times a run was ended by a kill, over all trials. */
  killed = 0;
  /** How long the last run of each trial took to do what the killed ones had left. */
  readonly recoveryMs: number[] = [];

  readonly #video: boolean;

  constructor({ log, url, source, folder, video = false }: BedOptions) {
    this.#video = video;
    this.#log = log;
    this.#url = url;
    this.#source = source;
    this.#folder = folder;
  }

  /** The checker's word over all trials. */
  get verdict(): Verdict {
    return total(this.#verdicts);
  }

  /** Publishes the frames and runs each query once in peace. */
  async prepare(): Promise<void> {
    await this.#log.createTopic(this.#source, PARTITIONS);
    const producer = await this.#log.producer();
    // Kafka deletes by capture time: frames of long ago are gone before they are compared.
    const start = Date.now();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const units = this.#video
        ? await accessUnits({ frames: FRAMES, gop: GROUP, seed: 100 * partition })
        : undefined;
      const frames = markedRecords(partition + 1, FRAMES, { start, units });
      await producer.append(this.#source, partition, frames);
      this.#published.push(...frames.map(markOf));
    }
    await producer.close();
    for (const query of QUERIES.map((name) => this.#named(name))) {
      const places = await this.#places();
      const run = this.#start(query, places);
      assert.equal(await run.ended(), 0, run.output());
      this.#undisturbed.set(query, await collect(this.#log, places, PARTITIONS));
    }
  }

  /** Makes a trial; fails when the outputs are not those of a run in peace. */
  async run(trial: Trial): Promise<void> {
    const where = JSON.stringify(trial);
    const places = await this.#places();
    let kills = [...trial.kills];
    for (let runs = 1;; runs++) {
      assert.ok(runs <= MOST_RUNS, `${where}: not through after ${runs} runs`);
      const [kill, ...later] = kills;
      const started = performance.now();
      const run = this.#start(this.#named(trial.query), places, kill);
      if (kill !== undefined && "files" in kill) await killAtFiles(run, places.folder, kill.files);
      const code = await run.ended();
      kills = later;
      if (code === 137) {
        this.killed++;
        continue;
      }
      assert.equal(code, 0, `${where}: ${run.output()}`);
      if (runs > 1) this.recoveryMs.push(performance.now() - started);
      break;
    }
    await this.#check(this.#named(trial.query), places, where);
  }

  async #check(query: string, places: Places, where: string): Promise<void> {
    const outputs = await collect(this.#log, places, PARTITIONS);
    assertSame(outputs, this.#undisturbed.get(query)!, where);
    if (query !== "chain") return;
    const expected = this.#published;
    const verdicts = [
      await judgeTopic(this.#log, places.topic, PARTITIONS, expected),
      await judgeImages(`${places.folder}/images`, expected),
    ];
    for (const verdict of verdicts) {
      this.#verdicts.push(verdict);
      assertFlawless(verdict, where);
    }
    await Deno.remove(places.folder, { recursive: true });
  }

  #named(query: typeof QUERIES[number]): string {
    return this.#video && query === "hashes" ? PIXELS : query;
  }

  async #places(): Promise<Places> {
    const number = ++this.#number;
    const folder = `${this.#folder}/${number}`;
    await Deno.mkdir(folder);
    return { topic: `${this.#source}-OUT-${number}`, folder };
  }

  #start(query: string, places: Places, kill?: KillPoint): FramelaneProcess {
    const what = { url: this.#url, query, partitions: PARTITIONS };
    const more = ["--topic", this.#source, "--trigger", "available-now"];
    return new FramelaneProcess(commandInto(places, what, more), {
      // Only a process that may send signals can end itself as kill -9 does.
      permissions: ["--allow-run"],
      env: kill !== undefined && "at" in kill ? { [CRASH_VARIABLE]: kill.at } : {},
    });
  }
}

/** Waits until there are this many files, and kills at that instant. */
async function killAtFiles(run: FramelaneProcess, folder: string, wanted: number): Promise<void> {
  while (!run.hasEnded && countFiles(folder) < wanted) {
    await new Promise((next) => setTimeout(next, 1));
  }
  await run.kill();
}

function countFiles(folder: string): number {
  let count = 0;
  try {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      count += isDirectory ? countFiles(`${folder}/${name}`) : 1;
    }
  } catch (error) {
    // It was renamed or removed while we looked.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return count;
}
