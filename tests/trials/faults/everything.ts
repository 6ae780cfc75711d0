// Everything as users start it, each a process: cameras that play a film, one as H.264 and one as JPEG, two queries
// with a sink of each kind, and a wall. They are killed, stopped and given other clocks all at once; afterwards the
// outputs are those of a run in peace over the same frames.
import assert from "node:assert/strict";
import type { TopicLog } from "../../../runtime/log/log.ts";
import {
  assertSame,
  collect,
  commandInto,
  type Outputs,
  type Places,
} from "../../recovery/outputs.ts";
import type { Verdict } from "../../support/checker.ts";
import { withClock } from "../../support/faketime.ts";
import { FramelaneProcess } from "../../support/framelane.ts";
import { readAll } from "../../support/log.ts";
import { PATIENCE_MS, until } from "../../support/until.ts";
import { makeVideo } from "../../support/videos.ts";

const TOPIC = "VideoStreaming";
const QUERIES = ["chain", "pixels"] as const;
/** How each camera sends its film. */
const CODECS = ["copy", "jpeg"];

export type Role = "cameras" | "queries" | "wall";
export const ROLES: readonly Role[] = ["cameras", "queries", "wall"];

/** Where all of it is. */
export interface Stage {
  readonly log: TopicLog;
  readonly url: string;
  readonly folder: string;
}

/** All that is at work. */
export class Everything {
  readonly #stage: Stage;
  #running = new Map<Role, FramelaneProcess[]>();

  private constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Runs a trial and judges what is left: every frame that a camera has published, and the outputs. */
  static async run(
    stage: Stage,
    trial: (everything: Everything) => Promise<void>,
  ): Promise<Verdict> {
    const { log, folder } = stage;
    await makeVideo(`${folder}/film.mp4`, { frames: 250 });
    await log.createTopic(TOPIC, CODECS.length);
    const everything = new Everything(stage);
    try {
      await trial(everything);
      return await everything.#judge();
    } finally {
      await everything.kill();
    }
  }

  /** @param clocks whether `setClock` works: reading the clock takes longer then */
  async start(clocks = false): Promise<void> {
    const { url, folder } = this.#stage;
    const start = (role: Role, args: readonly string[]) =>
      new FramelaneProcess(args, {
        permissions: ["--allow-run"],
        within: clocks ? withClock(`${folder}/clock-${role}`) : [],
      });
    if (clocks) { for (const role of ROLES) await this.setClock(role, "+0"); }
    const film = ["--source", `${folder}/film.mp4`, "--loop", "--fps", "15"];
    this.#running = new Map([
      [
        "cameras",
        CODECS.map((codec, i) =>
          start("cameras", ["camera", `${i + 1}`, ...film, "--codec", codec, "--log", url])
        ),
      ],
      [
        "queries",
        QUERIES.map((query) =>
          start("queries", this.#command(query, this.#places("OUT", query), "asap"))
        ),
      ],
      ["wall", [start("wall", ["viewer", "--log", url, "--port", "0"])]],
    ]);
  }

  /** Sets the clocks of a role, e.g. `+1h`. */
  async setClock(role: Role, offset: string): Promise<void> {
    await Deno.writeTextFile(`${this.#stage.folder}/clock-${role}`, offset);
  }

  signal(roles: readonly Role[], signal: "SIGSTOP" | "SIGCONT"): void {
    for (const process of roles.flatMap((role) => this.#running.get(role)!)) process.signal(signal);
  }

  /** As the machine ends when its power fails, but for the log. */
  async kill(): Promise<void> {
    await Promise.all([...this.#running.values()].flat().map((process) => process.kill()));
  }

  /** Waits until the outputs of each query and lane go on, and the wall shows new pictures; milliseconds. */
  async moves(): Promise<number> {
    const { log } = this.#stage;
    const started = performance.now();
    const latest = async (topic: string, lane: number) =>
      await log.partitionCount(topic) > lane ? (await log.offsets(topic, lane)).latest : 0;
    for (const topic of QUERIES.map((query) => this.#places("OUT", query).topic)) {
      for (const lane of CODECS.keys()) {
        const from = await latest(topic, lane);
        await until(`outputs of ${topic} ${lane} beyond ${from}`, async () => {
          const ended = [...this.#running.values()].flat().find(({ hasEnded }) => hasEnded);
          assert.ok(ended === undefined, ended?.output());
          return await latest(topic, lane) > from + 3;
        });
      }
    }
    const [wall] = this.#running.get("wall")!;
    const address = () => wall!.said.map((line) => /^http:\S+/.exec(line)?.[0]).find(Boolean);
    await wall!.until("its address", () => address() !== undefined);
    for (const lane of CODECS.keys()) await pictures(`${address()}cam/${lane + 1}`);
    return performance.now() - started;
  }

  async #judge(): Promise<Verdict> {
    const { log } = this.#stage;
    for (const role of ROLES) {
      for (const process of this.#running.get(role)!) {
        assert.equal(await process.stop(), 0, process.output());
      }
    }
    for (const query of QUERIES) {
      const outputs: Outputs[] = [];
      for (const kind of ["OUT", "PEACE"]) {
        const places = this.#places(kind, query);
        const run = new FramelaneProcess(this.#command(query, places, "available-now"));
        assert.equal(await run.ended(), 0, run.output());
        outputs.push(await collect(log, places, CODECS.length));
      }
      assertSame(outputs[0]!, outputs[1]!, query);
    }
    const verdict = { lost: 0, doubled: 0, reordered: 0, changed: 0, faults: [] };
    for (const lane of CODECS.keys()) {
      // A camera counts on from 0 in each of its runs; what a killed one had not published is no loss.
      const last = new Map<string, number>();
      for (const { headers } of await readAll(log, TOPIC, lane)) {
        const [session, seq] = [headers["session"]!, Number(headers["seq"])];
        const next = (last.get(session) ?? -1) + 1;
        if (seq > next) verdict.lost += seq - next;
        else if (seq === next - 1) verdict.doubled++;
        else if (seq < next) verdict.reordered++;
        last.set(session, seq);
      }
    }
    assert.deepEqual(verdict, { lost: 0, doubled: 0, reordered: 0, changed: 0, faults: [] });
    return verdict;
  }

  #places(kind: string, query: string): Places {
    return { topic: `${kind}-${query}`, folder: `${this.#stage.folder}/${kind}-${query}` };
  }

  #command(query: string, places: Places, trigger: string): string[] {
    Deno.mkdirSync(places.folder, { recursive: true });
    const what = { url: this.#stage.url, query, partitions: CODECS.length };
    return commandInto(places, what, ["--topic", TOPIC, "--trigger", trigger]);
  }
}

/** Waits for a few new pictures of a camera's stream. */
async function pictures(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
  assert.equal(response.status, 200, url);
  let count = 0;
  for await (const bytes of response.body!) {
    if (new TextDecoder("latin1").decode(bytes).includes("image/jpeg") && ++count === 3) return;
  }
  assert.fail(`${url} ended`);
}
