/** TLS and SASL, on brokers of the test's own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { LogError, TopicLog } from "../../../runtime/log/log.ts";
import {
  append,
  eventually,
  records,
  rejectsWith,
  take,
  text,
} from "../../contracts/log_contract_kit.ts";
import { FramelaneProcess } from "../../support/framelane.ts";
import { openPatiently, withKafka } from "../../support/kafka.ts";
import { until } from "../../support/until.ts";

const PASSWORD = "canary-correct-horse";
const WRONG = "canary-battery-staple";

/** A self-signed certificate: a store for the broker, and its public half for clients. */
async function certificate(dir: string, name: string, start: string): Promise<string> {
  const store = join(dir, `${name}.p12`);
  const keytool = async (...args: string[]) => {
    const { success, stdout, stderr } = await new Deno.Command("keytool", {
      args: [...args, "-alias", "broker", "-keystore", store, "-storepass", "changeit"],
    }).output();
    assert.ok(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  };
  await keytool(
    "-genkeypair",
    "-keyalg",
    "EC",
    "-storetype",
    "PKCS12",
    "-dname",
    `CN=${name}`,
    "-ext",
    "SAN=IP:127.0.0.1,DNS:localhost",
    "-startdate",
    start,
    "-validity",
    "2",
  );
  await keytool("-exportcert", "-rfc", "-file", join(dir, `${name}.pem`));
  return store;
}

async function roundTrip(url: string): Promise<void> {
  const log = await openPatiently(url);
  try {
    assert.ok(!log.url.includes("canary") && !log.url.includes("alice"), log.url);
    await log.createTopic("frames", 1);
    const { latest } = await log.offsets("frames", 0);
    await append(log, "frames", 0, records(3));
    const reader = await (await log.reader()).open("frames", 0, latest);
    assert.deepEqual((await take(reader, 3)).map((f) => text(f.value)), ["v0", "v1", "v2"]);
  } finally {
    await log.close();
  }
}

/** The login fails for good, soon, with the reason and without the password, wherever it is tried. */
async function refused(url: string, reason: RegExp): Promise<void> {
  const log = await openPatiently(url);
  try {
    const error = await rejectsWith("AUTHENTICATION_FAILED", () => log.topics());
    assert.equal(error.retryable, false);
    assert.match(error.message, reason);
    noSecretIn(error);
    noSecretIn(await rejectsWith("AUTHENTICATION_FAILED", () => firstUse(log)));
  } finally {
    await log.close();
  }
}

async function firstUse(log: TopicLog): Promise<unknown> {
  return await (await log.producer()).append("frames", 0, records(1));
}

/** Whatever the command, a refused login is its end, in the broker's words. */
async function everyCommandEnds(url: string, dir: string): Promise<void> {
  const log = ["--log", url, "--state", join(dir, "state")];
  const plan = join(dir, "plan.yaml");
  const camera = { number: 1, source: "pattern:" };
  const parts = { log: url, state: join(dir, "up"), viewer: { port: 0 }, cameras: [camera] };
  await Deno.writeTextFile(plan, JSON.stringify({ ...parts, queries: [{ query: "passthrough" }] }));
  const commands = [
    ["viewer", "--port", "0", ...log.slice(0, 2)],
    ["queries", "passthrough", "--port", "0", ...log.slice(0, 2)],
    ["camera", "1", "--source", "pattern:", ...log],
    ["cameras", "run", ...log],
    ["checkpoints", "list", ...log.slice(0, 2)],
    ["up", plan],
  ];
  for (const args of commands) {
    await until(`${args} to be refused`, async () => {
      await using process = new FramelaneProcess(args);
      await process.until("the end", ({ hasEnded }) => hasEnded);
      assert.equal(await process.ended(), 1, `${args}: ${process.output()}`);
      assert.ok(!process.output().includes("canary"), process.output());
      const refused = /refused the connection: user name or password is wrong/;
      // A command that looks once ends, too, where the broker has too much else to do to answer it.
      assert.match(process.output(), args[0] === "checkpoints" ? /refused|no .* within/ : refused);
      return refused.test(process.output());
    });
  }
}

function noSecretIn(error: LogError): void {
  for (let one: unknown = error; one !== undefined; one = (one as Error).cause) {
    const all = Deno.inspect(one, { depth: 10 }) + (one as Error).stack;
    assert.ok(!all.includes("canary"), "A password is in the error");
  }
}

Deno.test("Kafka over TLS with SASL", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const [store] = await Promise.all([
      certificate(dir, "good", "-1d"),
      certificate(dir, "other", "-1d"),
    ]);
    const security = {
      protocol: "SASL_SSL",
      certificateFile: store!,
      certificatePassword: "changeit",
      users: { alice: PASSWORD },
    } as const;
    await withKafka({ security }, async (kafka) => {
      const query = `?tls=true&ca=${join(dir, "good.pem")}&sasl=`;
      for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"]) {
        await roundTrip(`kafka://alice:${PASSWORD}@${kafka.bootstrap}${query}${mechanism}`);
        await refused(
          `kafka://alice:${WRONG}@${kafka.bootstrap}${query}${mechanism}`,
          /password is wrong/,
        );
      }
      const login = `kafka://alice:${PASSWORD}@${kafka.bootstrap}`;
      await refused(
        `${login}?tls=true&ca=${join(dir, "other.pem")}`,
        /certificate is not accepted/,
      );
      await refused(`${login}?tls=true`, /issuer is not trusted/);
      await refused(`kafka://${kafka.bootstrap}`, /requires TLS/);
      await everyCommandEnds(`kafka://alice:${WRONG}@${kafka.bootstrap}${query}plain`, dir);
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

/** A token as the unsecured login of Kafka's tests takes it: it is not signed. */
function token(lifeSeconds: number): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: unknown) =>
    btoa(JSON.stringify(value)).replace(/[=]/g, "").replaceAll("+", "-").replaceAll("/", "_");
  const claims = { sub: "alice", iat: now - 100, exp: now + lifeSeconds };
  return `${part({ alg: "none" })}.${part(claims)}.`;
}

Deno.test("Kafka with OAUTHBEARER: a token out of a file, which something renews", async () => {
  const dir = await Deno.makeTempDir();
  const module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
  try {
    await withKafka({
      security: { protocol: "SASL_PLAINTEXT", mechanisms: ["OAUTHBEARER"] },
      properties: {
        "listener.name.client.oauthbearer.sasl.jaas.config":
          `${module} required unsecuredLoginStringClaim_sub="broker";`,
        "connections.max.reauth.ms": 2_000,
      },
    }, async ({ bootstrap }) => {
      const file = join(dir, "token");
      const url = `kafka://${bootstrap}?sasl=oauthbearer&token=${file}`;
      await Deno.writeTextFile(file, token(60));
      await roundTrip(url);
      const log = await openPatiently(url);
      try {
        await log.topics();
        // The login ends after two seconds: then the file is read again.
        await Deno.writeTextFile(file, token(-50));
        const refused = async () => {
          try {
            await log.topics();
            return undefined;
          } catch (error) {
            return error as LogError;
          }
        };
        const error = await eventually("the end of the login", refused);
        assert.equal(error!.code, "AUTHENTICATION_FAILED");
        assert.match(error!.message, /the token was refused/);
        await Deno.writeTextFile(file, token(60));
        await log.topics();
      } finally {
        await log.close();
      }
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("an expired certificate is refused", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const store = await certificate(dir, "old", "-10d");
    const security = {
      protocol: "SSL",
      certificateFile: store,
      certificatePassword: "changeit",
    } as const;
    await withKafka({ security }, async (kafka) => {
      await refused(
        `kafka://${kafka.bootstrap}?tls=true&ca=${join(dir, "old.pem")}`,
        /certificate is not accepted: it has expired/,
      );
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
