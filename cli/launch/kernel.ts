// The C library, for calls that Deno lacks: a fence that the kernel enforces (Linux's Landlock and
// seccomp), also against native code, and replacing this process by another program.
import { unfinishedOf } from "../../runtime/base/folders.ts";
import type { Access } from "./access.ts";
import { isThere, parentOf } from "./paths.ts";
import { CALLS, systemCallFilter } from "./seccomp.ts";

const LIBRARIES = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
  "/usr/lib/libSystem.B.dylib",
];

// A number alone in a struct is returned as itself. For functions without structs Deno makes machine code,
// which takes longer than all calls here.
const INT = { struct: ["i32"] } as const;
const LONG = { struct: ["i64"] } as const;
const intOf = ({ buffer }: Uint8Array<ArrayBuffer>) => new Int32Array(buffer)[0]!;
const longOf = ({ buffer }: Uint8Array<ArrayBuffer>) => new BigInt64Array(buffer)[0]!;

const SYMBOLS = {
  open: { parameters: ["buffer", "i32", "u32"], result: INT },
  close: { parameters: ["i32"], result: INT },
  mkdir: { parameters: ["buffer", "u32"], result: INT },
  unlink: { parameters: ["buffer"], result: INT },
  rename: { parameters: ["buffer", "buffer"], result: INT },
  setenv: { parameters: ["buffer", "buffer", "i32"], result: INT },
  execv: { parameters: ["buffer", "buffer"], result: INT },
  // Says where a buffer lies: it moves nothing.
  memmove: { parameters: ["buffer", "buffer", "usize"], result: LONG },
} as const;

/** Linux alone has these; the numbers are the same on every processor. */
const LINUX = {
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: INT },
  createRuleset: { name: "syscall", parameters: ["i64", "buffer", "usize", "u32"], result: LONG },
  addRule: { name: "syscall", parameters: ["i64", "i32", "i32", "buffer", "u32"], result: LONG },
  restrictSelf: { name: "syscall", parameters: ["i64", "i32", "u32"], result: LONG },
  seccomp: { name: "syscall", parameters: ["i64", "u32", "u32", "buffer"], result: LONG },
} as const;

const CALL = { createRuleset: 444n, addRule: 445n, restrictSelf: 446n } as const;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_SET_MODE_FILTER = 1;
/** Older kernels would slow down a program with a filter. */
const SPEC_ALLOW = 4;
const RULE = { path: 1, port: 2 } as const;
const OPEN_PATH = 0o10000000 | 0o2000000;
/** To write, as a new file, not for programs that are started. */
const CREATE = 0o1 | 0o100 | 0o1000 | 0o2000000;

/** Rights of linux/landlock.h, in bits. */
const RIGHT = { execute: 1n, writeFile: 2n, readFile: 4n, readDir: 8n, ioctl: 1n << 15n } as const;
const REFER = 1n << 13n;
const TRUNCATE = 1n << 14n;
const BIND = 1n;
const CONNECT = 2n;
const READ = RIGHT.readFile | RIGHT.readDir;
/** All but executing, reading and controlling devices: bits 1 and 4 to 14. */
const WRITE = RIGHT.writeFile | 0x7ff0n;
const FILE_ONLY = RIGHT.execute | RIGHT.writeFile | RIGHT.readFile | TRUNCATE | RIGHT.ioctl;
/** No abstract sockets and no signals to programs outside. */
const SCOPES = 3n;

/** What every program reads: libraries, settings of the system, what the kernel tells. */
const SYSTEM = [
  ...["/usr", "/lib", "/lib64", "/nix/store", "/proc", "/sys", "/run/systemd/resolve"],
  ...[
    ...["resolv.conf", "hosts", "host.conf", "nsswitch.conf", "gai.conf", "services", "protocols"],
    ...["ld.so.cache", "localtime", "timezone", "os-release", "alpine-release", "passwd", "group"],
    ...["ssl", "ca-certificates", "pki", "alternatives", "OpenCL", "vulkan", "fonts"],
  ].map((name) => `/etc/${name}`),
];
const LOADERS = [
  "/lib64/ld-linux-x86-64.so.2",
  "/lib/ld-linux-aarch64.so.1",
  "/lib/ld-musl-x86_64.so.1",
  "/lib/ld-musl-aarch64.so.1",
];
const DEVICES = [
  ...["null", "zero", "full", "random", "urandom", "tty", "pts", "shm", "dri", "kfd"],
  ...["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-caps"],
].map((name) => `/dev/${name}`);

const encoder = new TextEncoder();
const text = (value: string) => encoder.encode(`${value}\0`);

type Linux = Deno.DynamicLibrary<typeof SYMBOLS & typeof LINUX>["symbols"];

/** The C library as the launcher uses it. */
export class CLibrary {
  readonly #common: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  /** Absent where the kernel has no Landlock. */
  readonly #linux: Linux | undefined;
  /** Version of Landlock; 0 where there is none. */
  readonly version: number = 0;

  private constructor(path: string) {
    if (Deno.build.os !== "linux") {
      this.#common = Deno.dlopen(path, SYMBOLS).symbols;
      return;
    }
    const linux = Deno.dlopen(path, { ...SYMBOLS, ...LINUX }).symbols;
    this.#common = linux;
    this.version = Number(longOf(linux.createRuleset(CALL.createRuleset, null, 0n, 1)));
    if (this.version > 0) this.#linux = linux;
  }

  /** Undefined if the C library is unknown. */
  static open(): CLibrary | undefined {
    const path = LIBRARIES.find(isThere);
    return path === undefined ? undefined : new CLibrary(path);
  }

  /** Sets a variable for the program that is started; with `replace` 0 only where it is not set. */
  setEnvironment(name: string, value: string, replace = 1): void {
    this.#common.setenv(text(name), text(value), replace);
  }

  makeFolder(path: string, mode: number): void {
    if (path === "/" || isThere(path)) return;
    this.makeFolder(parentOf(path), 0o777);
    this.#common.mkdir(text(path), mode);
  }

  /** Makes the unfinished files that a run writes, since a rule of Landlock needs them; returns their final names. */
  makeFiles({ write }: Access): string[] {
    const { open, close } = this.#common;
    const names = new Set(write.map(({ path }) => path));
    return [...names].filter((path) => {
      if (!names.has(unfinishedOf(path))) return false;
      const file = intOf(open(text(unfinishedOf(path)), CREATE, 0o666));
      if (file >= 0) close(file);
      return file >= 0;
    });
  }

  /** Gives a file its final name if it is whole, or removes it. */
  finishFile(path: string, isWhole: boolean): void {
    const { rename, unlink } = this.#common, unfinished = text(unfinishedOf(path));
    if (isWhole) rename(unfinished, text(path));
    else unlink(unfinished);
  }

  /**
   * Limits this thread, and the program that it starts, to `access`. It cannot be undone.
   *
   * @param read folders that the program itself reads besides what `access` names.
   * @param executable what may be executed.
   * @throws {Error} when the kernel refuses.
   */
  confine(access: Access, read: readonly string[], executable: string): void {
    const linux = this.#linux;
    if (linux === undefined) return;
    const rights = this.#rights();
    const ports = portsOf(access);
    const handled = new BigUint64Array([
      rights,
      this.version >= 4 ? (ports.connect ? CONNECT : 0n) | (ports.bind ? BIND : 0n) : 0n,
      this.version >= 6 ? SCOPES : 0n,
    ]);
    const size = this.version >= 6 ? 24n : this.version >= 4 ? 16n : 8n;
    const ruleset = Number(longOf(linux.createRuleset(CALL.createRuleset, handled, size, 0)));
    if (ruleset < 0) throw new Error("Cannot make a Landlock ruleset");
    const allow = (path: string, wanted: bigint) => this.#allow(ruleset, path, wanted & rights);
    const shown = [...SYSTEM, ...read, ...access.read, ...access.replaced];
    for (const path of access.everything ? ["/"] : shown) allow(path, READ);
    for (const path of [executable, ...LOADERS]) allow(path, RIGHT.execute | RIGHT.readFile);
    for (const path of DEVICES) allow(path, READ | WRITE | RIGHT.ioctl);
    if (access.read.has("/dev")) allow("/dev", READ | RIGHT.writeFile | RIGHT.ioctl);
    for (const { path, kind } of access.write) {
      allow(kind === "database" ? parentOf(path) : path, READ | WRITE);
    }
    if (this.version >= 4) {
      for (const port of ports.connect ?? []) this.#allowPort(ruleset, port, CONNECT);
      for (const port of ports.bind ?? []) this.#allowPort(ruleset, port, BIND);
    }
    linux.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n);
    if (longOf(linux.restrictSelf(CALL.restrictSelf, ruleset, 0)) !== 0n) {
      throw new Error(
        "Cannot put Landlock's rules into force: expected a system that permits it, in at most 16 layers",
      );
    }
    const filter = systemCallFilter();
    const program = new BigUint64Array([BigInt(filter.length / 8), this.#placeOf(filter)]);
    // A container that forbids it has its own filter.
    linux.seccomp(BigInt(CALLS.seccomp), SECCOMP_SET_MODE_FILTER, SPEC_ALLOW, program);
  }

  #placeOf(buffer: Uint8Array<ArrayBuffer>): bigint {
    return longOf(this.#common.memmove(buffer, buffer, 0n));
  }

  /** Starts a program in place of this one: the same process, the same terminal, the same signals. */
  execute(program: string, args: readonly string[]): never {
    const words = [program, ...args].map(text);
    const pointers = new BigUint64Array(words.length + 1);
    const memory = new Uint8Array(words.reduce((sum, { length }) => sum + length, 4096));
    const start = this.#placeOf(memory);
    let at = 0;
    for (const [i, word] of words.entries()) {
      memory.set(word, at);
      pointers[i] = start + BigInt(at);
      at += word.length;
    }
    this.#common.execv(memory, pointers);
    throw new Error(
      `Cannot start ${program}: it may not be executed, or the options name more paths and hosts than ` +
        "the system takes for one program (128 KiB); name fewer, or start several runs",
    );
  }

  /** The rights that this version knows. */
  #rights(): bigint {
    let rights = RIGHT.execute | READ | WRITE;
    if (this.version < 2) rights &= ~REFER;
    if (this.version < 3) rights &= ~TRUNCATE;
    if (this.version >= 5) rights |= RIGHT.ioctl;
    return rights;
  }

  #allow(ruleset: number, path: string, rights: bigint): void {
    const fd = intOf(this.#common.open(text(path), OPEN_PATH, 0));
    if (fd < 0) return;
    const rule = new DataView(new ArrayBuffer(12));
    rule.setInt32(8, fd, true);
    // Rights on folders are refused for a file.
    for (const wanted of [rights, rights & FILE_ONLY]) {
      rule.setBigUint64(0, wanted, true);
      if (this.#rule(ruleset, RULE.path, rule.buffer)) break;
    }
    this.#common.close(fd);
  }

  #allowPort(ruleset: number, port: number, right: bigint): void {
    this.#rule(ruleset, RULE.port, new BigUint64Array([right, BigInt(port)]).buffer);
  }

  #rule(ruleset: number, kind: number, rule: ArrayBuffer): boolean {
    const { addRule } = this.#linux!;
    return longOf(addRule(CALL.addRule, ruleset, kind, new Uint8Array(rule), 0)) === 0n;
  }
}

/** TCP ports that may be used; absent where any may be. A name needs DNS, which may come over TCP. */
function portsOf({ net, listens }: Access): { connect?: number[]; bind?: number[] } {
  const bind = [...new Set([...listens].map((place) => Number(/:(\d+)$/.exec(place)?.[1] ?? 0)))];
  if (net === undefined) return { bind };
  const ports = [...net].map((host) => Number(/:(\d+)$/.exec(host)?.[1] ?? NaN));
  return ports.some(Number.isNaN) ? { bind } : { bind, connect: [53, ...ports] };
}
