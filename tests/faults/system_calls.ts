// What a process did to files, as `strace` saw it.

/** A system call that went well. Times are seconds. */
export interface SystemCall {
  readonly name: string;
  readonly args: string;
  readonly result: number;
  readonly begin: number;
  readonly end: number;
}

const NAMES = [
  ...["openat", "open", "creat", "close", "fcntl", "write", "pwrite64", "writev", "pwritev"],
  ...["lseek", "read", "ftruncate", "truncate", "fallocate", "fdatasync", "fsync"],
  ...["rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat"],
];

/** Runs a program under `strace`; the calls of all its threads in the order in which they began. */
export async function trace(program: string, args: readonly string[]): Promise<SystemCall[]> {
  const folder = await Deno.makeTempDir({ prefix: "framelane-trace-" });
  try {
    const { success, stderr } = await new Deno.Command("strace", {
      args: [
        ...["-ff", "-ttt", "-T", "-xx", "-s", "1100000", "-e", "signal=none"],
        ...["-e", `trace=${NAMES.join(",")}`, "-o", `${folder}/calls`, program, ...args],
      ],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const calls: SystemCall[] = [];
    for await (const { name } of Deno.readDir(folder)) {
      for (const line of (await Deno.readTextFile(`${folder}/${name}`)).split("\n")) {
        const match = /^(\d+\.\d+) (\w+)\((.*)\)\s+= (\d+)(?:<.*?>)? <(\d+\.\d+)>$/.exec(line);
        if (match === null) continue;
        const begin = Number(match[1]);
        const end = begin + Number(match[5]);
        calls.push({ name: match[2]!, args: match[3]!, result: Number(match[4]), begin, end });
      }
    }
    return calls.toSorted((a, b) => a.begin - b.begin);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The bytes of `"\x41…"`. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replaceAll(/\\x|"/g, ""));
}

/** A text of a call, such as a path. */
export function textOf(text: string): string {
  return new TextDecoder().decode(bytesOf(/"((?:\\x[0-9a-f]{2})*)"/.exec(text)?.[1] ?? ""));
}
