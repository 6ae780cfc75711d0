/** Another owner comes at any moment of a sink's work on its files: it is named, whatever was not found. */
import assert from "node:assert/strict";
import { read } from "../../../runtime/base/errors.ts";
import type { Sink } from "../../../runtime/definition/sink.ts";
import { events } from "../../../runtime/sinks/events.ts";
import { Fence } from "../../../runtime/sinks/files/fence.ts";
import { laneKey } from "../../../runtime/sinks/files/lane.ts";
import { Outbox } from "../../../runtime/sinks/files/outbox.ts";
import { images } from "../../../runtime/sinks/images.ts";
// Opens its library here, and not in the first test that writes a picture.
import "../../../runtime/image/turbojpeg.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { frame } from "./outputs.ts";

const CALLS = ["open", "rename", "remove", "mkdir", "writeFile"] as const;
const BATCHES = [1, 2].map((n) => ({ batchId: n - 1, start: 2 * n - 2, end: 2 * n }));

/** Runs `work`; `come` runs before its call of the file system number `at`. Returns whether there was one. */
async function interrupted(at: number, come: () => Promise<void>, work: () => Promise<unknown>) {
  const originals = CALLS.map((name) => [name, Deno[name]] as const);
  let calls = 0;
  for (const [name, original] of originals) {
    Object.assign(Deno, {
      [name]: async (...args: never[]) => {
        if (++calls === at) await come();
        return await Reflect.apply(original, Deno, args);
      },
    });
  }
  try {
    await work();
  } finally {
    Object.assign(Deno, Object.fromEntries(originals));
  }
  return calls >= at;
}

/** An owner that opens its outbox, and delivers what it puts in. */
async function deliver(root: string): Promise<void> {
  const box = await Outbox.open(root, sinkContext());
  try {
    for (const { batchId: batch, end } of BATCHES) {
      await box.release(await box.add([{ position: { batch, end }, id: `${batch}`, body: "" }]));
      await box.removeOldest();
    }
  } finally {
    box.close();
  }
}

/** An owner that opens its sink and writes two batches. */
async function own(sink: Sink): Promise<void> {
  const task = await sink.open(sinkContext());
  try {
    for (const batch of BATCHES) {
      await task.write!([frame(0, batch.start), frame(0, batch.start + 1)], batch);
      await task.flush!(batch);
      await task.committed!(batch);
    }
  } finally {
    await task.close!();
  }
}

interface Owner {
  readonly work: () => Promise<void>;
  readonly root: string;
}

const LANE = `lanes/${laneKey(sinkContext())}`;
/** Each kind of file: an owner at work, and where the lane's owners have their folders. */
const OWNERS: Readonly<Record<string, (directory: string) => Owner>> = {
  images: (directory) => ({
    work: () => own(images({ directory: `${directory}/out` })),
    root: `${directory}/out/.framelane/${LANE}`,
  }),
  events: (directory) => ({
    work: () => own(events({ file: `${directory}/out.jsonl` })),
    root: `${directory}/.out.jsonl.framelane/${LANE}`,
  }),
  outbox: (root) => ({ work: () => deliver(root), root }),
};

for (const [name, ownerOf] of Object.entries(OWNERS)) {
  Deno.test(`${name}: an owner that is overtaken at any call of the file system ends as such, or not at all`, async () => {
    let overtaken = 0;
    for (let at = 1, more = true; more; at++) {
      const directory = await Deno.makeTempDir();
      const { work, root } = ownerOf(directory);
      try {
        const come = async () => void await (await Fence.claim(root)).adopt();
        more = await interrupted(at, come, () =>
          work().catch((error) => {
            assert.equal(read(error, "code"), "TAKEN_OVER", `at call ${at}: ${error}`);
            overtaken++;
          }));
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    }
    assert.ok(overtaken > 0);
  });

  Deno.test(`${name}: a folder that is removed at any call of the file system is named as such, and made again`, async () => {
    let named = 0;
    for (let at = 1, more = true; more; at++) {
      const directory = await Deno.makeTempDir();
      const { work } = ownerOf(directory);
      const come = () => Deno.remove(directory, { recursive: true });
      more = await interrupted(at, come, () =>
        work().catch((error) => {
          assert.notEqual(read(error, "code"), "TAKEN_OVER", `at call ${at}: ${error}`);
          if (String(error).includes("was removed while in use")) named++;
        }));
      await work();
      await Deno.remove(directory, { recursive: true });
    }
    assert.ok(named > 0);
  });
}
