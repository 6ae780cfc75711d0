/** What an edit restarts. */
import assert from "node:assert/strict";
import { changesOf, editsOf, withFixed } from "../../../cli/up/changes.ts";
import { resolvePlan } from "../../../cli/up/resolve.ts";

const BASE = `cameras:
  - { number: 1, source: "pattern:", fps: 5 }
  - { number: 2, source: "pattern:", fps: 5 }
queries:
  - { query: greyscale }
  - { query: motion, sinks: [display] }
viewer: { port: 8000 }
`;

async function changes(...edits: [string, string][]): Promise<string[]> {
  const resolve = (content: string) =>
    resolvePlan(content, { file: "f.yaml", environment: () => undefined });
  const edited = edits.reduce((text, [from, to]) => {
    assert.ok(text.includes(from), from);
    return text.replace(from, to);
  }, BASE);
  const before = await resolve(BASE);
  return changesOf(before, withFixed(await resolve(edited), before))
    .map(({ part, what }) => `${part} ${what}`);
}

Deno.test("an edit restarts what it changes and nothing else", async () => {
  const camera = '  - { number: 2, source: "pattern:", fps: 5 }\n';
  assert.deepEqual(await changes(["cameras:", "# a comment\ncameras:"]), []);
  assert.deepEqual(await changes([camera, camera.replace("5", "7")]), [
    "CAMERA-2 of VideoStreaming restarts",
  ]);
  assert.deepEqual(await changes([camera, ""]), ["CAMERA-2 of VideoStreaming stops"]);
  assert.deepEqual(await changes([camera, `${camera}${camera.replace("2", "3")}`]), [
    "CAMERA-3 of VideoStreaming starts",
  ]);
  assert.deepEqual(await changes(["[display]", "[console]"]), ["query motion restarts"]);
  assert.deepEqual(await changes(["greyscale }", "tamper }"]), [
    "query greyscale stops",
    "query tamper starts",
  ]);
  assert.deepEqual(await changes(["8000", "8000, token: t0ken"]), ["viewer restarts"]);
  assert.deepEqual(await changes(["viewer: { port: 8000 }", "viewer: off"]), ["viewer stops"]);
  // What cannot change stays.
  assert.deepEqual(await changes(["8000", "8001"]), []);
  assert.deepEqual(await changes(["8000", "8000, host: localhost"]), []);
  assert.deepEqual(await changes(["cameras:", "log: embedded:x\ncameras:"]), []);
});

Deno.test("an edit counts once the file was read twice alike, and once", () => {
  const edited = editsOf("a");
  const reads = ["a", "", "a b", "a b c", "a b c", "a b c", "a", "a b c", "a", "a", "a"];
  const found = reads.map((read) => edited(read)).filter((content) => content !== undefined);
  assert.deepEqual(found, ["a b c", "a"]);
});
