/** A runtime whose disk is full, and one without file handles, for a while and again and again. */
import { handles, run, type Shortage, shortageTrial } from "../../faults/shortage.ts";
import { withFolder } from "../../support/folder.ts";
import { reportRow } from "../../support/trial_report.ts";

const AWAY_MS = 20_000;
const ROUNDS = 3;

/** Takes all room on the disk, the last byte included. */
async function fill(file: string): Promise<void> {
  using filler = await Deno.open(file, { write: true, create: true });
  for (let bytes = 1 << 20; bytes > 0;) {
    try {
      bytes = await filler.write(new Uint8Array(bytes)) === 0 ? 0 : bytes;
    } catch {
      // No room for this much: less, perhaps.
      bytes >>= 1;
    }
  }
}

async function onDisk(trial: (folder: string) => Promise<void>, megabytes: number) {
  const folder = await Deno.makeTempDir({ prefix: "framelane-test-" });
  await run("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder);
  try {
    await trial(folder);
  } finally {
    await run("umount", "--lazy", folder);
    await Deno.remove(folder);
  }
}

async function report(fault: string, shortage: Shortage): Promise<void> {
  const { verdict, recoveryMs } = await shortageTrial(shortage, ROUNDS);
  reportRow({ fault, repetitions: ROUNDS, verdict, recoveryMs });
}

Deno.test("the disk is full", async () => {
  await onDisk(async (folder) => {
    const filler = `${folder}/.filler`;
    await report(`disk full for ${AWAY_MS / 1000} s, embedded log`, {
      folder,
      awayMs: AWAY_MS,
      told: /disk is full|no space is left/,
      take: () => fill(filler),
      giveBack: () => Deno.remove(filler),
    });
  }, 256);
});

Deno.test("no file handles are left", async () => {
  await withFolder((folder) =>
    report(`no file handles for ${AWAY_MS / 1000} s, embedded log`, handles(folder, AWAY_MS))
  );
});
