/**
 * A log on a disk that is full. The disk is a small tmpfs in a mount namespace, which is gone with the process: root may
 * make one, and others where the system lets them have a user namespace.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { withFolder } from "../support/folder.ts";

const child = fileURLToPath(new URL("full_disk_child.ts", import.meta.url));
const mounting = [
  ...["unshare", "--mount", ...Deno.uid() === 0 ? [] : ["--user", "--map-root-user"]],
  ...["sh", "-c"],
];

/** Runs a command on a disk at `folder` of 14 MB, less than a segment has elsewhere. */
async function onSmallDisk(folder: string, ...command: string[]) {
  const script = `mount -t tmpfs -o size=14m tmpfs "$0" && exec "$@"`;
  const [program, ...args] = [...mounting, script, folder, ...command];
  return await new Deno.Command(program!, { args, stdin: "null" }).output();
}

async function canMount(): Promise<boolean> {
  try {
    return await withFolder(async (folder) => (await onSmallDisk(folder, "true")).success);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const ignore = !await canMount();
Deno.test({
  name: `full disk: appends fail by name, the advice works, retention goes first${
    ignore ? " (not here: this user may not mount a tmpfs in a namespace)" : ""
  }`,
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { success, stderr } = await onSmallDisk(
        folder,
        ...[Deno.execPath(), "run", "--no-prompt", "--allow-read", "--allow-write"],
        ...["--allow-sys=statfs", child, folder],
      );
      assert.ok(success, new TextDecoder().decode(stderr));
    }),
});
