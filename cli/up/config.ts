// The fields of `framelane.yaml`, for reading and for editors: options of the command line, by their names in
// camel case.
import { PLACES, readPlaces } from "../../queries/operators/zones/file.ts";
import { messageOf } from "../../runtime/base/errors.ts";
import { Fields } from "../../runtime/base/fields.ts";
import { maskUrl } from "../../runtime/base/mask.ts";
import { FLAG, shown } from "../../runtime/base/options.ts";
import { checkOverload, type OverloadPolicy } from "../../runtime/definition/overload.ts";
import type { ParameterValue } from "../../runtime/definition/query_options.ts";
import { parseSource, settingOptions, stateOption } from "../camera_options.ts";
import { type Option, parsers, reasonOf, type Values } from "../command.ts";
import { logOption } from "../log_options.ts";
import { querySpecOptions } from "../query_specs.ts";
import { portOption, viewerAccessOptions } from "../viewer_access.ts";
import { YamlText } from "./yaml_text.ts";

type Schema = Readonly<Record<string, unknown>>;

/** An option in the file. */
interface FileOption extends Option {
  /** The text of a value that is neither text nor a number; undefined if it is not accepted. */
  readonly textOf?: (value: unknown) => string | undefined;
}
type FileOptions = Readonly<Record<string, FileOption>>;

const ACCEPTED = "text that is not empty, or a number";
const isScalar = (value: unknown) => typeof value === "string" || typeof value === "number";
const joined = (separator: string) => (value: unknown) =>
  Array.isArray(value) && value.every(isScalar) ? value.join(separator) : undefined;

const topic = { help: "Topic (default: that of the file)", parse: parsers.topic };
const { checkpoint, zones, set: _, ...specOptions } = querySpecOptions;

const fileOptions = {
  ...logOption,
  topic: { ...topic, help: "The default topic" },
  topics: {
    ...topic,
    help: "Topics that the viewer shows; the first one is the default topic",
    multiple: true,
  },
  executors: {
    help: "Worker threads that run the queries; 0 runs everything in the main thread",
    parse: parsers.integer(0, 256),
  },
  alerts: {
    ...querySpecOptions.sink,
    help: "Sinks for the alerts of all queries, such as webhook:URL",
  },
  checkpoint,
  ...stateOption,
} as const satisfies FileOptions;

const cameraOptions = {
  number: {
    help: "n of CAMERA-n; it publishes to partition n − 1",
    parse: parsers.integer(1, 10_000),
    required: true,
  },
  source: { help: "Source of its frames", parse: parseSource, show: maskUrl, required: true },
  topic,
  ...settingOptions,
} as const satisfies FileOptions;

const queryOptions = {
  query: { help: "A query of queries/, or the path of a .ts file", required: true },
  name: {
    help: "Its name in lanes and checkpoints (default: the query's own)",
    parse: parsers.text(
      (name) => /^[a-zA-Z0-9_-]{1,100}$/.test(name),
      "1 to 100 letters, digits, underscores or hyphens",
    ),
  },
  topic,
  partitions: {
    help: "Partitions to read (default: all)",
    parse: parsers.partitions,
    textOf: joined(","),
  },
  ...specOptions,
  "starting-offsets": {
    ...specOptions["starting-offsets"],
    textOf: (value) => typeof value === "object" ? JSON.stringify(value) : undefined,
  },
} as const satisfies FileOptions;

const viewerOptions = {
  ...portOption,
  ...viewerAccessOptions,
  token: {
    ...viewerAccessOptions.token,
    multiple: false,
    // As in the environment variable, too.
    parse: (text) => text.trim().split(/\s+/).map(viewerAccessOptions.token.parse),
    textOf: joined(" "),
  },
} as const satisfies FileOptions;

const zonesSchema = {
  description: "Zones and lines: a file of them, or its content",
  type: ["string", "object"],
  properties: { zones: { type: "array" }, lines: { type: "array" } },
};
const overloadKind = { enum: ["wait", "drop-oldest", "latest", "sample"] };
const cameraSchema = sectionSchema("A camera", cameraOptions);
const querySchema = sectionSchema("A query", queryOptions, {
  parameters: {
    type: "object",
    description: "Parameters that the query declares",
    additionalProperties: { type: ["string", "number", "boolean"] },
  },
  zones: zonesSchema,
  overload: {
    description: "Policy when frames arrive faster than they are processed",
    anyOf: [overloadKind, {
      type: "object",
      required: ["kind"],
      additionalProperties: false,
      properties: {
        kind: overloadKind,
        maxLagFrames: { type: "integer", minimum: 1 },
        every: { type: "integer", minimum: 2 },
      },
    }],
  },
});
const viewerSchema = sectionSchema("The viewer; off for none", viewerOptions);
const fileSchema = sectionSchema("Log, cameras, queries and viewer for deno task up", fileOptions, {
  cameras: { type: "array", items: cameraSchema, description: "The cameras" },
  queries: { type: "array", items: querySchema, description: "The queries" },
  zones: zonesSchema,
  viewer: { anyOf: [{ const: "off" }, viewerSchema] },
});

export function configSchema(): Schema {
  const $schema = "https://json-schema.org/draft/2020-12/schema";
  return { $schema, title: "framelane.yaml", ...fileSchema };
}

/** @param others fields that are not options */
function sectionSchema(
  description: string,
  options: FileOptions,
  others: Readonly<Record<string, Schema>> = {},
) {
  const required = Object.keys(options).filter((name) => options[name]!.required);
  const fields = Object.entries(options).map(([name, option]) => {
    const type = option.switch ? "boolean" : ["string", "number"];
    const { numbers } = (option.parse ?? {}) as { numbers?: Schema };
    const one = { ...(!option.textOf && { type }), description: option.help, ...numbers };
    return [fieldName(name, option), option.multiple ? { type: "array", items: one } : one];
  });
  const properties: Readonly<Record<string, Schema>> = { ...Object.fromEntries(fields), ...others };
  return { type: "object", description, additionalProperties: false, required, properties };
}

/** The field of an option; plural for several values. */
export function fieldName(option: string, { multiple = false }: Pick<Option, "multiple">): string {
  const name = option.replace(/-./g, (end) => end[1]!.toUpperCase());
  return multiple && !name.endsWith("s") ? `${name}s` : name;
}

/** The options in a section, and its path; those with a fault, which it adds to `fields`, count as not given. */
function valuesOf<O extends FileOptions>(
  fields: Fields,
  options: O,
): Values<O> & { readonly path: string } {
  const values: Record<string, unknown> = { path: fields.path };
  for (const [name, option] of Object.entries<FileOption>(options)) {
    const field = fieldName(name, option);
    const value = fields.given[field];
    if (option.required && value === undefined) fields.add(field, ACCEPTED);
    values[name] = (value === undefined ? undefined : valueOf(fields, field, option, value)) ??
      option.default;
  }
  // Built by the options' own parsers: the only place where they are joined with their type.
  return values as Values<O> & { path: string };
}

function valueOf(fields: Fields, name: string, option: FileOption, value: unknown): unknown {
  if (option.switch) return fields.takes(name, FLAG, value) ? value : undefined;
  const one = (name: string, value: unknown) => parsed(fields, name, option, value);
  return option.multiple ? listOf(fields, name, value, one, option.show) : one(name, value);
}

function parsed(
  fields: Fields,
  name: string,
  { parse = String, show, textOf = () => undefined }: FileOption,
  value: unknown,
): unknown {
  try {
    const text = isScalar(value) ? String(value) : textOf(value);
    if (text === undefined || text.trim() === "") throw new Error(`expected ${ACCEPTED}`);
    return parse(text);
  } catch (error) {
    const given = quotable(value, show);
    fields.fault(name, `${reasonOf(String(given), error)}, given ${shown(given)}`);
  }
}

function listOf<T>(
  fields: Fields,
  name: string,
  value: unknown,
  read: (name: string, item: unknown) => T | undefined,
  show?: Option["show"],
): T[] {
  if (Array.isArray(value)) {
    return value.flatMap((one, index) => read(`${name}[${index}]`, one) ?? []);
  }
  fields.add(name, "a list", quotable(value, show));
  return [];
}

/** A value as a fault may quote it; with `show`, what is in a list or an object stays hidden. */
function quotable(value: unknown, show?: Option["show"]): unknown {
  if (show === undefined || value === null) return value;
  if (typeof value === "object") return "***";
  const quoted = show(String(value));
  return quoted === String(value) ? value : quoted;
}

/** What may be the fields of a section; a list in their place may hold a secret. */
const fieldsOrMasked = (json: unknown) => Array.isArray(json) ? "***" : json;

/** The entries of a list of sections that have all that they need. */
function sectionsOf<T extends object>(
  file: Fields,
  name: string,
  { properties, required }: typeof fileSchema,
  read: (fields: Fields) => T,
): T[] {
  const entry = (path: string, json: unknown) =>
    read(file.object(path, Object.keys(properties), fieldsOrMasked(json)));
  const { [name]: list = [] } = file.given;
  return listOf(file, name, list, entry, String)
    .filter((one) => required.every((field) => Object(one)[field] !== undefined));
}

function queryOf(fields: Fields) {
  return {
    ...valuesOf(fields, queryOptions),
    zones: zonesOf(fields),
    set: parametersOf(fields),
    overload: overloadOf(fields),
  };
}

function overloadOf(fields: Fields): OverloadPolicy | undefined {
  const { overload } = fields.given;
  try {
    return overload === undefined ? undefined : checkOverload(overload as OverloadPolicy);
  } catch (error) {
    fields.fault("overload", messageOf(error));
  }
}

function parametersOf(fields: Fields): [string, ParameterValue][] {
  const { parameters = {} } = fields.given;
  if (typeof parameters !== "object" || parameters === null || Array.isArray(parameters)) {
    fields.add("parameters", "names with values");
    return [];
  }
  const entries = Object.entries(parameters);
  for (const [name, one] of entries) {
    if (isScalar(one) || typeof one === "boolean") continue;
    fields.add(`parameters.${name}`, "text, a number, true or false", one);
  }
  return entries;
}

/** Zones and lines: a file's path, or its content. */
function zonesOf(fields: Fields): string | object | undefined {
  const { zones: value } = fields.given;
  if (typeof value !== "object") return valuesOf(fields, { zones }).zones;
  readPlaces(fields.object("zones", PLACES));
  return value ?? undefined;
}

function viewerOf(file: Fields) {
  const { viewer = {} } = file.given;
  if (typeof viewer === "string") {
    parsed(file, "viewer", { help: "", parse: parsers.oneOf("off") }, viewer);
    return "off" as const;
  }
  const names = Object.keys(viewerSchema.properties);
  return valuesOf(file.object("viewer", names, fieldsOrMasked(viewer)), viewerOptions);
}

function configOf(file: Fields) {
  return {
    ...valuesOf(file, fileOptions),
    zones: zonesOf(file),
    cameras: sectionsOf(file, "cameras", cameraSchema, (one) => valuesOf(one, cameraOptions)),
    queries: sectionsOf(file, "queries", querySchema, queryOf),
    viewer: viewerOf(file),
  };
}

export type Config = ReturnType<typeof configOf>;
export type QueryEntry = Config["queries"][number];

/** Reads a file; returns its content, undefined if it is not YAML, and its text with the faults. */
export function readConfig(
  content: string,
  environment: (name: string) => string | undefined,
): { readonly config: Config | undefined; readonly text: YamlText } {
  const text = new YamlText(content, environment);
  if (text.value === undefined) return { config: undefined, text };
  const names = Object.keys(fileSchema.properties);
  const file = new Fields(fieldsOrMasked(text.value), names, { what: "the file" });
  const config = configOf(file);
  text.add(file.faults);
  return { config, text };
}
