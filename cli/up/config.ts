// The fields of `framelane.yaml`, for reading and for editors.
import { type SettingRow, SETTINGS } from "../../cameras/settings.ts";
import { checkOverload, type OverloadPolicy } from "../../runtime/definition/overload.ts";
import { type Option, parsers } from "../command.ts";
import { parseSource, publishOptions, stateOption } from "../camera_options.ts";
import { DEFAULT_LOG, DEFAULT_TOPIC } from "../log_options.ts";
import { querySpecOptions } from "../query_specs.ts";
import { viewerAccessOptions } from "../viewer_access.ts";
import { maskUrl } from "../../runtime/base/mask.ts";
import { PLACES, readPlaces } from "../../queries/operators/zones/file.ts";
import { messageOf } from "../../runtime/base/errors.ts";
import type { Fields } from "../../runtime/base/fields.ts";
import {
  boolean,
  either,
  type Entry,
  type Field,
  list,
  map,
  scalar,
  scalars,
  type Schema,
  type Shape,
  text,
} from "./shape.ts";
import { YamlText } from "./yaml_text.ts";

const isText = (value: unknown) => typeof value === "string";
const required = <T>(shape: Shape<T>) => ({ ...shape, required: true as const });

function integer(description: string, minimum: number, maximum?: number): Shape<number> {
  const schema = { type: "integer", description, minimum, ...(maximum && { maximum }) };
  return scalar(schema, parsers.integer(minimum, maximum));
}

function fieldOf<T>(
  { help, parse, show }: Omit<Option, "parse"> & { readonly parse: (text: string) => T },
  type: Schema["type"] = "string",
): Shape<T> {
  return scalar({ type, description: help }, parse, show);
}

/** One value or several: a list, or text with blanks between them, as in an environment variable. */
function oneOrList<T>(shape: Shape<T>, description: string): Shape<T[]> {
  const readText = (fields: Fields, name: string, value: unknown): T[] =>
    (typeof value === "string" ? value.trim().split(/\s+/) : [value])
      .flatMap((one) => shape.read(fields, name, one) ?? []);
  return {
    schema: { anyOf: [shape.schema, list(shape, description).schema] },
    read: (fields, name, value) =>
      Array.isArray(value)
        ? value.flatMap((one, index) => readText(fields, `${name}[${index}]`, one))
        : readText(fields, name, value),
  };
}

const topic = fieldOf(publishOptions.topic);
const sink = fieldOf(querySpecOptions.sink);
const sinkList = list(sink, "Sinks that replace the query's own");

/** Converts flags such as `open-timeout` to field names: `openTimeout`. */
export const camel = (flag: string) => flag.replace(/-./g, (end) => end[1]!.toUpperCase());

/** Camera settings by field name; `setting` is the name in the registry. */
const settings = Object.entries(SETTINGS).map(([setting, row]) => ({
  setting,
  name: camel(row.flag),
  field: settingField(row as SettingRow<unknown>),
}));

function settingField({ help, value, parse }: SettingRow<unknown>): Shape<unknown> {
  if (value === undefined) return boolean(help);
  return scalar({ type: ["string", "number"], description: help }, parse ?? ((given) => given));
}

const camera = {
  number: required(integer("n of CAMERA-n; it publishes to partition n − 1", 1, 10_000)),
  source: required(
    scalar({ type: "string", description: "Source of its frames" }, parseSource, maskUrl),
  ),
  topic,
  ...Object.fromEntries(settings.map(({ name, field }) => [name, field])),
} as {
  readonly number: Field<number> & { required: true };
  readonly source: Field<string> & { required: true };
  readonly topic: Field<string>;
};

const overload: Shape<OverloadPolicy> = {
  schema: {
    description: "Policy when frames arrive faster than they are processed",
    anyOf: [
      { enum: ["wait", "drop-oldest", "latest", "sample"] },
      {
        type: "object",
        required: ["kind"],
        additionalProperties: false,
        properties: {
          kind: { enum: ["wait", "drop-oldest", "latest", "sample"] },
          maxLagFrames: { type: "integer", minimum: 1 },
          every: { type: "integer", minimum: 2 },
        },
      },
    ],
  },
  read: (fields, name, value) =>
    attempt(fields, name, () => checkOverload(value as OverloadPolicy)),
};

const partitions: Shape<"all" | number[]> = either(
  isText,
  scalar({ const: "all" }, parsers.oneOf("all")),
  list(integer("partition", 0), "Partitions to read (default: all)"),
);

const startingOffsetsOption = querySpecOptions["starting-offsets"];
const startingOffsets = {
  schema: {
    description: startingOffsetsOption.help,
    anyOf: [{ type: "string" }, { type: "object" }],
  },
  read: (fields: Fields, name: string, value: unknown) =>
    typeof value === "object" && value !== null
      ? attempt(fields, name, () => startingOffsetsOption.parse(JSON.stringify(value)))
      : fieldOf(startingOffsetsOption).read(fields, name, value),
};

/** Zones and lines, in a file or inline. */
const zones: Shape<string | object> = either<string, object>(isText, text("File of zones"), {
  schema: {
    type: "object",
    description: "Zones and lines, as in a file of zones",
    properties: { zones: { type: "array" }, lines: { type: "array" } },
  },
  read(fields, name, value) {
    readPlaces(fields.object(name, PLACES, value));
    return value as object;
  },
});

function attempt<T>(fields: Fields, name: string, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    fields.fault(name, messageOf(error));
  }
}

const query = {
  query: required(text("A query of queries/, or the path of a .ts file")),
  name: scalar(
    {
      type: "string",
      description: "Its name in lanes and checkpoints (default: the query's own)",
    },
    parsers.text(
      (name) => /^[a-zA-Z0-9_-]{1,100}$/.test(name),
      "1 to 100 letters, digits, underscores or hyphens",
    ),
  ),
  topic,
  partitions,
  parameters: scalars("Parameters that the query declares"),
  model: text(querySpecOptions.model.help),
  device: fieldOf(querySpecOptions.device),
  zones,
  sinks: sinkList,
  overload,
  trigger: fieldOf(querySpecOptions.trigger),
  startingOffsets,
  maxFramesPerTrigger: integer(querySpecOptions["max-frames-per-trigger"].help, 1),
  failOnDataLoss: boolean(querySpecOptions["fail-on-data-loss"].help),
  group: text(querySpecOptions.group.help),
};

const viewer = {
  port: integer("Port of the viewer", 0, 65_535),
  host: fieldOf(viewerAccessOptions.host),
  token: oneOrList(fieldOf(viewerAccessOptions.token), viewerAccessOptions.token.help),
  proxyHosts: list(fieldOf(viewerAccessOptions["proxy-host"]), "Reverse proxies"),
  embedOrigins: list(fieldOf(viewerAccessOptions["embed-origin"]), "Pages that may embed"),
};

const file = {
  log: fieldOf(publishOptions.log),
  topic,
  topics: list(topic, "Topics that the viewer shows; the first one is the default topic"),
  cameras: list(map(camera, "A camera"), "The cameras"),
  queries: list(map(query, "A query"), "The queries"),
  executors: integer(
    "Worker threads that run the queries; 0 runs everything in the main thread",
    0,
    256,
  ),
  zones,
  viewer: either(
    isText,
    scalar({ const: "off" }, parsers.oneOf("off")),
    map(viewer, "The viewer; off for none"),
  ),
  alerts: list(sink, "Sinks for the alerts of all queries, such as webhook:URL"),
  checkpoint: text(querySpecOptions.checkpoint.help),
  state: text(stateOption.state.help),
};

export type QueryEntry = Entry<typeof query>;
/** A camera in the file, with its settings by field name. */
type CameraEntry = Entry<typeof camera>;
export type ViewerEntry = Entry<typeof viewer>;
export type Config = Entry<typeof file>;

/** The settings of a camera, by their names in the registry. */
export function cameraSettings(entry: CameraEntry): Record<string, unknown> {
  const given: Record<string, unknown> = { ...entry };
  return Object.fromEntries(
    settings.flatMap(({ setting, name }) =>
      given[name] === undefined ? [] : [[setting, given[name]]]
    ),
  );
}

const shape = map(file, "Log, cameras, queries and viewer for deno task up");

export function configSchema(): Schema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "framelane.yaml",
    ...shape.schema,
  };
}

/** Reads a file; returns its content, undefined after a fault, and its text with the faults. */
export function readConfig(
  content: string,
  environment: (name: string) => string | undefined,
): { readonly config: Config | undefined; readonly text: YamlText } {
  const text = new YamlText(content, environment);
  if (text.value === undefined) return { config: undefined, text };
  const [config, { faults }] = shape.readWhole(text.value);
  text.add(faults);
  return { config, text };
}

export const DEFAULTS = { log: DEFAULT_LOG, topic: DEFAULT_TOPIC, port: 8000 } as const;
