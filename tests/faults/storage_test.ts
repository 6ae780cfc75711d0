/** Storage that may not be written, and renames that fail. The long version takes it away in mid-run. */
import assert from "node:assert/strict";
import { assertFlawless } from "../support/checker.ts";
import { framelane } from "../support/framelane.ts";
import { withLog } from "../support/log.ts";
import { command, heal, publish } from "./storage.ts";

/** The name of a frame's picture. */
const imageName = (offset: number) => `${String(offset).padStart(12, "0")}.jpg`;

const READ_ONLY: Readonly<Record<string, RegExp>> = {
  "log": /Cannot open the embedded log in \S+\/log: access to \S+ is denied/,
  "log/log.db": /Cannot open the embedded log in \S+\/log: access to \S+log\.db is denied/,
  "log/open": /Cannot open the embedded log in \S+\/log: access to \S+ is denied/,
  "images": /\/images/,
  "events.jsonl": /events\.jsonl/,
};

for (const [place, says] of Object.entries(READ_ONLY)) {
  Deno.test(`a query whose ${place} is read-only stops by name; once it may write, all is there once`, async () => {
    await withLog(async (url, log, folder) => {
      const published = await publish(log);
      const { code, process } = await framelane(command(url, folder), {
        permissions: [`--deny-write=${folder}/${place}`],
      });
      assert.equal(code, 1, process.output());
      assert.match(process.output(), says);
      assertFlawless(await heal(url, log, folder, published), place);
    });
  });
}

Deno.test("an image whose name is taken by a folder cannot be renamed into place: a stop by name, nothing doubled", async () => {
  await withLog(async (url, log, folder) => {
    const published = await publish(log);
    const taken = `${folder}/images/CAMERA-1/${imageName(20)}`;
    await Deno.mkdir(`${taken}/full`, { recursive: true });
    const { code, process } = await framelane(command(url, folder));
    assert.equal(code, 1, process.output());
    assert.match(process.output(), /failed: .*: Cannot write images? .*(directory|folder)/);
    await Deno.remove(taken, { recursive: true });
    assertFlawless(await heal(url, log, folder, published), "renamed");
  });
});
