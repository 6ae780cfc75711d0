import assert from "node:assert/strict";
import { maskSecrets } from "../../runtime/base/mask.ts";
import { type Arguments, parseCommand, UsageError } from "../../cli/command.ts";
import { viewerAccess, viewerAccessFaults, viewerAccessOptions } from "../../cli/viewer_access.ts";

const command = {
  name: "viewer",
  summary: "",
  options: viewerAccessOptions,
  check: ({ options }: Arguments<typeof viewerAccessOptions>) => viewerAccessFaults(options),
  run: () => Promise.resolve(0),
};

async function access(...argv: string[]) {
  return viewerAccess((await parseCommand(command, argv, () => undefined)).options);
}

Deno.test("the viewer listens to this machine alone, unless somebody guards it", async () => {
  assert.equal((await access()).hostname, "127.0.0.1");
  for (const host of ["0.0.0.0", "::", "192.168.0.9"]) {
    await assert.rejects(access("--host", host), UsageError);
    assert.equal((await access("--host", host, "--token", "t")).hostname, host);
    assert.equal((await access("--host", host, "--proxy-host", "wall.example")).hostname, host);
  }
  await assert.rejects(access("--token", "gate=1"), /set a token for all/);
  for (const host of ["a b", "0.0.0.0:80", "[::1]:80", "*.example", "x:", ":::"]) {
    await assert.rejects(
      access("--token=t", "--host", host),
      /^UsageError: Cannot use --host "/,
      host,
    );
  }
});

Deno.test("a wrong address is told by the name under which it was given", async () => {
  const environment = (name: string) => name === "FRAMELANE_HOST" ? "a b" : undefined;
  await assert.rejects(
    parseCommand(command, [], environment),
    /Cannot use FRAMELANE_HOST "a b": ex/,
  );
});

Deno.test("tokens, cameras and origins are read as they are written", async () => {
  const given = await access(
    "--token=all",
    "--token=m=metrics",
    "--token=a=b=1,3",
    "--token=c=2",
    "--embed-origin=https://house.example:8443",
  );
  assert.deepEqual(given, {
    hostname: "127.0.0.1",
    tokens: [
      { token: "all", opens: "all" },
      { token: "m", opens: "metrics" },
      { token: "a=b", opens: [1, 3] },
      { token: "c", opens: [2] },
    ],
    proxyHosts: [],
    embedOrigins: ["https://house.example:8443"],
  });
  for (const whole of ["gate=", "YQ==", "a=b", "gate=2nd", "gate=metropolis"]) {
    assert.deepEqual((await access("--token", whole)).tokens, [{ token: whole, opens: "all" }]);
  }
  await assert.rejects(access("--token=t", "--token=other"), /two tokens/);
  for (const more of ["t=1", "gate=1"]) {
    await assert.rejects(access("--token=t", "--token=gate=3", `--token=${more}`), /token twice/);
  }
  for (const wrong of ["house.example", "https://house.example/", "ftp://house.example"]) {
    await assert.rejects(access(`--embed-origin=${wrong}`), /expected an origin/, wrong);
  }
});

Deno.test("a mistyped token is refused, and not shown", async () => {
  const says = 'Cannot use --token "***": expected a token that is not blank and does not begin ' +
    "with =, alone or followed by what it opens: =1,3 (numbers of cameras from 1 up) or =metrics";
  assert.equal(maskSecrets(says), says, "the mask leaves what is accepted");
  for (
    const wrong of [
      ...["gate=0", "gate=1,0", "gate=1;2", "gate=1, 2", "gate=1,,2", "gate=,1", "gate=1-3"],
      ...["gate=1.", "gate=metric", "gate=metricss", "gate=Metrics", "gate=metrics_"],
      ...["=1,3", "=metrics", "=", "=gate", "==1", " =1"],
    ]
  ) {
    await assert.rejects(
      access(`--token=${wrong}`),
      (error: unknown) => error instanceof UsageError && error.faults.join() === says,
      wrong,
    );
  }
});
