/**
 * Storage that becomes read-only in the middle of a run, for everybody, root as well: it takes root and
 * a file system with attributes (ext4, XFS, Btrfs).
 */
import assert from "node:assert/strict";
import { command, FRAMES, heal, publish } from "../../faults/storage.ts";
import { assertFlawless } from "../../support/checker.ts";
import { FramelaneProcess } from "../../support/framelane.ts";
import { withLog } from "../../support/log.ts";
import { reportRow } from "../../support/trial_report.ts";

/** What becomes read-only, and what is said of it. */
const PLACES: Readonly<Record<string, { files: readonly string[]; says: RegExp }>> = {
  "the log's file": {
    files: ["log/log.db", "log/log.db-wal"],
    says: /Cannot .*disk I\/O error/,
  },
  "the folder of images (no file can be renamed into it)": {
    files: ["images/CAMERA-1"],
    says: /Cannot .*images/,
  },
  "the file of events": { files: ["events.jsonl"], says: /Cannot .*events/ },
};

async function chattr(change: "+i" | "-i", files: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("chattr", { args: [change, ...files] })
    .output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

for (const [place, { files, says }] of Object.entries(PLACES)) {
  Deno.test(`${place} becomes read-only in mid-run`, async () => {
    await withLog(async (url, log, folder) => {
      const first = await publish(log);
      const args = command(url, folder).map((arg) => arg === "available-now" ? "asap" : arg);
      const runtime = new FramelaneProcess([...args, "--port", "off"]);
      const paths = files.map((file) => `${folder}/${file}`);
      let second: typeof first = [];
      try {
        await runtime.until("the first batches", (p) => p.progress(0).length > 0, 60_000);
        const there = paths.filter((path) => existsSync(path));
        await chattr("+i", there);
        try {
          const log2 = place === "the log's file" ? undefined : log;
          if (log2 !== undefined) second = await publish(log2, FRAMES, FRAMES);
          await runtime.until("what is wrong", (p) => says.test(p.said.join("\n")), 60_000);
        } finally {
          await chattr("-i", there);
        }
      } finally {
        await runtime.kill();
      }
      const verdict = await heal(url, log, folder, [...first, ...second]);
      assertFlawless(verdict, place);
      reportRow({ fault: `${place} becomes read-only`, repetitions: 1, verdict });
    });
  });
}

function existsSync(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
