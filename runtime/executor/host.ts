// An executor: runs streaming queries, in a worker or in the main thread.
import { given } from "../base/options.ts";
import { messageOf, placeOf, placeText } from "../base/errors.ts";
import { systemClock } from "../base/clock.ts";
import { StreamingExecution } from "../engine/execution.ts";
import { stepNames } from "../engine/step_states.ts";
import { laneName } from "../definition/frame.ts";
import { repairsOf } from "../image/flaws.ts";
import { inspectImage } from "../image/inspect.ts";
import type { LogReader, Membership, TopicLog } from "../log/log.ts";
import { openLog } from "../log/open.ts";
import {
  alignmentOf,
  endsByItself,
  overridePlan,
  type PlanOverrides,
  type QueryPlan,
} from "../definition/plan.ts";
import { QueryDefinition } from "../definition/query.ts";
import { accessOf } from "../definition/plan_access.ts";
import { loadDefinition, QueryOptionsError } from "../definition/query_options.ts";
import { onlyAlerts } from "../sinks/alerts.ts";
import { alertRecord, findingsRecord } from "../sinks/findings.ts";
import { deadLetterRecord } from "../sinks/dead_letter.ts";
import { loadSink } from "../sinks/open.ts";
import { parseTrigger } from "../definition/trigger.ts";
import { GroupTracker } from "../video/groups.ts";
import {
  addTotals,
  CELL,
  type ExecutorConfig,
  type FromExecutor,
  type LoadedQuery,
  plainError,
  type QuerySpec,
  type ToExecutor,
} from "./protocol.ts";
import { LanePictures, type Picture, type Watched } from "./pictures.ts";
import { asLane, callsOf } from "./pulse.ts";

interface Lane {
  readonly execution: StreamingExecution;
  readonly pictures: LanePictures;
  readonly ended: Promise<void>;
  /** The last report of calls that take long. */
  waiting: string;
}

/** Interval between looks for calls that hang, milliseconds. */
const LOOK_MS = 2500;
/** Most lanes remembered by name. */
const MOST_TITLES = 256;
/** Minimum interval between reports of the same uncaught error, milliseconds. */
const UNHANDLED_INTERVAL_MS = 10_000;

/** A lane that is starting. */
interface Starting {
  membership: Membership | undefined;
  stopped: boolean;
}

interface LoadedPlan {
  readonly spec: QuerySpec;
  readonly plan: QueryPlan;
  readonly loaded: LoadedQuery;
}

/** @throws {QueryOptionsError} if the overrides do not fit the query. */
function overridden(own: QueryPlan, overrides: PlanOverrides) {
  try {
    const plan = overridePlan(own, overrides);
    return { plan, explained: new QueryDefinition(plan).explain() };
  } catch (error) {
    throw new QueryOptionsError(messageOf(error), { cause: error });
  }
}

/** Loads a query's module and applies the overrides of its spec. */
async function loadPlan(spec: QuerySpec): Promise<LoadedPlan> {
  const definition = await loadDefinition(spec.name, spec.module, spec.options);
  const { plan, explained } = overridden(definition.plan, {
    sinks: await Promise.all(spec.sinks.map(loadSink)),
    alertSinks: (await Promise.all((spec.alertSinks ?? []).map(loadSink))).map(onlyAlerts),
    ...given({
      overload: spec.overload,
      trigger: spec.trigger === undefined ? undefined : parseTrigger(spec.trigger),
      source: spec.source,
    }),
  });
  const places = plan.operators.find((operator) => operator.places !== undefined)?.places;
  const loaded: LoadedQuery = {
    plan: explained,
    finite: endsByItself(plan),
    steps: stepNames(plan.operators),
    onOperatorError: plan.onOperatorError,
    access: accessOf({ plan: { ...plan, name: spec.name } }),
    remarks: [...new Set(plan.operators.flatMap(({ remarks = [] }) => remarks))],
    topics: plan.sinks.flatMap(({ topics }) => topics ?? []),
    ...given({ places, checkpointLocation: plan.source.checkpointLocation }),
    aligns: alignmentOf(plan),
  };
  return { spec, plan: { ...plan, name: spec.name }, loaded };
}

/** An executor's channels to the driver. */
export interface ExecutorPorts {
  /** Sends control messages and reports. */
  readonly send: (message: FromExecutor) => void;
  /** Pictures have their own channel. */
  readonly sendPicture: (picture: Picture) => void;
  /** Shared with the driver: see `SHARED`; undefined in the main thread. */
  readonly cells?: Int32Array;
}

/** Runs streaming queries as the driver directs. */
export class ExecutorHost {
  readonly #send: ExecutorPorts["send"];
  readonly #sendPicture: ExecutorPorts["sendPicture"];
  /** Query and partition of each recent lane. */
  readonly #titles = new Map<number, string>();
  /** When each uncaught error was last reported, by message. */
  readonly #unhandled = new Map<string, number>();
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #lanes = new Map<number, Lane>();
  /** Starting lanes, and the messages that arrive meanwhile. */
  readonly #starting = new Map<number, Starting>();
  readonly #plans = new Map<number, Promise<LoadedPlan>>();
  #config: ExecutorConfig | undefined;
  readonly #cells: Int32Array | undefined;
  #log: TopicLog | undefined;
  #reader: LogReader | undefined;
  #opened: Promise<void> = Promise.resolve();
  #watched: Watched | undefined;

  constructor({ send, sendPicture, cells }: ExecutorPorts) {
    this.#send = send;
    this.#sendPicture = sendPicture;
    this.#cells = cells;
  }

  /** Sets which lanes are viewed. */
  watch(watched: Watched): void {
    this.#watched = watched;
    for (const { pictures } of this.#lanes.values()) pictures.watch(watched);
  }

  /** Reports an uncaught error, with the lane that it comes from if known. */
  reportUnhandled(lane: number, error: unknown): void {
    const where = placeText(placeOf(error));
    const message = `Uncaught error: ${messageOf(error)}${where}`;
    const now = performance.now();
    const last = this.#unhandled.get(message) ?? -Infinity;
    if (now - last < UNHANDLED_INTERVAL_MS) return;
    if (this.#unhandled.size > 100) this.#unhandled.clear();
    this.#unhandled.set(message, now);
    if (this.#lanes.has(lane)) return this.#send({ type: "report", lane, message });
    // Its run has ended, but its late errors are still reported.
    const title = this.#titles.get(lane);
    const text = title === undefined ? message : `${title}: ${message}`;
    this.#send({ type: "report", lane: 0, message: text });
  }

  /** Handles a message from the driver. Never throws: errors are sent back. */
  async handle(message: ToExecutor): Promise<void> {
    switch (message.type) {
      case "open":
        this.#opened = this.#open(message.config);
        return await this.#opened;
      case "load":
        return await this.#load(message.plan, message.spec);
      case "unload":
        return void this.#plans.delete(message.plan);
      case "start":
        this.#starting.set(message.lane, { membership: message.membership, stopped: false });
        try {
          await this.#opened;
          // Without a log the driver has received `unusable` and starts the lane elsewhere.
          if (this.#log !== undefined) await this.#start(message);
        } catch (error) {
          this.#send({ type: "stopped", lane: message.lane, error: plainError(error) });
        } finally {
          this.#starting.delete(message.lane);
        }
        return;
      case "stop": {
        const starting = this.#starting.get(message.lane);
        if (starting !== undefined) starting.stopped = true;
        return this.#lanes.get(message.lane)?.execution.stop(message.mode);
      }
      case "renew": {
        const starting = this.#starting.get(message.lane);
        if (starting !== undefined) starting.membership = message.membership;
        return this.#lanes.get(message.lane)?.execution.renew(message.membership);
      }
      case "close":
        return await this.#close();
    }
  }

  async #open(config: ExecutorConfig): Promise<void> {
    try {
      this.#config = config;
      // The driver's own log warns of what every thread meets.
      const log = await openLog(config.log, {
        secondary: true,
        onWarning: (message) => this.#send({ type: "report", lane: 0, message }),
        ...given({ checkpointDir: config.checkpointDir }),
      });
      this.#reader = await log.reader();
      this.#log = log;
      this.#send({ type: "ready" });
    } catch (error) {
      this.#send({ type: "unusable", error: plainError(error) });
    }
  }

  async #load(number: number, spec: QuerySpec): Promise<void> {
    const loading = loadPlan(spec);
    this.#plans.set(number, loading);
    try {
      const { loaded } = await loading;
      this.#send({ type: "loaded", plan: number, query: loaded });
    } catch (error) {
      this.#send({ type: "unloadable", plan: number, error: plainError(error) });
    }
  }

  async #start(message: ToExecutor & { type: "start" }): Promise<void> {
    const { lane, partition, runId, cells } = message;
    const found = await this.#plans.get(message.plan);
    if (found === undefined) throw new Error(`Cannot start lane ${lane}: its query was removed`);
    const { plan, loaded: { places }, spec: { name: query, topic, group } } = found;
    this.#titles.set(lane, `${query} ${laneName(partition)}`);
    if (this.#titles.size > MOST_TITLES) this.#titles.delete(this.#titles.keys().next().value!);
    const { progressIntervalMs } = this.#config!;
    const identity = { query, partition, run: lane };
    const pictures = new LanePictures(identity, this.#sendPicture, this.#watched);
    const report = (message: string) => this.#send({ type: "report", lane, message });
    const { membership, stopped } = this.#starting.get(lane)!;
    const execution = new StreamingExecution({
      plan,
      log: this.#log!,
      reader: this.#reader!,
      topic,
      partition,
      group,
      foundLater: message.foundLater === true,
      runId,
      owns: () => Atomics.load(cells, CELL.run) === BigInt(lane),
      clock: systemClock,
      inspect: inspectImage,
      repairs: repairsOf,
      groups: () => new GroupTracker(report, { here: true }),
      deadLetter: deadLetterRecord,
      alertRecord: (output) => alertRecord(output, query),
      findingsRecord: (output) => findingsRecord(output, query, places),
      pictures,
      report,
      onProblem: (problem) => this.#send({ type: "problem", lane, ...given({ problem }) }),
      onHeld: (held) => this.#send({ type: "held", lane, held }),
      onStarted: (id, next) => this.#send({ type: "started", lane, id, next }),
      onTrigger: (active) => Atomics.store(cells, CELL.active, active ? 1n : 0n),
      onTotals: addTotals(cells),
      onProgress: (progress, measurements) =>
        this.#send({ type: "progress", lane, progress, measurements }),
      onFunction: (atWork) => void Atomics.store(cells, CELL.sink, atWork ? 1n : 0n),
      onDeadInput: (error) => this.#send({ type: "dead-input", lane, error: plainError(error) }),
      ...given({
        membership,
        deadInputs: message.deadInputs,
        call: this.#cells && callsOf(lane, this.#cells),
      }),
      progressIntervalMs,
    });
    if (stopped) {
      // The partition may have another owner by now, which must not be fenced.
      pictures.close();
      return this.#send({ type: "stopped", lane });
    }
    const ended = asLane(lane, () => execution.run()).then(
      () => this.#send({ type: "stopped", lane }),
      (error) =>
        this.#send({
          type: "stopped",
          lane,
          error: { ...plainError(error), ...given({ batch: execution.batch }) },
        }),
    ).finally(() => {
      pictures.close();
      this.#lanes.delete(lane);
    });
    this.#timer ??= setInterval(() => this.#checkCalls(), LOOK_MS);
    this.#lanes.set(lane, { execution, pictures, ended, waiting: "" });
  }

  /** Reports calls that hang. */
  #checkCalls(): void {
    for (const [lane, one] of this.#lanes) {
      const message = one.execution.longCalls;
      if (message === one.waiting) continue;
      one.waiting = message;
      this.#send({ type: "waiting", lane, ...(message === "" ? {} : { message }) });
    }
  }

  async #close(): Promise<void> {
    await this.#opened;
    clearInterval(this.#timer);
    for (const { execution } of this.#lanes.values()) execution.stop("abort");
    await Promise.all([...this.#lanes.values()].map(({ ended }) => ended));
    await this.#reader?.close();
    await this.#log?.close();
    this.#send({ type: "closed" });
  }
}
