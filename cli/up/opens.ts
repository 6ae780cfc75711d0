// Converts what a `framelane.yaml` opens to options of `queries` and `camera`: the launcher runs this before
// the command and reads its one line. It checks nothing, since the command reports faults of the file.
import { parse } from "yaml";
import { fillIn } from "./yaml_text.ts";

type Given = Readonly<Record<string, unknown>>;

export function optionsOf(content: string, environment: (name: string) => string | undefined) {
  let file: Given;
  try {
    file = mapOf(parse(content, { logLevel: "silent", maxAliasCount: 1_000 }));
  } catch {
    // The command reports its faults.
    file = {};
  }
  const words: string[] = [];
  const add = (option: string, value: unknown) => {
    if (typeof value !== "string" && typeof value !== "number") return;
    words.push(`--${option}=${fillIn(String(value), environment)}`);
  };
  for (const name of ["log", "checkpoint", "state", "zones"]) add(name, file[name]);
  const viewer = file["viewer"];
  add("port", viewer === "off" ? viewer : mapOf(viewer)["port"]);
  add("host", mapOf(viewer)["host"]);
  for (const camera of listOf(file["cameras"]).map(mapOf)) {
    add("source", camera["source"]);
    add("tls-ca", camera["tlsCa"]);
  }
  for (const sink of listOf(file["alerts"])) add("sink", sink);
  for (const query of listOf(file["queries"]).map(mapOf)) {
    for (const name of ["model", "zones"]) add(name, query[name]);
    for (const sink of listOf(query["sinks"])) add("sink", sink);
  }
  const names = listOf(file["queries"]).map((query) => mapOf(query)["query"]);
  return [...words, "--", ...names.filter((name) => typeof name === "string")];
}

function mapOf(value: unknown): Given {
  return typeof value === "object" && value !== null ? value as Given : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

if (import.meta.main) {
  let content = "";
  try {
    content = await Deno.readTextFile(Deno.args[0]!);
  } catch {
    // The command reports a missing file.
  }
  const line = JSON.stringify(optionsOf(content, (name) => Deno.env.get(name)));
  await Deno.stdout.write(new TextEncoder().encode(line));
}
