// A filter of system calls (seccomp) for what Landlock does not cover: the program that the kernel runs at each.

const X86 = Deno.build.arch === "x86_64";
/** Numbers of system calls, and the kernel's name of the processor (linux/audit.h). */
export const CALLS = X86
  ? { ioctl: 16, socket: 41, seccomp: 317, ioUringSetup: 425, audit: 0xc000003e }
  : { ioctl: 29, socket: 198, seccomp: 277, ioUringSetup: 425, audit: 0xc00000b7 };
/** Numbers from here on are calls of another kind (x32). */
const OTHER_CALLS = 0x40000000;

/** Instructions of linux/filter.h: load a word, keep some bits, jump where equal, jump where at least, return. */
const [LOAD, AND, EQUAL, AT_LEAST, RETURN] = [0x20, 0x54, 0x15, 0x35, 0x06];
/** Where struct seccomp_data has the call's number, the processor, and its first two arguments. */
const [CALL, PROCESSOR, FIRST, SECOND] = [0, 4, 16, 24];
const ALLOW = 0x7fff0000;
const REFUSE = 0x00050000 | 13;

const AF_UNIX = 1;
/** Kind of socket, without flags. Services take others; the driver of NVIDIA's cards talks to itself by these. */
const KIND = 0xf;
const SOCK_SEQPACKET = 5;
/** Typing into a terminal, for the shell to run once this program has ended. */
const TYPING = [0x5412, 0x541c];

/**
 * Refuses sockets of this machine's services (D-Bus, Docker and the like start programs), typing into terminals,
 * io_uring (whose operations no filter sees), and system calls of another architecture.
 */
export function systemCallFilter(): Uint8Array<ArrayBuffer> {
  // Jumps are counted from the next instruction: where true, where false.
  const program: readonly (readonly [code: number, value: number, yes?: number, no?: number])[] = [
    [LOAD, PROCESSOR],
    [EQUAL, CALLS.audit, 0, 14],
    [LOAD, CALL],
    [AT_LEAST, OTHER_CALLS, 12],
    [EQUAL, CALLS.ioUringSetup, 11],
    [EQUAL, CALLS.socket, 1],
    [EQUAL, CALLS.ioctl, 5, 8],
    [LOAD, FIRST],
    [EQUAL, AF_UNIX, 0, 6],
    [LOAD, SECOND],
    [AND, KIND],
    [EQUAL, SOCK_SEQPACKET, 3, 4],
    [LOAD, SECOND],
    [EQUAL, TYPING[0]!, 2],
    [EQUAL, TYPING[1]!, 1],
    [RETURN, ALLOW],
    [RETURN, REFUSE],
  ];
  const bytes = new DataView(new ArrayBuffer(program.length * 8));
  for (const [i, [code, value, yes = 0, no = 0]] of program.entries()) {
    bytes.setUint16(i * 8, code, true);
    bytes.setUint8(i * 8 + 2, yes);
    bytes.setUint8(i * 8 + 3, no);
    bytes.setUint32(i * 8 + 4, value, true);
  }
  return new Uint8Array(bytes.buffer);
}
