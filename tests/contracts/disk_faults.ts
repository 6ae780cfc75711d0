/** A disk that is full at the n-th thing somebody does on it. */

type Operation = (this: unknown, ...args: unknown[]) => unknown;

/** What takes room on a disk. */
const OPERATIONS: [owner: Record<string, unknown>, name: string][] = [
  [Deno.FsFile.prototype as unknown as Record<string, unknown>, "write"],
  [Deno.FsFile.prototype as unknown as Record<string, unknown>, "syncData"],
  [Deno.FsFile.prototype as unknown as Record<string, unknown>, "sync"],
  ...["open", "mkdir", "rename", "link", "copyFile", "writeFile", "writeTextFile"].map((
    name,
  ): [Record<string, unknown>, string] => [Deno as unknown as Record<string, unknown>, name]),
];

function diskFull(): Error {
  return Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
}

/**
 * Runs `work` on a disk that is full at the n-th operation, counted from 1, and has room again
 * after it. Of a write half gets through.
 *
 * @returns whether there were this many.
 */
export async function withFullDisk(n: number, work: () => Promise<void>): Promise<boolean> {
  let count = 0;
  const originals = OPERATIONS.map(([owner, name]) => {
    const original = owner[name] as Operation;
    owner[name] = async function (this: unknown, ...args: unknown[]) {
      if (++count !== n) return await original.apply(this, args);
      if (name === "write") {
        const bytes = args[0] as Uint8Array;
        if (bytes.length > 1) await original.call(this, bytes.subarray(0, bytes.length >> 1));
      }
      throw diskFull();
    };
    return original;
  });
  try {
    await work();
  } finally {
    OPERATIONS.forEach(([owner, name], index) => owner[name] = originals[index]);
  }
  return count >= n;
}
