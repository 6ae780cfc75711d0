// `deno task test:brokers [NAME…]`: runs the log contract on brokers of many versions and vendors,
// and writes the table of docs/kafka.md.
import { writeLine } from "../../../cli/output.ts";
import { BROKER_VARIABLE } from "../../../tools/broker.ts";
import { ensure } from "../../../tools/debian.ts";
import { ifThere } from "../../../runtime/base/folders.ts";
import { closingLine } from "../../../tools/junit.ts";
import { startCluster } from "../../support/cluster.ts";
import { startKfake } from "./kfake.ts";
import { copyJars, KAFKA_VERSION } from "../../../tools/kafka/kit.ts";
import { startZooKeeper } from "./zookeeper.ts";
import { join, ROOT } from "../../../tools/paths.ts";
import { run } from "../../../tools/run.ts";
import { runTests } from "../../../tools/test.ts";
import { checkUsage } from "../../../tools/usage.ts";

const CONTRACT = "tests/runtime/log/kafka_log_kafka_test.ts";
const TABLE = join(ROOT, "docs", "kafka.md");
const say = (line: string): void => void writeLine(Deno.stderr, line);

interface Broker {
  readonly bootstrap: string;
  stop(): Promise<void>;
}

interface Candidate {
  readonly name: string;
  /** A missing feature that Framelane reports. */
  readonly without?: string;
  readonly start: () => Promise<Broker>;
}

function apache(version: string, kind: "ZooKeeper" | "KRaft"): Candidate {
  const properties = {
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 100,
    // On a busy machine a lone broker may miss its ZooKeeper for seconds, and has no controller then.
    ...(kind === "ZooKeeper" ? { "zookeeper.session.timeout.ms": 30_000 } : {}),
  };
  return {
    name: `Apache Kafka ${version}, ${kind}`,
    start: () =>
      startCluster({
        ...{ version, properties, say, nodes: 1 },
        ...(kind === "ZooKeeper" ? { zooKeeper: startZooKeeper } : {}),
      }),
  };
}

function kfake(what: string, highest: Readonly<Record<number, number>> = {}): Candidate {
  return { name: `franz-go's kfake, ${what}`, start: () => startKfake(highest) };
}

/** The newest version of Apache Kafka on Maven Central. */
async function newestKafka(): Promise<string> {
  const dir = await Deno.makeTempDir();
  try {
    const newer = `[${KAFKA_VERSION},)`;
    await copyJars(dir, newer, ["-DincludeArtifactIds=kafka_2.13", "-DexcludeTransitive=true"]);
    for await (const { name } of Deno.readDir(dir)) {
      const version = /^kafka_2\.13-(.+)\.jar$/.exec(name)?.[1];
      if (version !== undefined) return version;
    }
    throw new Error(`Cannot find a version of Apache Kafka in ${newer} on Maven Central`);
  } finally {
    await ifThere(Deno.remove(dir, { recursive: true }));
  }
}

async function candidates(): Promise<Candidate[]> {
  return [
    { ...apache("2.8.2", "ZooKeeper"), without: "owners of checkpoints (DescribeTransactions)" },
    apache("3.0.2", "ZooKeeper"),
    apache("3.3.2", "KRaft"),
    apache("3.9.1", "ZooKeeper"),
    apache("3.9.1", "KRaft"),
    apache("4.0.1", "KRaft"),
    apache("4.1.1", "KRaft"),
    apache(await newestKafka(), "KRaft"),
    kfake("three brokers"),
    kfake("Produce 7, Fetch 11, ListOffsets 4, Metadata 7, OffsetFetch 7, FindCoordinator 3", {
      ...{ 0: 7, 1: 11, 2: 4, 3: 7, 9: 7, 10: 3 },
    }),
    kfake("ListOffsets 4, FindCoordinator 3, JoinGroup 6, LeaveGroup 4", {
      ...{ 2: 4, 10: 3, 11: 6, 13: 4 },
    }),
    kfake("Produce 7, Fetch 6, Metadata 5, OffsetCommit 8, OffsetFetch 5, JoinGroup 5", {
      ...{ 0: 7, 1: 6, 3: 5, 8: 8, 9: 5, 10: 3, 11: 5, 12: 3, 13: 3, 14: 3 },
    }),
  ];
}

/** Merges rows into the table of a page, in the order of `names`. */
export function withRows(
  page: string,
  rows: ReadonlyMap<string, string>,
  names: readonly string[],
): string {
  const [head, table = "", tail = ""] = page.split(
    /(?<=<!-- brokers -->\n)|(?=<!-- \/brokers -->)/,
  );
  const known = new Map(
    [...table.matchAll(/^\| (?!-|broker )(.+?) +\| (.+?) +\|$/gm)].map(([, name, result]) =>
      [name!, result!] as const
    ),
  );
  const lines = [...new Map([...known, ...rows])]
    .sort(([a], [b]) => names.indexOf(a) - names.indexOf(b))
    .map(([name, result]) => `| ${name} | ${result} |`);
  return `${head}\n| broker | contract of the log |\n| --- | --- |\n${lines.join("\n")}\n\n${tail}`;
}

if (import.meta.main) {
  checkUsage(
    "deno task test:brokers [NAME…]",
    "Runs the log contract on all brokers, or those whose name contains a NAME: Apache Kafka from " +
      "Maven Central and franz-go's kfake, built by Go. Writes the table of docs/kafka.md.",
    [],
  );
  await ensure(["java", "maven", "kcat", "go"], { say });
  const total = { passed: 0, failed: 0 };
  const rows = new Map<string, string>();
  const all = await candidates();
  const names = all.map(({ name }) => name);
  const chosen = all.filter(({ name }) =>
    Deno.args.length === 0 || Deno.args.some((part) => name.includes(part))
  );
  for (const { name, without, start } of chosen) {
    say(`${name}:`);
    const broker = await start();
    try {
      Deno.env.set(BROKER_VARIABLE, broker.bootstrap);
      const { passed, failed } = await runTests({ filters: [CONTRACT] });
      total.passed += passed;
      total.failed += failed;
      const lacks = without === undefined ? "" : `; without ${without}`;
      rows.set(name, `${passed} of ${passed + failed}${lacks}`);
    } finally {
      await broker.stop();
    }
    await Deno.writeTextFile(TABLE, withRows(await Deno.readTextFile(TABLE), rows, names));
  }
  await run(Deno.execPath(), ["fmt", "-q", TABLE]);
  writeLine(Deno.stdout, closingLine(total));
  Deno.exit(total.failed === 0 && rows.size > 0 ? 0 : 1);
}
