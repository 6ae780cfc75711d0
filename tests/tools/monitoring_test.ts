/** Alert rules, dashboard and manifests in `deploy/` fit what runs: metrics as scraped, Kubernetes' own schemas. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { Service } from "kubernetes-models/v1/Service";
import { parse, parseAllDocuments } from "yaml";
import { parseCommand } from "../../cli/command.ts";
import { commands } from "../../cli/registry.ts";
import { ROOT } from "../../tools/paths.ts";
import { withFolder } from "../support/folder.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { until } from "../support/until.ts";

// Loaded here: native libraries that come with some commands stay loaded.
const loaded = new Map(
  await Promise.all(
    ["camera", "queries", "viewer"].map(async (name) =>
      [name, await commands[name]!.load()] as const
    ),
  ),
);
const read = (file: string) => Deno.readTextFile(join(ROOT, "deploy", file));

interface Rules {
  groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
}
interface Dashboard {
  panels: { title: string; targets: { expr: string }[] }[];
  templating: { list: { query: string }[] };
}

/** Metrics and labels that a query names; fails where it is no PromQL. */
function namesIn(query: string): { metrics: string[]; labels: string[] } {
  const text = query.replaceAll("$__rate_interval", "5m");
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(text).iterate({
    enter({ type, from, to }) {
      assert.ok(!type.isError, `${text} is no PromQL at ${from}`);
      const word = text.slice(from, to);
      if (type.name === "Identifier") metrics.push(word);
      if (type.name === "LabelName") labels.push(word);
    },
  });
  assert.ok(metrics.length > 0, text);
  return { metrics, labels };
}

/** What a page of metrics has: each metric with the labels of its samples. */
function scraped(pages: readonly string[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const line of pages.join("\n").split("\n")) {
    const [, name, kind] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    if (name !== undefined) {
      for (const end of kind === "histogram" ? ["_bucket", "_sum", "_count"] : [""]) {
        found.set(name + end, new Set());
      }
    }
    const [, sample, labels] = /^(\w+)\{(.*)\} /.exec(line) ?? [];
    for (const [, label] of (labels ?? "").matchAll(/(\w+)="/g)) found.get(sample!)?.add(label!);
  }
  return found;
}

Deno.test("alerts and dashboard ask for metrics and labels that are there", async () => {
  const rules = parse(await read("prometheus/alerts.yaml")) as Rules;
  const { panels, templating } = JSON.parse(await read("grafana/framelane.json")) as Dashboard;
  const alerts = rules.groups.flatMap(({ rules }) => rules);
  const asked = [
    ...alerts.map(({ expr }) => expr),
    ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...templating.list.flatMap(({ query }) => /^label_values\((.*), \w+\)$/.exec(query)?.[1] ?? []),
  ];
  assert.ok(alerts.length >= 8 && asked.length >= 30);
  for (const { annotations } of alerts) assert.ok(annotations["summary"]);
  await withFolder(async (folder) => {
    const log = ["--log", `embedded:${folder}/log`];
    const camera = new FramelaneProcess(
      [
        "camera",
        "1",
        "--source",
        "pattern:?size=64x48",
        "--fps",
        "20",
        "--metrics-port",
        "0",
        ...log,
      ],
      { cwd: folder },
    );
    const queries = new FramelaneProcess(
      ["queries", "greyscale", "--port", "0", "--starting-offsets", "earliest", ...log],
      { cwd: folder },
    );
    try {
      const pageOf = async (process: FramelaneProcess, pattern: RegExp) => {
        await process.until("its address", ({ said }) => said.some((line) => pattern.test(line)));
        return pattern.exec(process.said.join("\n"))![1]!;
      };
      const urls = [
        await pageOf(camera, /Metrics at (\S+)/),
        `${await pageOf(queries, /Viewer: (\S+)/)}metrics`,
      ];
      const pages = () => Promise.all(urls.map(async (url) => await (await fetch(url)).text()));
      await until(
        "frames in both pages",
        async () =>
          (await pages()).every((page) => /(published|processed)_total\{.*\} [1-9]/.test(page)),
      );
      const found = scraped(await pages());
      const possible = new Set([...found.values()].flatMap((labels) => [...labels]));
      possible.add("reason").add("sink");
      for (const query of asked) {
        const { metrics, labels } = namesIn(query);
        for (const metric of metrics) assert.ok(found.has(metric), `${query}: no metric ${metric}`);
        for (const label of labels) assert.ok(possible.has(label), `${query}: no label ${label}`);
      }
    } finally {
      await camera.kill();
      await queries.kill();
    }
  });
});

const KINDS = { ConfigMap, Deployment, PodDisruptionBudget, Service, StatefulSet };

interface Workload {
  spec: { template: { spec: { containers: Container[] } } };
}
interface Container {
  args: string[];
  command?: string[];
  readinessProbe?: object;
  livenessProbe?: object;
  resources?: { requests?: object; limits?: object };
}

Deno.test("the manifests fit the schemas of Kubernetes, and start what the command line takes", async () => {
  const documents = parseAllDocuments(await read("kubernetes/framelane.yaml"))
    .map((document) => {
      assert.deepEqual(document.errors, []);
      return document.toJS() as { kind: keyof typeof KINDS; metadata: { name: string } };
    });
  assert.ok(documents.length >= 7);
  for (const document of documents) {
    const Kind = KINDS[document.kind] as new (data: object) => { validate(): void };
    assert.ok(Kind, document.kind);
    new Kind(document).validate();
  }
  const wrong = { apiVersion: "apps/v1", kind: "Deployment", spec: { replicas: "two" } };
  assert.throws(() => new Deployment(wrong as never).validate(), /replicas/);
  for (const document of documents) {
    if (!["Deployment", "StatefulSet"].includes(document.kind)) continue;
    const [container] = (document as unknown as Workload).spec.template.spec.containers;
    const { args, command, livenessProbe, resources } = container!;
    assert.ok(livenessProbe && resources?.requests && resources.limits, document.metadata.name);
    const words = command === undefined ? args : args[0]!.split("framelane ").at(-1)!.trim()
      .replace("$number", "1").split(" ");
    const [name, ...rest] = words;
    await parseCommand(
      loaded.get(name!)!,
      rest,
      (variable) =>
        ({ FRAMELANE_SOURCE: "rtsp://camera/1", FRAMELANE_LOG: "kafka://kafka:9092" })[variable],
    );
  }
});
