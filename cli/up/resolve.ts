// Resolves a `framelane.yaml` with all defaults, or reports all its faults.
import { messageOf } from "../../runtime/base/errors.ts";
import { given } from "../../runtime/base/options.ts";
import type { RegisteredCamera } from "../../cameras/registry.ts";
import { settingsFromFlags } from "../../cameras/settings.ts";
import { learnSecrets } from "../../runtime/base/mask.ts";
import { checkSinks, overridePlan } from "../../runtime/definition/plan.ts";
import {
  loadDefinition,
  loadModule,
  parametersOf,
} from "../../runtime/definition/query_options.ts";
import type { QuerySpec } from "../../runtime/executor/protocol.ts";
import { loadSink } from "../../runtime/sinks/open.ts";
import type { ViewerOptions } from "../../viewer/mod.ts";
import { togetherFaults } from "../camera_options.ts";
import { type Options, UsageError } from "../command.ts";
import { DEFAULT_TOPIC } from "../log_options.ts";
import { findQuery } from "../queries_folder.ts";
import { querySpecOptions, querySpecs } from "../query_specs.ts";
import { viewerAccess, viewerAccessFaults, viewerAccessOptions } from "../viewer_access.ts";
import { type Config, fieldName, type QueryEntry, readConfig } from "./config.ts";
import type { YamlText } from "./yaml_text.ts";

const OPTIONS: Options = { ...querySpecOptions, ...viewerAccessOptions };

interface CameraPlan {
  readonly topic: string;
  readonly camera: RegisteredCamera;
}

type ViewerPlan = ReturnType<typeof viewerAccess> & Pick<ViewerOptions, "port">;

export interface Plan {
  readonly log: string;
  readonly topics: readonly string[];
  readonly state: string;
  readonly checkpoint?: string;
  readonly cameras: readonly CameraPlan[];
  readonly queries: readonly QuerySpec[];
  /** Number of workers; default: the driver's choice. */
  readonly executors?: number;
  /** Absent if there is none. */
  readonly viewer?: ViewerPlan;
}

interface ResolveOptions {
  readonly file: string;
  readonly environment: (name: string) => string | undefined;
  /** Whether to load each query and its sinks, to check that they load. */
  readonly load?: boolean;
}

/**
 * Resolves the content of the file.
 *
 * @throws {UsageError} with all faults, ordered by line: `FILE:LINE: MESSAGE`
 */
export async function resolvePlan(content: string, options: ResolveOptions): Promise<Plan> {
  const { config, text } = readConfig(content, options.environment);
  const plan = config === undefined ? undefined : await planOf(config, text, options);
  if (text.faults.length === 0 && plan !== undefined) return plan;
  const faults = text.faults.toSorted((a, b) => a.line - b.line)
    .map(({ line, message }) => `${options.file}:${line}: ${message}`);
  throw new UsageError([...new Set(faults)]);
}

async function planOf(config: Config, text: YamlText, options: ResolveOptions): Promise<Plan> {
  const { log, state, checkpoint, executors, viewer } = config;
  const fault = (path: string, message: string) =>
    void text.faults.push({ line: text.lineOf(path), message });
  if (config.topic !== undefined && config.topics !== undefined) {
    fault("topics", "Cannot use topic and topics: expected one of them");
  }
  const first = config.topics?.[0] ?? config.topic ?? DEFAULT_TOPIC;
  learnSecrets(log);
  const cameras: CameraPlan[] = [];
  for (const entry of config.cameras) {
    const { number, source, topic = first } = entry;
    learnSecrets(source);
    if (cameras.some((one) => one.topic === topic && one.camera.number === number)) {
      fault(entry.path, `Camera ${number} of ${topic} was given more than once`);
    }
    for (const message of togetherFaults(source, entry)) fault(entry.path, inFile(message));
    cameras.push({ topic, camera: { number, source, ...settingsFromFlags(entry) } });
  }
  const queries: QuerySpec[] = [];
  for (const entry of config.queries) {
    try {
      const query = await specOf(entry, config, { log, first, ...options });
      if (queries.some(({ name }) => name === query.name)) {
        fault(
          entry.path,
          `Query ${query.name} was given more than once: expected different names`,
        );
      }
      if (config.alerts?.includes(`topic:${query.topic}`)) {
        fault("alerts", `Cannot use alerts topic:${query.topic}: query ${query.name} reads it`);
      }
      queries.push(query);
    } catch (error) {
      const lines = error instanceof UsageError ? error.faults : [messageOf(error)];
      for (const message of lines) fault(entry.path, inFile(message));
    }
  }
  if (viewer !== "off") {
    for (const { token } of viewer.token ?? []) learnSecrets(token, { whole: true });
    for (const message of viewerAccessFaults(viewer)) fault("viewer", inFile(message));
  }
  const topics = new Set([
    ...config.topics ?? [first],
    ...cameras.map(({ topic }) => topic),
    ...queries.map(({ topic }) => topic),
  ]);
  return {
    log,
    topics: [...topics],
    state,
    cameras,
    queries,
    ...given({ checkpoint, executors }),
    ...(viewer === "off" ? {} : { viewer: { port: viewer.port, ...viewerAccess(viewer) } }),
  };
}

/** Converts options of the command line in messages to the file's fields, which have the same names. */
export function inFile(message: string): string {
  return message.replace(/--set ([\w-]+)=…/g, "parameters.$1").replace(
    /--([a-z]+(?:-[a-z]+)*)/g,
    (_, flag: string) => fieldName(flag, OPTIONS[flag] ?? {}),
  );
}

async function specOf(
  entry: QueryEntry,
  config: Config,
  { log, first, load = false }: ResolveOptions & { readonly log: string; readonly first: string },
): Promise<QuerySpec> {
  const found = findQuery(entry.query);
  const name = entry.name ?? found.name;
  const { topic = first, partitions = "all", overload } = entry;
  const alerts = (config.alerts ?? []).map(toAlerts);
  const module = config.zones !== undefined || load ? await loadModule(found.module) : undefined;
  const takesZones = module !== undefined && Object.hasOwn(parametersOf(module), "zones");
  const hasOwn = entry.set.some(([parameter]) => parameter === "zones");
  const zones = entry.zones ?? (takesZones && !hasOwn ? config.zones : undefined);
  for (const sink of [...entry.sink ?? [], ...alerts]) learnSecrets(sink);
  const [spec] = await querySpecs([entry.query], {
    ...entry,
    checkpoint: config.checkpoint,
    zones: typeof zones === "object" ? JSON.stringify(zones) : zones,
  }, { log, topic, partitions, name: entry.name, alertSinks: alerts });
  if (load && module !== undefined) {
    const { plan } = await loadDefinition(name, module, spec!.options);
    const sinks = await Promise.all(spec!.sinks.map(loadSink));
    const alertSinks = await Promise.all(alerts.map(loadSink));
    checkSinks({ ...overridePlan(plan, { sinks, alertSinks }), name });
  }
  return { ...spec!, ...given({ overload }) };
}

/** A webhook says so itself: a query may post other outputs to the same address. */
function toAlerts(sink: string): string {
  if (!sink.startsWith("webhook:") || /[#&]only=/.test(sink)) return sink;
  return `${sink}${sink.includes("#") ? "&" : "#"}only=alerts`;
}
