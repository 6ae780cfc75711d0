/**
 * What native code that turned bad would try, played by the C library and by the libraries that Framelane
 * uses: run within the fence of a task and with permission to load any library, it prints as JSON what came of
 * each attempt. The kernel alone stands in its way.
 */
import { AVIO_FLAG_READ, AVIO_FLAG_WRITE, IOContext } from "node-av";
import sharp from "sharp";

import type { Places } from "./places.ts";

const { cache, data, outside, root, machine: { port, free } } = JSON.parse(
  Deno.env.get("FRAMELANE_ATTACK")!,
) as Places;
const { symbols: c } = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  rename: { parameters: ["buffer", "buffer"], result: "i32" },
  link: { parameters: ["buffer", "buffer"], result: "i32" },
  symlink: { parameters: ["buffer", "buffer"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  mkdir: { parameters: ["buffer", "u32"], result: "i32" },
  truncate: { parameters: ["buffer", "i64"], result: "i32" },
  mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
  umount: { parameters: ["buffer"], result: "i32" },
  posix_spawn: {
    parameters: ["buffer", "buffer", "pointer", "pointer", "buffer", "buffer"],
    result: "i32",
  },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  kill: { parameters: ["i32", "i32"], result: "i32" },
  getppid: { parameters: [], result: "i32" },
});
const text = (value: string) => new TextEncoder().encode(`${value}\0`);
const [READ, WRITE, APPEND, CREATE] = [0, 1, 0o2000, 0o100];

/** A call that fails is one that was refused: without a fence every attempt succeeds. */
function must(result: number): void {
  if (result < 0) throw new Error("refused");
}

function open(path: string, flags: number): void {
  const file = c.open(text(path), flags, 0o644);
  must(file);
  c.close(file);
}

const code = `${root}/main.ts`;
const append = WRITE | APPEND;
const image = () => sharp({ create: { width: 4, height: 4, channels: 3, background: "red" } });

function address(at: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([2, 0, at >> 8, at & 255, 127, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
}

function spawn(program: string): void {
  const words = text(program);
  const pointer = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(words)));
  const failed = c.posix_spawn(
    new Int32Array(1),
    words,
    null,
    null,
    new BigUint64Array([pointer, 0n]),
    new BigUint64Array([0n]),
  );
  must(-failed);
}

async function ffmpeg(path: string, flag: typeof AVIO_FLAG_READ): Promise<void> {
  const io = new IOContext();
  must(await io.open2(path, flag));
  await io.closep();
}

const attempts: Record<string, () => unknown> = {
  "write code": () => open(code, append),
  "write a dependency": () => open(`${root}/node_modules/.deno/x`, append | CREATE),
  "write what Deno compiled": () => open(`${cache}/gen/x`, append | CREATE),
  "write outside": () => open(outside, append),
  "write through /proc/self/root": () => open(`/proc/self/root${code}`, append),
  "write by a path with ..": () => open(`${data}/../${"../".repeat(20)}${code}`, append),
  "rename the checkout": () => {
    must(c.rename(text(root), text(`${root}.away`)));
    must(c.rename(text(`${root}.away`), text(root)));
  },
  "rename code into its data": () => {
    must(c.rename(text(code), text(`${data}/main.ts`)));
    must(c.rename(text(`${data}/main.ts`), text(code)));
  },
  "rename a file over code": () => {
    open(`${data}/new.ts`, append | CREATE);
    must(c.rename(text(`${data}/new.ts`), text(`${root}/deno.jsonc`)));
  },
  "write through a hard link": () => {
    must(c.link(text(code), text(`${data}/hard`)));
    open(`${data}/hard`, append);
  },
  "write through a symbolic link": () => {
    const link = `${data}/soft-${crypto.randomUUID()}`;
    must(c.symlink(text(code), text(link)));
    open(link, append);
  },
  "remove code": () => must(c.unlink(text(`${root}/deno.jsonc`))),
  "remove a file outside": () => must(c.unlink(text(`${outside}.txt`))),
  "make a folder beside the code": () => must(c.mkdir(text(`${root}/new`), 0o755)),
  "truncate a file outside": () => must(c.truncate(text(outside), 2n)),
  "mount over code": () => {
    must(c.mount(text("none"), text(`${root}/docs`), text("tmpfs"), 0n, text("")));
    must(c.umount(text(`${root}/docs`)));
  },
  "read outside": () => open(outside, READ),
  "read passwords of the system": () => open("/etc/shadow", READ),
  "read another program's environment": () => open(`/proc/${c.getppid()}/environ`, READ),
  "write another program's memory": () => open(`/proc/${c.getppid()}/mem`, WRITE),
  "run a shell": () => spawn("/bin/sh"),
  "run a file of its data": () => {
    Deno.copyFileSync("/bin/true", `${data}/true`);
    Deno.chmodSync(`${data}/true`, 0o755);
    spawn(`${data}/true`);
  },
  "connect to a port": () => must(c.connect(c.socket(2, 1, 0), address(port), 16)),
  "listen at a port": () => must(c.bind(c.socket(2, 1, 0), address(free), 16)),
  "reach a service of the system": () => {
    const place = new Uint8Array([1, 0, ...text(`${outside}.sock`)]);
    must(c.connect(c.socket(1, 1, 0), place, place.length));
  },
  "signal another program": () => must(c.kill(c.getppid(), 0)),
  "write code by sharp": () => image().png().toFile(`${root}/queries/x.png`),
  "write outside by sharp": () => image().png().toFile(`${outside}.png`),
  "read outside by sharp": () => sharp(`${outside}.jpg`).toBuffer(),
  "write code by FFmpeg": () => ffmpeg(`${root}/queries/x.ts`, AVIO_FLAG_WRITE),
  "read outside by FFmpeg": () => ffmpeg(outside, AVIO_FLAG_READ),
};

const results: Record<string, string> = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    results[name] = "done";
  } catch {
    results[name] = "refused";
  }
}
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(results)));
Deno.exit(0);
