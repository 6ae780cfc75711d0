/** The files in `deploy/` and the image say what docs/security.md claims. */
import assert from "node:assert/strict";
import { join, ROOT } from "../../tools/paths.ts";

const read = (file: string) => Deno.readTextFile(join(ROOT, file));

Deno.test("The seccomp profile refuses what is not listed, and lists nothing that leads outside", async () => {
  const profile = JSON.parse(await read("deploy/seccomp.json")) as {
    defaultAction: string;
    syscalls: { names: string[]; action: string; args?: unknown[] }[];
  };
  assert.equal(profile.defaultAction, "SCMP_ACT_ERRNO");
  const allowed = profile.syscalls.filter(({ action }) => action === "SCMP_ACT_ALLOW");
  const names = allowed.flatMap((entry) => entry.names);
  const outside = [
    "ptrace",
    "mount",
    "umount2",
    "unshare",
    "setns",
    "bpf",
    "init_module",
    "clone3",
  ];
  const more = [
    "process_vm_readv",
    "process_vm_writev",
    "keyctl",
    "perf_event_open",
    "userfaultfd",
  ];
  for (
    const name of [
      ...outside,
      ...more,
      "pivot_root",
      "chroot",
      "setuid",
      "reboot",
      "io_uring_setup",
    ]
  ) {
    assert.ok(!names.includes(name), name);
  }
  for (const name of ["landlock_restrict_self", "execve", "futex", "openat"]) {
    assert.ok(names.includes(name), name);
  }
  assert.ok(
    allowed.find((entry) => entry.names.includes("clone"))?.args,
    "clone makes no namespace",
  );
});

Deno.test("The unit starts the launcher, under an account of its own, with one folder to write to", async () => {
  const unit = await read("deploy/framelane@.service");
  for (
    const line of [
      ...[
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "DynamicUser=yes",
        "CapabilityBoundingSet=",
        "RestartPreventExitStatus=2",
      ],
      ...["StateDirectory=framelane", "SystemCallFilter=@system-service", "RestrictNamespaces=yes"],
    ]
  ) assert.ok(unit.split("\n").includes(line), line);
  assert.match(
    unit,
    /^ExecStart=\/usr\/bin\/deno run .* -P=launch \/opt\/framelane\/launch\.ts %i \$ARGS$/m,
  );
});

Deno.test("In the image the code belongs to root, and the command runs as another user", async () => {
  const lines = (await read("Dockerfile")).split("\n");
  const user = lines.indexOf("USER framelane");
  const copied = lines.filter((line) => line.startsWith("COPY"));
  assert.ok(user > lines.findLastIndex((line) => line.startsWith("COPY")));
  assert.ok(copied.every((line) => !line.includes("--chown")));
  assert.ok(lines.slice(user).includes('ENTRYPOINT ["framelane"]'));
  assert.match(
    await read("deploy/framelane.sh"),
    /^exec deno run .* -P=launch .*launch\.js" "\$@"$/m,
  );
  assert.equal(
    lines.filter((line) => line.startsWith("FROM")).length,
    2,
    "what builds is left behind",
  );
  const compose = await read("compose.yaml");
  for (const line of ["read_only: true", "cap_drop: [ALL]", "seccomp:deploy/seccomp.json"]) {
    assert.ok(compose.includes(line), line);
  }
});
