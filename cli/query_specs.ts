// The queries of a command line, in the form that executors load.
import { fileURLToPath } from "node:url";
import { isFile } from "../runtime/base/folders.ts";
import { brief, given, shown } from "../runtime/base/options.ts";
import { messageOf } from "../runtime/base/errors.ts";
import type { QuerySpec } from "../runtime/executor/protocol.ts";
import { DEVICES } from "../queries/operators/model/device_names.ts";
import { checkSink, maskedSink, moduleUrl, sinkForms } from "../runtime/sinks/open.ts";
import type { QueryDefinition } from "../runtime/definition/query.ts";
import {
  parseStartingOffsets,
  type ReadStreamOptions,
  type StartingOffsets,
} from "../runtime/definition/source_options.ts";
import { parseTrigger } from "../runtime/definition/trigger.ts";
import {
  FLAG_PARAMETERS,
  type GivenOptions,
  loadDefinition,
  loadModule,
  parametersOf,
  type ParameterValue,
  refusal,
} from "../runtime/definition/query_options.ts";
import { groupNames } from "../runtime/log/group_names.ts";
import { type Options, parsers, UsageError, type Values } from "./command.ts";
import { expectedNeeds } from "./expected_needs.ts";
import { findQuery, type FoundQuery } from "./queries_folder.ts";

const DEFAULT_QUERY = "greyscale";

/** A parser that validates a text but returns it unparsed, since workers parse it again. */
function checked(check: (text: string) => unknown): (text: string) => string {
  return (text) => {
    check(text);
    return text;
  };
}

/** Validates starting offsets and converts them to a definition's form. */
function startingOffsetsOf(text: string): StartingOffsets {
  parseStartingOffsets(text);
  return text.trimStart().startsWith("{") ? JSON.parse(text) : text as StartingOffsets;
}

function parameterOf(text: string): readonly [string, ParameterValue] {
  const end = text.indexOf("=");
  if (end < 1) throw new Error("expected NAME=VALUE, such as threshold=0.4");
  return [text.slice(0, end), text.slice(end + 1)];
}

export const querySpecOptions = {
  group: {
    value: "G",
    help:
      "Group that shares the partitions and holds the offsets; {query} stands for the query's name (default framelane-{query})",
  },
  trigger: {
    value: "SPEC",
    help: "asap, interval:500ms, available-now, once (default: the query's own)",
    parse: checked(parseTrigger),
  },
  "starting-offsets": {
    value: "SPEC",
    help:
      'Where to start without a checkpoint: earliest, latest, "-100 frames", "-10 minutes", a capture time (ISO 8601) or JSON (default: the query\'s own)',
    parse: startingOffsetsOf,
  },
  "max-frames-per-trigger": {
    value: "N",
    help: "Most frames in one batch",
    parse: parsers.integer(1),
  },
  "fail-on-data-loss": {
    switch: true,
    help:
      "Stop when frames were deleted from the log before they were read (default: the query's own, or true)",
  },
  checkpoint: {
    value: "DIR",
    help:
      "Folder with the identity that finds the run's checkpoints in the log; a new folder starts afresh",
    opens: "folder",
  },
  sink: {
    value: "URI",
    multiple: true,
    help: `${sinkForms()}; replaces the query's own`,
    parse: checked(checkSink),
    show: maskedSink,
    opens: "sink",
  },
  model: {
    value: "MANIFEST",
    help: "model.json of a model, for queries that take one",
    opens: "beside",
  },
  zones: {
    value: "FILE",
    help: "JSON file of zones and lines, for queries that take one",
    opens: "read",
  },
  device: {
    value: DEVICES.join("|"),
    help: "Where models run (default cpu); `deno task models devices` lists what each needs",
    parse: parsers.oneOf(...DEVICES),
  },
  set: {
    value: "NAME=VALUE",
    multiple: true,
    help: "A parameter that the query declares, such as threshold=0.4",
    parse: parameterOf,
  },
} as const satisfies Options;

interface QueryPlace {
  readonly log: string;
  readonly topic: string;
  readonly partitions: "all" | readonly number[];
  /** Its name in lanes and checkpoints; by default the query's own. */
  readonly name?: string | undefined;
  /** Sinks for alerts, in addition to each query's own. */
  readonly alertSinks?: readonly string[];
}

/** The queries with their own options, and all faults of both; `greyscale` by default. */
export async function checkedQueries(
  names: readonly string[],
  options: Partial<Values<typeof querySpecOptions>>,
  topic: string | undefined,
) {
  const { group, sink = [], "starting-offsets": offsets } = options;
  const faults: string[] = [];
  const found: FoundQuery[] = [];
  for (const name of names.length > 0 ? names : [DEFAULT_QUERY]) {
    try {
      found.push(findQuery(name));
    } catch (error) {
      faults.push(messageOf(error));
    }
  }
  for (const [index, { name }] of found.entries()) {
    if (found.findIndex((other) => other.name === name) !== index) {
      faults.push(`Query ${name} was given more than once`);
    }
  }
  if (group !== undefined && found.length > 1 && !group.includes("{query}")) {
    faults.push(
      `Cannot use --group ${shown(group)} for ${found.length} queries: a group holds one ` +
        `position for each partition; expected {query} in it, e.g. ${group}-{query}`,
    );
  }
  if (sink.includes(`topic:${topic}`)) {
    faults.push(`Cannot use --sink topic:${topic}: it is the source topic`);
  }
  if (typeof offsets === "object" && topic !== undefined && !Object.hasOwn(offsets, topic)) {
    faults.push(
      `Cannot use --starting-offsets ${shown(JSON.stringify(offsets))}: ` +
        `expected offsets of ${topic}, the source topic`,
    );
  }
  for (const uri of sink) {
    const module = moduleUrl(uri);
    if (module === undefined || await isFile(fileURLToPath(module.url))) continue;
    faults.push(
      `Cannot use --sink ${shown(maskedSink(uri))}: there is no file ${shown(module.path)}`,
    );
  }
  // A query that was not found may accept any option.
  const own = found.length < names.length
    ? new Map<string, OwnOptions>()
    : await ownOptions(found, options, faults);
  return { found, own, faults };
}

/**
 * The specs of the queries, for executors.
 *
 * @param names names as given; default `greyscale`
 * @param options parsed options of `deno task queries`
 * @throws {UsageError} naming every fault
 */
export async function querySpecs(
  names: readonly string[],
  options: Values<typeof querySpecOptions>,
  { log, topic, partitions, name: alias, alertSinks = [] }: QueryPlace,
): Promise<QuerySpec[]> {
  const { found, own, faults } = await checkedQueries(names, options, topic);
  const { group, sink = [], trigger } = options;
  if (faults.length > 0) throw new UsageError(faults);
  const all = found.map(({ name }) => alias ?? name);
  const groups = await groupNames(all, group, log, options.checkpoint);
  const {
    "starting-offsets": startingOffsets,
    "max-frames-per-trigger": maxFramesPerTrigger,
    "fail-on-data-loss": failOnDataLoss,
  } = options;
  const source: ReadStreamOptions = given({ startingOffsets, maxFramesPerTrigger, failOnDataLoss });
  return found.map((query, index) => {
    const { module } = query;
    const name = all[index]!;
    const { values, definition } = own.get(query.name) ?? {};
    const needs = expectedNeeds(query, { sinks: sink, alertSinks }, definition);
    return {
      name,
      module,
      topic,
      partitions,
      group: groups.get(name)!,
      sinks: sink,
      ...(alertSinks.length === 0 ? {} : { alertSinks }),
      source,
      ...given({ trigger, options: values, needs }),
    };
  });
}

/** Options that a query accepts, and its definition with them. */
interface OwnOptions {
  readonly values: GivenOptions;
  readonly definition: QueryDefinition;
}

// Assigns the given options to the queries that accept them; loads queries only if there are any options.
// Options that no query accepts or that are invalid are faults.
async function ownOptions(
  queries: readonly FoundQuery[],
  options: Partial<Values<typeof querySpecOptions>>,
  faults: string[],
): Promise<Map<string, OwnOptions>> {
  const entries = [
    ...FLAG_PARAMETERS.flatMap((option) => {
      const value = options[option];
      return value === undefined ? [] : [[option, value] as const];
    }),
    ...options.set ?? [],
  ];
  const all: GivenOptions = Object.fromEntries(entries);
  for (const name of Object.keys(all)) {
    if (entries.filter(([other]) => other === name).length < 2) continue;
    faults.push(`Parameter ${brief(name)} was given more than once`);
  }
  const given = Object.keys(all);
  const own = new Map<string, OwnOptions>();
  if (given.length === 0) return own;
  const taken = new Set<string>();
  const accepted = new Set<string>();
  for (const { name, module: url } of queries) {
    let loaded = false;
    try {
      const module = await loadModule(url);
      loaded = true;
      const takes = Object.keys(parametersOf(module));
      takes.forEach((option) => accepted.add(option));
      const mine = given.filter((option) => takes.includes(option));
      mine.forEach((option) => taken.add(option));
      const values = Object.fromEntries(mine.map((option) => [option, all[option]!]));
      own.set(name, { values, definition: await loadDefinition(name, module, values) });
    } catch (error) {
      faults.push(messageOf(error));
      // A module that failed to load may accept any option.
      if (!loaded) given.forEach((option) => taken.add(option));
    }
  }
  const refused = given.filter((option) => !taken.has(option));
  const names = queries.map(({ name }) => name).join(", ");
  if (refused.length > 0) faults.push(refusal(`Query ${names}`, refused, [...accepted]));
  return own;
}
