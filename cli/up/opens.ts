// Converts what a `framelane.yaml` opens to options of `queries` and `camera`: the launcher runs this before
// the command and reads its one line. It checks nothing, since the command reports faults of the file.
import { readGiven } from "../../runtime/base/given_file.ts";
import { YamlText } from "./yaml_text.ts";

/** Fields that open something, and their options. */
const OPTIONS: Readonly<Record<string, string>> = {
  log: "log",
  checkpoint: "checkpoint",
  state: "state",
  zones: "zones",
  model: "model",
  source: "source",
  tlsCa: "tls-ca",
  sinks: "sink",
  alerts: "sink",
  host: "host",
  port: "port",
  viewer: "port",
};

export function optionsOf(
  content: string,
  environment: (name: string) => string | undefined,
): string[] {
  const words: string[] = [];
  const queries: string[] = [];
  const read = (value: unknown, field: string) => {
    if (Array.isArray(value)) value.forEach((one) => read(one, field));
    else if (typeof value === "object" && value !== null) {
      for (const [name, one] of Object.entries(value)) if (name !== "parameters") read(one, name);
    } else if (field === "query" && typeof value === "string") queries.push(value);
    else if (Object.hasOwn(OPTIONS, field) && /string|number/.test(typeof value)) {
      // One that holds a variable without a value names no place: the command reports it.
      if (!/\$\{FRAMELANE_/.test(`${value}`)) words.push(`--${OPTIONS[field]}=${value}`);
    }
  };
  read(new YamlText(content, environment).value, "");
  return [...words, "--", ...queries];
}

if (import.meta.main) {
  let content = "";
  try {
    content = readGiven(Deno.args[0]!);
  } catch {
    // The command reports a missing file.
  }
  const line = JSON.stringify(optionsOf(content, (name) => Deno.env.get(name)));
  await Deno.stdout.write(new TextEncoder().encode(line));
}
