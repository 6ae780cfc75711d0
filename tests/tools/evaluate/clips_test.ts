import assert from "node:assert/strict";
import { join } from "node:path";
import { ClipsError, findClips } from "../../../tools/evaluate/clips.ts";

async function inFolder(files: Record<string, string>, use: (folder: string) => void) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(join(folder, name, ".."), { recursive: true });
      await Deno.writeTextFile(join(folder, name), text);
    }
    use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("subfolders are labels, with videos and folders of images", async () => {
  const files = {
    "Fight/b.avi": "",
    "Fight/a.mp4": "",
    "Fight/notes.txt": "",
    "calm/pictures/1.jpg": "",
    "calm/empty/1.txt": "",
    "list.txt": "",
  };
  await inFolder(files, (folder) => {
    const clips = findClips(folder, "fight").map(({ path, positive }) => [
      path.slice(folder.length + 1),
      positive,
    ]);
    assert.deepEqual(clips, [["Fight/a.mp4", true], ["Fight/b.avi", true], [
      "calm/pictures",
      false,
    ]]);
    assert.throws(() => findClips(folder, "fire"), /expected clips with the label fire/);
    Deno.removeSync(join(folder, "calm"), { recursive: true });
    assert.throws(() => findClips(folder, "fight"), /expected clips without the label fight too/);
  });
});

Deno.test("a list says when something happens", async () => {
  const list = [
    { file: "a.mp4", label: "Fight", fromMs: 100, toMs: 900 },
    { file: "/b.mp4", label: null },
  ];
  await inFolder({ "clips.json": JSON.stringify(list) }, (folder) => {
    assert.deepEqual(findClips(join(folder, "clips.json"), "fight"), [
      { path: join(folder, "a.mp4"), positive: true, fromMs: 100, toMs: 900 },
      { path: "/b.mp4", positive: false },
    ]);
  });
});

Deno.test("all faults of a list are told together", async () => {
  const list = [{ file: "", label: 7 }, { file: "a", label: "x", fromMs: 5, toMs: 5, to: 1 }, null];
  await inFolder({ "clips.json": JSON.stringify(list), "bad.json": "[" }, (folder) => {
    assert.throws(
      () => findClips(join(folder, "clips.json"), "x"),
      (error) => error instanceof ClipsError && error.faults.length === 5,
    );
    assert.throws(() => findClips(join(folder, "bad.json"), "x"), /expected JSON/);
  });
});
