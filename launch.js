// Made by `deno task docs:cli` of launch.ts and its modules. SHA-256 of all: 2847a38cf9d7a28ed45fdd1e944bd4011d7023e8c4fa5ce376c3abd5f35640b2
// cli/launch/arguments.ts
var EXECUTORS = "FRAMELANE_EXECUTOR_PERMISSIONS";
var OFF = [
  "false",
  "0",
  "no"
];
function tokensOf(argv, options) {
  const tokens = [];
  const formOf = (name) => Object.hasOwn(options, name) ? options[name] : void 0;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    if (word === "--") {
      for (const value2 of argv.slice(i + 1)) tokens.push({
        kind: "positional",
        value: value2
      });
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      tokens.push({
        kind: "positional",
        value: word
      });
      continue;
    }
    const equals = word.indexOf("=");
    const flag = equals < 0 ? word : word.slice(0, equals);
    const given = flag.startsWith("--") ? flag.slice(2) : flag;
    const negated = given.startsWith("no-") && formOf(given) === void 0 && formOf(given.slice(3)) !== void 0;
    const name = negated ? given.slice(3) : given;
    const form = flag.startsWith("--") ? formOf(name) : void 0;
    const takesNext = form !== void 0 && !form.switch && !negated && equals < 0;
    const value = equals >= 0 ? word.slice(equals + 1) : takesNext ? argv[++i] : void 0;
    tokens.push({
      kind: "option",
      name,
      flag,
      negated,
      ...value === void 0 ? {} : {
        value
      }
    });
  }
  return tokens;
}
function optionText(name, form, argv, environment) {
  const given = tokensOf(argv, {
    [name]: form
  }).flatMap((token) => token.kind === "option" && token.name === name ? [
    token
  ] : []).at(-1);
  if (given === void 0) return environment(environmentName(name));
  return form.switch ? String(!given.negated) : given.value;
}
function asksForHelp(argv) {
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.includes("--help") || words.includes("-h");
}
function environmentName(option) {
  return `FRAMELANE_${option.toUpperCase().replaceAll("-", "_")}`;
}

// cli/launch/child.ts
async function startChild(program, args, faults = []) {
  const child = new Deno.Command(program, {
    args: [
      ...args
    ],
    ...faults.length === 0 ? {} : {
      env: {
        FRAMELANE_LAUNCH_FAULTS: JSON.stringify(faults)
      }
    }
  }).spawn();
  for (const signal of Deno.build.os === "windows" ? [
    "SIGINT"
  ] : [
    "SIGINT",
    "SIGTERM"
  ]) {
    Deno.addSignalListener(signal, () => signal === "SIGTERM" && child.kill(signal));
  }
  return (await child.status).code;
}

// runtime/base/folders.ts
function unfinishedOf(path) {
  return `${path}.unfinished`;
}
var SEPARATOR = Deno.build.os === "windows" ? /[\\/]/ : /\//;
function isWithin(path, folder) {
  return path.startsWith(folder) && (path.length === folder.length || SEPARATOR.test(folder.at(-1)) || SEPARATOR.test(path[folder.length]));
}
function overlap(a, b) {
  return isWithin(a, b) || isWithin(b, a);
}

// cli/launch/paths.ts
var WINDOWS = Deno.build.os === "windows";
function absolute(path, base) {
  const text2 = WINDOWS ? path.replaceAll("\\", "/") : path;
  const whole = text2.startsWith("/") || /^[a-z]:\//i.test(text2) ? text2 : `${base}/${text2}`;
  const drive = /^[a-z]:/i.exec(whole)?.[0] ?? "";
  const parts = [];
  for (const part of whole.slice(drive.length).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `${drive}/${parts.join("/")}`;
}
function parentOf(path) {
  const end = path.lastIndexOf("/");
  return end <= 0 ? "/" : path.slice(0, end);
}
function realPath(path) {
  let rest = "";
  for (let place = path; ; place = parentOf(place)) {
    try {
      const real = Deno.realPathSync(place).replaceAll("\\", "/");
      return rest === "" ? real : real.replace(/\/$/, "") + rest;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) return path;
      if (!(error instanceof Deno.errors.NotFound) && !(error instanceof Deno.errors.NotADirectory)) {
        throw error;
      }
      if (place === "/") return path;
      rest = place.slice(place.lastIndexOf("/")) + rest;
    }
  }
}
function isThere(path) {
  try {
    Deno.realPathSync(path);
    return true;
  } catch {
    return false;
  }
}
function statOf(path) {
  try {
    return Deno.statSync(path);
  } catch {
    return void 0;
  }
}

// cli/launch/seccomp.ts
var X86 = Deno.build.arch === "x86_64";
var CALLS = X86 ? {
  ioctl: 16,
  socket: 41,
  seccomp: 317,
  ioUringSetup: 425,
  audit: 3221225534
} : {
  ioctl: 29,
  socket: 198,
  seccomp: 277,
  ioUringSetup: 425,
  audit: 3221225655
};
var OTHER_CALLS = 1073741824;
var [LOAD, AND, EQUAL, AT_LEAST, RETURN] = [
  32,
  84,
  21,
  53,
  6
];
var [CALL, PROCESSOR, FIRST, SECOND] = [
  0,
  4,
  16,
  24
];
var ALLOW = 2147418112;
var REFUSE = 327680 | 13;
var AF_UNIX = 1;
var KIND = 15;
var SOCK_SEQPACKET = 5;
var TYPING = [
  21522,
  21532
];
function systemCallFilter() {
  const program = [
    [
      LOAD,
      PROCESSOR
    ],
    [
      EQUAL,
      CALLS.audit,
      0,
      14
    ],
    [
      LOAD,
      CALL
    ],
    [
      AT_LEAST,
      OTHER_CALLS,
      12
    ],
    [
      EQUAL,
      CALLS.ioUringSetup,
      11
    ],
    [
      EQUAL,
      CALLS.socket,
      1
    ],
    [
      EQUAL,
      CALLS.ioctl,
      5,
      8
    ],
    [
      LOAD,
      FIRST
    ],
    [
      EQUAL,
      AF_UNIX,
      0,
      6
    ],
    [
      LOAD,
      SECOND
    ],
    [
      AND,
      KIND
    ],
    [
      EQUAL,
      SOCK_SEQPACKET,
      3,
      4
    ],
    [
      LOAD,
      SECOND
    ],
    [
      EQUAL,
      TYPING[0],
      2
    ],
    [
      EQUAL,
      TYPING[1],
      1
    ],
    [
      RETURN,
      ALLOW
    ],
    [
      RETURN,
      REFUSE
    ]
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

// cli/launch/kernel.ts
var LIBRARIES = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
  "/usr/lib/libSystem.B.dylib"
];
var INT = {
  struct: [
    "i32"
  ]
};
var LONG = {
  struct: [
    "i64"
  ]
};
var intOf = ({ buffer }) => new Int32Array(buffer)[0];
var longOf = ({ buffer }) => new BigInt64Array(buffer)[0];
var SYMBOLS = {
  open: {
    parameters: [
      "buffer",
      "i32",
      "u32"
    ],
    result: INT
  },
  close: {
    parameters: [
      "i32"
    ],
    result: INT
  },
  mkdir: {
    parameters: [
      "buffer",
      "u32"
    ],
    result: INT
  },
  unlink: {
    parameters: [
      "buffer"
    ],
    result: INT
  },
  rename: {
    parameters: [
      "buffer",
      "buffer"
    ],
    result: INT
  },
  setenv: {
    parameters: [
      "buffer",
      "buffer",
      "i32"
    ],
    result: INT
  },
  execv: {
    parameters: [
      "buffer",
      "buffer"
    ],
    result: INT
  },
  // Says where a buffer lies: it moves nothing.
  memmove: {
    parameters: [
      "buffer",
      "buffer",
      "usize"
    ],
    result: LONG
  }
};
var LINUX = {
  prctl: {
    parameters: [
      "i32",
      "u64",
      "u64",
      "u64",
      "u64"
    ],
    result: INT
  },
  createRuleset: {
    name: "syscall",
    parameters: [
      "i64",
      "buffer",
      "usize",
      "u32"
    ],
    result: LONG
  },
  addRule: {
    name: "syscall",
    parameters: [
      "i64",
      "i32",
      "i32",
      "buffer",
      "u32"
    ],
    result: LONG
  },
  restrictSelf: {
    name: "syscall",
    parameters: [
      "i64",
      "i32",
      "u32"
    ],
    result: LONG
  },
  seccomp: {
    name: "syscall",
    parameters: [
      "i64",
      "u32",
      "u32",
      "buffer"
    ],
    result: LONG
  }
};
var CALL2 = {
  createRuleset: 444n,
  addRule: 445n,
  restrictSelf: 446n
};
var PR_SET_NO_NEW_PRIVS = 38;
var SECCOMP_SET_MODE_FILTER = 1;
var SPEC_ALLOW = 4;
var RULE = {
  path: 1,
  port: 2
};
var OPEN_PATH = 2097152 | 524288;
var CREATE = 1 | 64 | 512 | 524288;
var RIGHT = {
  execute: 1n,
  writeFile: 2n,
  readFile: 4n,
  readDir: 8n,
  ioctl: 1n << 15n
};
var REFER = 1n << 13n;
var TRUNCATE = 1n << 14n;
var BIND = 1n;
var CONNECT = 2n;
var READ = RIGHT.readFile | RIGHT.readDir;
var WRITE = RIGHT.writeFile | 0x7ff0n;
var FILE_ONLY = RIGHT.execute | RIGHT.writeFile | RIGHT.readFile | TRUNCATE | RIGHT.ioctl;
var SCOPES = 3n;
var SYSTEM = [
  ...[
    "/usr",
    "/lib",
    "/lib64",
    "/nix/store",
    "/proc",
    "/sys",
    "/run/systemd/resolve"
  ],
  ...[
    ...[
      "resolv.conf",
      "hosts",
      "host.conf",
      "nsswitch.conf",
      "gai.conf",
      "services",
      "protocols"
    ],
    ...[
      "ld.so.cache",
      "localtime",
      "timezone",
      "os-release",
      "alpine-release",
      "passwd",
      "group"
    ],
    ...[
      "ssl",
      "ca-certificates",
      "pki",
      "alternatives",
      "OpenCL",
      "vulkan",
      "fonts"
    ]
  ].map((name) => `/etc/${name}`)
];
var LOADERS = [
  "/lib64/ld-linux-x86-64.so.2",
  "/lib/ld-linux-aarch64.so.1",
  "/lib/ld-musl-x86_64.so.1",
  "/lib/ld-musl-aarch64.so.1"
];
var DEVICES = [
  ...[
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "pts",
    "shm",
    "dri",
    "kfd"
  ],
  ...[
    "nvidia0",
    "nvidia1",
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-caps"
  ]
].map((name) => `/dev/${name}`);
var encoder = new TextEncoder();
var text = (value) => encoder.encode(`${value}\0`);
var CLibrary = class _CLibrary {
  #common;
  /** Absent where the kernel has no Landlock. */
  #linux;
  /** Version of Landlock; 0 where there is none. */
  version = 0;
  constructor(path) {
    if (Deno.build.os !== "linux") {
      this.#common = Deno.dlopen(path, SYMBOLS).symbols;
      return;
    }
    const linux = Deno.dlopen(path, {
      ...SYMBOLS,
      ...LINUX
    }).symbols;
    this.#common = linux;
    this.version = Number(longOf(linux.createRuleset(CALL2.createRuleset, null, 0n, 1)));
    if (this.version > 0) this.#linux = linux;
  }
  /** Undefined if the C library is unknown. */
  static open() {
    const path = LIBRARIES.find(isThere);
    return path === void 0 ? void 0 : new _CLibrary(path);
  }
  /** Sets a variable for the program that is started; with `replace` 0 only where it is not set. */
  setEnvironment(name, value, replace = 1) {
    this.#common.setenv(text(name), text(value), replace);
  }
  makeFolder(path, mode) {
    if (path === "/" || isThere(path)) return;
    this.makeFolder(parentOf(path), 511);
    this.#common.mkdir(text(path), mode);
  }
  /** Makes the unfinished files that a run writes, since a rule of Landlock needs them; returns their final names. */
  makeFiles({ write }) {
    const { open, close } = this.#common;
    const names = new Set(write.map(({ path }) => path));
    return [
      ...names
    ].filter((path) => {
      if (!names.has(unfinishedOf(path))) return false;
      const file = intOf(open(text(unfinishedOf(path)), CREATE, 438));
      if (file >= 0) close(file);
      return file >= 0;
    });
  }
  /** Gives a file its final name if it is whole, or removes it. */
  finishFile(path, isWhole) {
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
  confine(access, read, executable) {
    const linux = this.#linux;
    if (linux === void 0) return;
    const rights = this.#rights();
    const ports = portsOf(access);
    const handled = new BigUint64Array([
      rights,
      this.version >= 4 ? (ports.connect ? CONNECT : 0n) | (ports.bind ? BIND : 0n) : 0n,
      this.version >= 6 ? SCOPES : 0n
    ]);
    const size = this.version >= 6 ? 24n : this.version >= 4 ? 16n : 8n;
    const ruleset = Number(longOf(linux.createRuleset(CALL2.createRuleset, handled, size, 0)));
    if (ruleset < 0) throw new Error("Cannot make a Landlock ruleset");
    const allow = (path, wanted) => this.#allow(ruleset, path, wanted & rights);
    const shown = [
      ...SYSTEM,
      ...read,
      ...access.read,
      ...access.replaced
    ];
    for (const path of access.everything ? [
      "/"
    ] : shown) allow(path, READ);
    for (const path of [
      executable,
      ...LOADERS
    ]) allow(path, RIGHT.execute | RIGHT.readFile);
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
    if (longOf(linux.restrictSelf(CALL2.restrictSelf, ruleset, 0)) !== 0n) {
      throw new Error("Cannot put Landlock's rules into force");
    }
    const filter = systemCallFilter();
    const program = new BigUint64Array([
      BigInt(filter.length / 8),
      this.#placeOf(filter)
    ]);
    linux.seccomp(BigInt(CALLS.seccomp), SECCOMP_SET_MODE_FILTER, SPEC_ALLOW, program);
  }
  #placeOf(buffer) {
    return longOf(this.#common.memmove(buffer, buffer, 0n));
  }
  /** Starts a program in place of this one: the same process, the same terminal, the same signals. */
  execute(program, args) {
    const words = [
      program,
      ...args
    ].map(text);
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
    throw new Error(`Cannot start ${program}`);
  }
  /** The rights that this version knows. */
  #rights() {
    let rights = RIGHT.execute | READ | WRITE;
    if (this.version < 2) rights &= ~REFER;
    if (this.version < 3) rights &= ~TRUNCATE;
    if (this.version >= 5) rights |= RIGHT.ioctl;
    return rights;
  }
  #allow(ruleset, path, rights) {
    const fd = intOf(this.#common.open(text(path), OPEN_PATH, 0));
    if (fd < 0) return;
    const rule = new DataView(new ArrayBuffer(12));
    rule.setInt32(8, fd, true);
    for (const wanted of [
      rights,
      rights & FILE_ONLY
    ]) {
      rule.setBigUint64(0, wanted, true);
      if (this.#rule(ruleset, RULE.path, rule.buffer)) break;
    }
    this.#common.close(fd);
  }
  #allowPort(ruleset, port, right) {
    this.#rule(ruleset, RULE.port, new BigUint64Array([
      right,
      BigInt(port)
    ]).buffer);
  }
  #rule(ruleset, kind, rule) {
    const { addRule } = this.#linux;
    return longOf(addRule(CALL2.addRule, ruleset, kind, new Uint8Array(rule), 0)) === 0n;
  }
};
function portsOf({ net, streams, listens }) {
  const bind = [
    ...new Set([
      ...listens
    ].map((place) => Number(/:(\d+)$/.exec(place)?.[1] ?? 0)))
  ];
  if (net === void 0) return {
    bind
  };
  const ports = [
    ...net
  ].map((host) => Number(/:(\d+)$/.exec(host)?.[1] ?? NaN));
  return ports.some(Number.isNaN) ? {
    bind
  } : {
    bind,
    connect: [
      53,
      ...ports,
      ...streams
    ]
  };
}

// cli/launch/packages.ts
var INSTALLED = "node_modules/.deno/.setup-cache.bin";
function packagesAreMissing(root) {
  const locked = timeOf(`${root}/deno.lock`);
  return locked !== void 0 && (timeOf(`${root}/${INSTALLED}`) ?? 0) < locked;
}
var COMMANDS = "node_modules/.bin";
function packagesNeedWork(root) {
  return packagesAreMissing(root) || isThere(`${root}/${COMMANDS}`);
}
function compiledMark(root, cache) {
  return `${cache}/gen/file${root}/.compiled`;
}
function codeIsStale(root, cache) {
  const compiled = timeOf(compiledMark(root, cache));
  return compiled === void 0 || compiled < (timeOf(`${root}/.git/logs/HEAD`) ?? 0);
}
function timeOf(path) {
  return statOf(path)?.mtime?.getTime();
}

// runtime/base/access.ts
var RELAY_PORTS = Array.from({
  length: 256
}, (_, i) => 39554 + i);
function moduleOf(uri, amongFiles) {
  const [, path, rest] = /^((?:\.{0,2}\/|file:\/\/)[^?#]*?\.[cm]?[jt]s)(?=[:?#]|$)(.*)$/s.exec(uri) ?? [];
  if (path === void 0 || rest === void 0) return void 0;
  return amongFiles && !rest.startsWith(":") ? void 0 : {
    path,
    rest
  };
}
function openedBy(table, uri) {
  const module = moduleOf(uri, table[""] !== void 0);
  if (module !== void 0) return {
    opens: "module",
    target: module.path,
    url: "",
    options: []
  };
  const scheme = /^([a-z][a-z0-9+]+):/i.exec(uri)?.[1]?.toLowerCase() ?? "";
  const known = scheme !== "" && Object.hasOwn(table, scheme) ? table[scheme] : void 0;
  const { target: opens, ports = [], mark = "?", options = {} } = known ?? table[""] ?? {};
  const rest = known === void 0 ? uri : uri.slice(scheme.length + 1);
  const end = rest.indexOf(mark);
  const target = end < 0 ? rest : rest.slice(0, end);
  const parameters = new URLSearchParams(end < 0 ? "" : rest.slice(end + 1));
  return {
    opens,
    ports,
    target,
    url: target.startsWith("//") ? uri : URL.canParse(target) ? target : "",
    options: Object.entries(options).flatMap(([name, word]) => {
      const value = parameters.get(name);
      return value === null ? [] : [
        [
          word,
          value
        ]
      ];
    })
  };
}
var DEFAULT_PORTS = {
  "http:": 80,
  "https:": 443,
  "rtsp:": 554,
  "rtsp+udp:": 554,
  "rtsps:": 322
};
function isHost(text2) {
  const [, host, port = ""] = /^(\[[\da-f:.]+\]|(?:\*\.)?[\w-]+(?:\.[\w-]+)*\.?)(?:\/\d{1,3})?(?::(\d+))?$/i.exec(text2) ?? [];
  return host !== void 0 && Number(port) <= 65535 && (!host.startsWith("[") || URL.canParse(`http://${host}`));
}
function hostsOf(url, ports = []) {
  const { hostname, port, protocol } = new URL(url);
  const own = port || DEFAULT_PORTS[protocol];
  return [
    own ?? [],
    ports
  ].flat().map((one) => `${hostname}:${one}`);
}

// cli/launch/access.ts
function fileRow({ commands }) {
  const [queries, camera] = [
    commands["queries"],
    commands["camera"]
  ];
  const source = {
    opens: "source"
  };
  return {
    ...queries,
    options: {
      ...camera.options,
      source,
      ...queries.options
    }
  };
}
var AccessPlan = class {
  access = {
    read: /* @__PURE__ */ new Set(),
    replaced: /* @__PURE__ */ new Set(),
    write: [],
    net: /* @__PURE__ */ new Set(),
    everything: false,
    listens: /* @__PURE__ */ new Set(),
    streams: /* @__PURE__ */ new Set(),
    libraries: /* @__PURE__ */ new Set(),
    code: /* @__PURE__ */ new Set(),
    named: /* @__PURE__ */ new Set()
  };
  #table;
  #base;
  #without;
  #host = "127.0.0.1";
  /**
   * @param base the current folder.
   * @param without words that open nothing here; `sink` stands for what the command always writes to as well.
   */
  constructor(table, base, without = []) {
    this.#table = table;
    this.#base = base;
    this.#without = without;
  }
  /** Reads a command's arguments and environment. */
  of(row, argv, environment) {
    const forms = {
      ...row.options
    };
    for (const name of row.switches) forms[name] = {
      switch: true
    };
    for (const name of Object.keys(row.options)) forms[name] = {};
    const given = /* @__PURE__ */ new Map();
    const positionals = [];
    for (const token of tokensOf(argv, forms)) {
      if (token.kind === "positional") positionals.push(token.value);
      else if (token.value !== void 0) {
        given.set(token.name, [
          ...given.get(token.name) ?? [],
          token.value
        ]);
      }
    }
    const valuesOf = (name) => {
      const option = row.options[name];
      const text2 = environment(environmentName(name));
      const fallback = text2 === void 0 || text2 === "" ? option?.default : text2;
      if (fallback === void 0) return given.get(name) ?? [];
      return given.get(name) ?? (option?.multiple ? fallback.split(/\s+/) : [
        fallback
      ]);
    };
    this.#host = valuesOf("host")[0] ?? this.#host;
    const listed = (word2) => Object.keys(row.options).some((name) => row.options[name].opens === word2 && valuesOf(name).length > 0);
    for (const [name, { opens }] of Object.entries(row.options)) {
      if (opens === void 0 || this.#without.includes(opens)) continue;
      for (const value of valuesOf(name)) this.#open(opens, value, `--${name} ${value}`);
    }
    const [action = "", ...rest] = positionals;
    const wide = new Map(Object.entries(row.wide ?? {})).get(action) ?? [];
    if (wide.includes("net") && !listed("hosts")) this.access.net = void 0;
    if (wide.includes("read") && !listed("paths-read")) this.access.everything = true;
    const words = row.positionals;
    const [word, values] = typeof words === "object" ? [
      Object.hasOwn(words, action) ? words[action] : void 0,
      rest
    ] : [
      words,
      positionals
    ];
    if (word !== void 0) {
      for (const value of values) this.#open(word, value, value);
    }
    if (row.local) this.#net("127.0.0.1");
    const listens = row.listens !== void 0 && !this.#without.includes("listen");
    if (listens && valuesOf("port").length === 0) {
      this.#listen(this.#host, String(row.listens));
    }
    if (!this.#without.includes("sink")) {
      for (const folder of row.writes ?? []) this.#open("folder", folder, folder);
    }
    return this.access;
  }
  #open(word, value, why) {
    if (value.trim() === "") return;
    const path = absolute(value, this.#base);
    const { access } = this;
    switch (word) {
      case "folder":
        access.write.push({
          path,
          why
        });
        return;
      case "file":
        for (const each of [
          path,
          unfinishedOf(path)
        ]) {
          access.write.push({
            path: each,
            why,
            kind: "file"
          });
        }
        return this.#parent(path, why);
      case "database":
        for (const end of [
          "",
          "-wal",
          "-shm",
          "-journal"
        ]) {
          access.write.push({
            path: path + end,
            why,
            kind: "database"
          });
        }
        return this.#parent(path, why);
      case "file-folder":
        access.write.push({
          path: parentOf(path),
          why
        });
        return;
      case "read":
        access.read.add(path);
        return;
      case "clips":
        access.read.add(statOf(path)?.isFile ? parentOf(path) : path);
        return;
      case "beside":
        access.read.add(parentOf(path));
        return;
      case "model":
        access.read.add(parentOf(path));
        if (!value.endsWith(".onnx") || !isThere(path)) return;
        return this.#open("file", `${parentOf(path)}/model.json`, why);
      case "query":
        if (!/\.[cm]?[jt]s$/.test(value)) return void access.named.add(value);
        access.read.add(projectOf(path));
        access.code.add(path);
        return;
      case "log":
        return this.#log(value, why);
      case "sink":
        return this.#uri(this.#table.sinks, value, why);
      case "source":
        return this.#uri(this.#table.sources, value, why);
      case "listen":
        return this.#listen(this.#host, value);
      case "metrics":
        return this.#listen("127.0.0.1", value);
      case "hosts":
        for (const host of value.split(",")) this.#net(host);
        return;
      case "paths-read":
        for (const part of value.split(",")) access.read.add(absolute(part, this.#base));
        return;
      case "paths-write":
        for (const part of value.split(",")) this.#open("folder", part, why);
        return;
      case "libraries":
        for (const part of value.split(",")) access.libraries.add(absolute(part, this.#base));
    }
  }
  /** The folder of a file, where that has to be made. */
  #parent(path, why) {
    const folder = parentOf(path);
    if (!isThere(folder)) this.access.write.push({
      path: folder,
      why
    });
  }
  #listen(host, port) {
    if (!/^\d+$/.test(port)) return;
    const place = `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
    const gate = sameHosts(place).length === 1 ? sameHosts("127.0.0.1") : [];
    for (const one of [
      ...sameHosts(place),
      ...gate
    ]) {
      this.access.listens.add(one);
      this.access.net?.add(one);
    }
  }
  #net(host) {
    if (host === "any") this.access.net = void 0;
    for (const one of sameHosts(host)) this.access.net?.add(one);
  }
  #log(url, why) {
    const [, place, query = ""] = /^([^?]*)\??(.*)$/s.exec(url);
    const parameters = new URLSearchParams(query);
    if (place.startsWith("embedded:")) {
      return this.#open("folder", place.slice("embedded:".length), why);
    }
    const hosts = /^kafka:\/\/(?:[^/]*@)?([^/]*)/s.exec(place)?.[1] ?? "";
    for (const host of hosts.split(",")) {
      if (host !== "") this.#net(host.replace(/:\d+$/, ""));
    }
    for (const name of [
      "ca",
      "cert",
      "key"
    ]) {
      const file = parameters.get(name);
      if (file !== null) this.access.read.add(absolute(file, this.#base));
    }
    const token = parameters.get("token");
    if (token !== null) this.access.read.add(parentOf(absolute(token, this.#base)));
  }
  #uri(table, uri, why) {
    const { access } = this;
    const { opens, target, url, ports, options } = openedBy(table, uri);
    const hosts = URL.canParse(url) ? hostsOf(url, ports) : [];
    for (const [word, value] of options) this.#open(word, value, why);
    switch (opens) {
      case "folder":
        return this.#open("folder", target && (target.replace(/(?:^|\/)[^/]*\{query\}.*$/s, "") || "."), why);
      case "file":
        return this.#open("file-folder", target, why);
      case "read":
        return this.#open("read", target.replace(/^\/\/(?=\/)/, ""), why);
      case "device":
        return this.#open("read", "/dev", why);
      case "module":
        return this.#open("query", target.replace(/^file:\/\//, ""), why);
      case "host":
        return hosts.forEach((host) => this.#net(host));
      case "stream":
        for (const host of hosts) {
          access.streams.add(Number(/\d+$/.exec(host)[0]));
          this.#net(host);
        }
        if (hosts.length === 0) return;
        const ipv6 = hosts.some((host) => host.startsWith("["));
        for (const relay of RELAY_PORTS) {
          access.streams.add(relay);
          for (const name of ipv6 ? [
            "127.0.0.1",
            "[::1]"
          ] : [
            "127.0.0.1"
          ]) {
            access.listens.add(`${name}:${relay}`);
            access.net?.add(`${name}:${relay}`);
          }
        }
    }
  }
};
function sameHosts(host) {
  if (!isHost(host)) return [];
  const [, name, port = ""] = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.exec(host) ?? [];
  return name === void 0 ? [
    host
  ] : [
    "localhost",
    "127.0.0.1",
    "[::1]"
  ].map((one) => one + port);
}
function projectOf(file) {
  for (let folder = parentOf(file); folder !== "/"; folder = parentOf(folder)) {
    for (const name of [
      "deno.json",
      "deno.jsonc",
      "package.json"
    ]) {
      if (isThere(`${folder}/${name}`)) return folder;
    }
  }
  return parentOf(file);
}

// cli/launch/guard.ts
var CODE = [
  ...[
    "main.ts",
    "launch.ts",
    "launch.js",
    "deno.json",
    "deno.lock",
    "package.json",
    "cli",
    "cameras"
  ],
  ...[
    "runtime",
    "queries",
    "viewer",
    "models",
    "clips",
    "tools",
    "tests",
    "bench",
    "docs"
  ],
  ...[
    "node_modules",
    ".git",
    ".ci",
    "deploy",
    "Dockerfile",
    "compose.yaml"
  ]
];
function writableCode(access, { root, authors, others }) {
  if (access.write.length === 0) return [];
  const links = new Set([
    ...Deno.readDirSync(root)
  ].filter(({ isSymlink }) => isSymlink).map(({ name }) => name));
  const places = CODE.filter((name) => !authors.includes(name)).map((name) => links.has(name) ? realPath(`${root}/${name}`) : `${root}/${name}`).concat(others);
  const own = [
    ...access.code
  ].map(realPath);
  const faults = /* @__PURE__ */ new Set();
  for (const { path, why, kind } of access.write) {
    const real = realPath(kind === "database" ? parentOf(path) : path);
    const code = places.find((place) => overlap(real, place)) ?? own.find((file) => isWithin(file, real));
    if (code === void 0) continue;
    faults.add(`Cannot write to ${JSON.stringify(real)} for ${why}: expected a folder without code, and ${code} is ${isWithin(real, code) ? "above it" : "in it"}`);
  }
  return [
    ...faults
  ];
}

// cli/launch/native.ts
var { os, arch } = Deno.build;
var PLATFORM = {
  linux: "linux",
  darwin: "darwin",
  windows: "win32"
}[os] ?? os;
var CPU = arch === "x86_64" ? "x64" : "arm64";
var PLACES = {
  jpeg: [
    {
      packages: [
        "@julusian/jpeg-turbo"
      ],
      folders: [
        "",
        "-musl"
      ].map((libc) => `prebuilds/jpeg-turbo-${PLATFORM}-${CPU}${libc}`)
    }
  ],
  sharp: [
    "",
    "musl"
  ].map((libc) => ({
    packages: [
      "sharp",
      `@img/sharp-${PLATFORM}${libc}-${CPU}`
    ],
    folders: [
      "lib"
    ]
  })),
  ffmpeg: (PLATFORM === "win32" ? [
    "",
    "-mingw"
  ] : [
    ""
  ]).map((kind) => ({
    packages: [
      "node-av",
      `@seydx/node-av-${PLATFORM}-${CPU}${kind}`
    ],
    folders: [
      ""
    ]
  })),
  onnx: [
    {
      packages: [
        "onnxruntime-node"
      ],
      folders: [
        `bin/napi-v6/${PLATFORM}/${CPU}`
      ]
    }
  ]
};
function ifThere(call) {
  try {
    return call();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
    throw error;
  }
}
function packageFolder(name, from) {
  for (let folder = from; ; folder = parentOf(folder)) {
    const place = `${folder === "/" ? "" : folder}/node_modules/${name}`;
    const real = ifThere(() => Deno.realPathSync(place));
    if (real !== void 0) return real.replaceAll("\\", "/");
    if (parentOf(folder) === folder) return void 0;
  }
}
function libraryFiles(names, root) {
  const files = [];
  for (const { packages, folders } of names.flatMap((name) => PLACES[name])) {
    let place = root;
    for (const name of packages) place &&= packageFolder(name, place);
    if (place === void 0) continue;
    for (const folder of folders.map((name) => name === "" ? place : `${place}/${name}`)) {
      for (const { name, isFile } of ifThere(() => [
        ...Deno.readDirSync(folder)
      ]) ?? []) {
        if (isFile && /\.node$|^libturbojpeg\./.test(name)) {
          files.push(`${folder}/${name}`);
        }
      }
    }
  }
  return files;
}

// cli/launch/plan.ts
var NOT_FOR_EXECUTORS = [
  "source",
  "database",
  "listen",
  "metrics"
];
var NOTHING = {
  switches: [],
  options: {}
};
var C_LIBRARY = [
  "/etc/alpine-release",
  "/usr/bin/ldd"
];
function planLaunch(argv, surroundings) {
  const { base, root, environment } = surroundings;
  const [name = "", ...rest] = argv;
  const table = tableOf(root);
  const known = Object.hasOwn(table.commands, name) ? table.commands[name] : NOTHING;
  const { native, hidesEnvironment } = known;
  const help = asksForHelp(rest);
  const row = help ? {
    ...NOTHING,
    ...native && {
      native
    },
    ...hidesEnvironment && {
      hidesEnvironment
    }
  } : known;
  let inFile = [];
  let file;
  if (row.file !== void 0) {
    const forms = Object.fromEntries(Object.keys(row.options).map((name2) => [
      name2,
      {}
    ]));
    const given = tokensOf(rest, forms).find(({ kind }) => kind === "positional");
    file = absolute(given?.value ?? row.file, base);
    inFile = fileOptions(file, root);
  }
  const accessWithout = (words) => {
    const plan = new AccessPlan(table, base, words);
    if (inFile.length > 0) plan.of(fileRow(table), inFile, () => void 0);
    return plan.of(row, rest, environment);
  };
  const access = accessWithout([]);
  if (file !== void 0) {
    access.read.add(file);
    access.replaced.add(parentOf(file));
    if (realPath(file) !== file) access.read.add(parentOf(file));
  }
  const cache = denoCache(surroundings);
  const others = [
    cache,
    realPath(Deno.execPath())
  ];
  const faults = [
    ...writableCode(access, {
      root,
      others,
      authors: row.authors ?? []
    }),
    // Deno takes lists of paths, and a comma always separates two.
    ...[
      ...access.read,
      ...access.write.map(({ path }) => path)
    ].filter((path) => path.includes(",")).map((path) => `Cannot open ${JSON.stringify(path)}: expected a path without a comma`)
  ];
  const runsModels = native?.includes("onnx") === true;
  const codecs = libraryFiles(row.native?.filter((name2) => name2 !== "onnx") ?? [], root);
  const onnx = runsModels ? libraryFiles([
    "onnx"
  ], root) : [];
  const own = [
    ...access.libraries
  ];
  for (const file2 of [
    ...codecs,
    ...onnx
  ]) access.libraries.add(file2);
  const reads = [
    packagesAround(root),
    ...row.native === void 0 ? [] : C_LIBRARY
  ];
  const withLinks = linksFollowed();
  const flags = flagsFor(row, access, {
    reads,
    writable: faults.length === 0,
    withLinks
  });
  const executors = help || !runsModels ? void 0 : executorPermissions(accessWithout(NOT_FOR_EXECUTORS), accessWithout([
    ...NOT_FOR_EXECUTORS,
    "sink"
  ]), {
    reads,
    writable: faults.length === 0,
    withLinks,
    libraries: [
      ...own,
      ...codecs
    ],
    onnx
  });
  const queries = [
    ...access.named
  ].filter((name2) => !Object.hasOwn(table.queries, name2)).map((name2) => `${root}/queries/${name2}.ts`);
  const checked = !OFF.includes(optionText("check", {
    switch: true
  }, rest, environment) ?? "");
  return {
    ...{
      row,
      access,
      flags,
      reads,
      executors,
      cache,
      faults
    },
    queries: checked ? [
      ...access.code,
      ...queries
    ] : []
  };
}
function tableOf(root) {
  return JSON.parse(Deno.readTextFileSync(`${root}/cli/launch/table.json`));
}
function fileOptions(file, root) {
  const read = [
    packagesAround(root),
    file
  ].join(",");
  const program = `${root}/cli/up/opens.${isThere(`${root}/main.ts`) ? "ts" : "js"}`;
  const { stdout, success } = new Deno.Command("deno", {
    args: [
      ...[
        "run",
        "--quiet",
        "--no-prompt",
        "--node-modules-dir=manual",
        "--cached-only"
      ],
      ...[
        `--allow-read=${read}`,
        "--allow-env=FRAMELANE_*",
        "--ignore-env",
        program,
        file
      ]
    ],
    stderr: "inherit"
  }).outputSync();
  return success ? JSON.parse(new TextDecoder().decode(stdout)) : [];
}
function packagesAround(root) {
  const end = root.lastIndexOf("/node_modules/");
  return end < 0 ? root : `${root.slice(0, end)}/node_modules`;
}
function denoCache({ base, environment }) {
  const home = environment("HOME") ?? environment("USERPROFILE") ?? "/";
  const caches = {
    darwin: `${home}/Library/Caches`,
    windows: environment("LOCALAPPDATA") ?? `${home}/AppData/Local`
  }[Deno.build.os] ?? environment("XDG_CACHE_HOME") ?? `${home}/.cache`;
  return realPath(absolute(environment("DENO_DIR") ?? `${caches}/deno`, base));
}
function flagsFor(row, access, { reads, writable, withLinks }) {
  const write = writable ? access.write.map(({ path }) => path) : [];
  const flags = [
    "--no-prompt",
    "--node-modules-dir=manual",
    "--cached-only",
    "--deny-import"
  ];
  if (row.v8 !== void 0) flags.push(`--v8-flags=${row.v8}`);
  const allow = (kind, values) => {
    const list = [
      ...new Set(values)
    ].filter((value) => !value.includes(","));
    if (list.length > 0) flags.push(`--allow-${kind}=${list.join(",")}`);
  };
  if (access.everything) flags.push("--allow-read");
  else allow("read", withLinks([
    ...reads,
    ...access.read,
    ...write
  ]));
  allow("write", withLinks(write));
  if (access.net === void 0) flags.push("--allow-net");
  else allow("net", access.net);
  flags.push("--allow-env=FRAMELANE_*");
  if (row.hidesEnvironment) flags.push("--ignore-env");
  allow("ffi", access.libraries);
  allow("run", row.runs ?? []);
  allow("sys", row.sys ?? []);
  return flags;
}
function executorPermissions(all, base, { reads, writable, withLinks, libraries, onnx }) {
  const paths = (access) => writable ? access.write.map(({ path }) => path) : [];
  const always = withLinks(paths(base));
  return {
    always: {
      read: all.everything ? true : withLinks([
        ...reads,
        ...all.read
      ]).concat(always),
      write: always,
      net: base.net === void 0 ? true : [
        ...base.net
      ],
      env: [],
      ffi: libraries,
      run: false,
      sys: false,
      import: false
    },
    ifNeeded: {
      write: [
        ...new Set(paths(all))
      ].filter((path) => !always.includes(path)).map((path) => ({
        path,
        forms: withLinks([
          path
        ])
      })),
      net: [
        ...all.net ?? []
      ].filter((host) => !base.net?.has(host)),
      onnx,
      env: [
        "FRAMELANE_WEBHOOK_SECRET"
      ]
    }
  };
}
function linksFollowed() {
  const known = /* @__PURE__ */ new Map();
  return (paths) => paths.flatMap((path) => {
    const real = known.get(path) ?? realPath(path);
    known.set(path, real);
    return real === path ? [
      path
    ] : [
      path,
      real
    ];
  });
}
function writtenFolders({ write }) {
  return write.map(({ path, kind, why }) => ({
    path: kind === void 0 ? path : parentOf(path),
    mode: why.startsWith("--log") ? 448 : 511
  }));
}

// cli/launch/types.ts
var REMEMBER = "const [folder, ...names] = Deno.args; Deno.mkdirSync(folder, { recursive: true }); for (const name of names) Deno.writeTextFileSync(`${folder}/${name}`, '');";
async function typesAreRight(files, { root, config, cache }) {
  const folder = `${cache}/framelane-checked`;
  const unchecked = /* @__PURE__ */ new Map();
  for (const file of files.map(realPath)) {
    const stat = statOf(file);
    if (stat === void 0) continue;
    const name = await nameOf([
      file,
      root,
      stat.mtime?.getTime(),
      stat.size,
      Deno.version.deno
    ]);
    if (!isThere(`${folder}/${name}`)) unchecked.set(file, name);
  }
  if (unchecked.size === 0) return true;
  const deno = (...args) => new Deno.Command("deno", {
    args,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit"
  }).output();
  const flags = [
    `--config=${config}`,
    "--no-lock"
  ];
  const { success } = await deno("check", "--quiet", ...flags, ...unchecked.keys());
  if (success) {
    await new Deno.Command("deno", {
      args: [
        "eval",
        "--no-config",
        REMEMBER,
        folder,
        ...unchecked.values()
      ]
    }).output();
  } else console.error("Cannot start a query whose types are wrong; --no-check starts it as it is");
  return success;
}
async function nameOf(parts) {
  const bytes = new TextEncoder().encode(JSON.stringify(parts));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex().slice(0, 32);
}

// launch.ts
var FILES_MADE = "FRAMELANE_LAUNCH_FILES_MADE";
async function launch() {
  const root = realPath(import.meta.dirname.replaceAll("\\", "/"));
  const compiled = !isThere(`${root}/main.ts`);
  if (!compiled && packagesNeedWork(root) && !await runTool(root, "install")) Deno.exit(1);
  const { access, cache, executors, faults, flags, queries, reads, row } = planLaunch(Deno.args, {
    base: Deno.cwd().replaceAll("\\", "/"),
    root,
    environment: (name) => Deno.env.get(name)
  });
  const entry = compiled ? [
    `--config=${root}/deno.json`,
    `${root}/main.js`
  ] : [
    `${root}/main.ts`
  ];
  const args = [
    "run",
    ...flags,
    ...entry,
    ...Deno.args
  ];
  const program = realPath(Deno.execPath());
  const config = `${root}/${compiled ? "types" : "deno"}.json`;
  if (!await typesAreRight(queries, {
    root,
    config,
    cache
  })) Deno.exit(2);
  if (!compiled && row.native !== void 0 && codeIsStale(root, cache)) {
    await runTool(root, "compile", cache);
  }
  const library = CLibrary.open();
  if (library === void 0) Deno.exit(await startChild("deno", args, faults));
  if (faults.length > 0) library.setEnvironment("FRAMELANE_LAUNCH_FAULTS", JSON.stringify(faults));
  else for (const { path, mode } of writtenFolders(access)) library.makeFolder(path, mode);
  if (row.native !== void 0) {
    if (faults.length === 0) await withNewFiles(library, access, root);
    library.confine(access, [
      ...reads,
      cache
    ], program);
  }
  if (executors !== void 0) library.setEnvironment(EXECUTORS, JSON.stringify(executors));
  library.setEnvironment("ORT_DISABLE_TELEMETRY", "1");
  library.setEnvironment("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0);
  library.execute(program, args);
}
async function withNewFiles(library, access, root) {
  if (library.version === 0 || Deno.env.has(FILES_MADE)) return;
  const made = library.makeFiles(access);
  if (made.length === 0) return;
  library.setEnvironment(FILES_MADE, "1");
  const flags = [
    "-q",
    "--no-prompt",
    "--no-lock",
    "--no-npm",
    "--no-code-cache",
    "-P=launch"
  ];
  const launcher = [
    `--config=${root}/deno.json`,
    import.meta.filename,
    ...Deno.args
  ];
  const code = await startChild("deno", [
    "run",
    ...flags,
    ...launcher
  ]);
  for (const path of made) {
    library.finishFile(path, code === 0 && (statOf(unfinishedOf(path))?.size ?? 0) > 0);
  }
  Deno.exit(code);
}
async function runTool(root, name, ...args) {
  const flags = [
    "-q",
    "--no-lock",
    "--no-npm",
    "--no-prompt",
    "-P=develop"
  ];
  const { success } = await new Deno.Command("deno", {
    args: [
      "run",
      ...flags,
      `--config=${root}/deno.json`,
      `${root}/tools/${name}.ts`,
      ...args
    ],
    stderr: "inherit"
  }).output();
  return success;
}
await Promise.resolve().then(launch);
