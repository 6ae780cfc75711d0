// Cameras, queries and viewer of one process; each can change while the others run.
import { isDeepStrictEqual } from "node:util";
import { given } from "../../runtime/base/options.ts";
import { CameraMetrics } from "../../cameras/metrics.ts";
import { type CameraStatus, openState } from "../../cameras/registry.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { joinedMetrics } from "../../runtime/base/metric_set.ts";
import { aborted } from "../../runtime/base/wait.ts";
import { Driver } from "../../runtime/driver/driver.ts";
import type { QuerySpec } from "../../runtime/executor/protocol.ts";
import type { LogProducer, TopicLog } from "../../runtime/log/log.ts";
import { startViewer, type Viewer } from "../../viewer/mod.ts";
import { CameraFleet } from "../camera_fleet.ts";
import { type CommandContext, UsageError } from "../command.ts";
import { executorPermissions } from "../executor_permissions.ts";
import { knownCamera } from "../known_cameras.ts";
import { describeFailure } from "../fault.ts";
import { openLogOrUsageError, throwIfRefused } from "../log_options.ts";
import { hasFailed, reportEnd, reportQueries } from "../query_reports.ts";
import { viewerAccessFaults } from "../viewer_access.ts";
import { changesOf, withFixed } from "./changes.ts";
import { inFile, type Plan } from "./resolve.ts";

/** Interval of checks for changed cameras, milliseconds. */
const CAMERAS_EVERY_MS = 250;
/** Interval of attempts to start a viewer that is off, milliseconds. */
const VIEWER_EVERY_MS = 2_000;

export class UpRun {
  readonly #context: CommandContext;
  readonly #json: boolean;
  readonly #log: TopicLog;
  readonly #kv: Deno.Kv;
  readonly #producer: LogProducer;
  readonly #driver: Driver;
  /** The spec that each query was started with, and when, by name. */
  readonly #queries = new Map<string, { readonly version: string; readonly started: number }>();
  /** Status of each camera, by topic and number. */
  readonly #statuses = new Map<string, CameraStatus & { readonly at: number }>();
  /** The cameras of each topic. */
  readonly #fleets = new Map<
    string,
    { readonly fleet: CameraFleet; readonly ended: Promise<void> }
  >();
  readonly #cameraMetrics = new CameraMetrics(() =>
    [...this.#fleets.values()].flatMap(({ fleet }) => fleet.measured())
  );
  readonly #over = new AbortController();
  /** What of it cannot change stays. */
  readonly #start: Plan;
  #plan: Plan;
  #viewer: Viewer | undefined;
  /** When a viewer that is off was last tried, as `performance.now()`. */
  #viewerTried = 0;
  #failed = false;

  private constructor(
    plan: Plan,
    context: CommandContext,
    json: boolean,
    parts: { log: TopicLog; kv: Deno.Kv; producer: LogProducer },
  ) {
    this.#start = this.#plan = plan;
    this.#context = context;
    this.#json = json;
    this.#log = parts.log;
    this.#kv = parts.kv;
    this.#producer = parts.producer;
    const { log, checkpoint, executors } = plan;
    this.#driver = new Driver({
      log: parts.log,
      logUrl: log,
      ...given({ checkpointDir: checkpoint, executors }),
      ...executorPermissions(log),
      report: (line) => context.say(line, "warn"),
    });
    reportQueries(this.#driver, json, context);
  }

  static async start(plan: Plan, context: CommandContext, json: boolean): Promise<UpRun> {
    const log = await openLogOrUsageError(plan.log, context, plan.checkpoint);
    const kv = await openState(plan.state);
    const run = new UpRun(plan, context, json, { log, kv, producer: await log.producer() });
    try {
      // First, so that it is available at once, however busy cameras and queries are.
      await run.#startViewer(plan);
      await throwIfRefused(log, plan.topics[0], context.signal);
      await run.#follow({ ...plan, cameras: [], queries: [] }, plan);
      return run;
    } catch (error) {
      await run.stop();
      throw error;
    }
  }

  /** Address of the viewer; empty if there is none. */
  get url(): string {
    return this.#viewer?.url ?? "";
  }

  /** Whether a query failed permanently, now or before an edit. */
  get failed(): boolean {
    return this.#failed || this.#driver.streams.all.some(hasFailed);
  }

  /**
   * Applies an edit; unchanged parts continue.
   *
   * @throws if the viewer cannot start as edited: nothing of the edit is applied then
   */
  async apply(next: Plan): Promise<void> {
    const before = this.#plan;
    const plan = withFixed(next, this.#start);
    if (!isDeepStrictEqual(plan, next)) {
      this.#context.say(
        "Cannot change log, state, checkpoint, executors or the viewer's address while cameras and " +
          "queries run: restart to apply",
        "warn",
      );
    }
    const changes = changesOf(before, plan);
    if (changes.some(({ part }) => part === "viewer")) await this.#restartViewer(before, plan);
    this.#plan = plan;
    for (const { part, what } of changes) this.#context.say(`${part} ${what}`);
    await this.#follow(before, plan);
  }

  /** Stops cameras, then queries after committing their batches, then the viewer. */
  async stop(): Promise<void> {
    this.#over.abort(new Error("Framelane is stopping"));
    await Promise.allSettled([...this.#fleets.values()].map(({ ended }) => ended));
    const ends = await Promise.all([...this.#queries.keys()].map((name) => this.#stopQuery(name)));
    // The summaries come last, after the others' progress.
    for (const report of ends) report();
    await this.#driver.stop();
    await this.#stopViewer();
    await this.#producer.close();
    this.#kv.close();
    await this.#log.close();
  }

  async #follow(before: Plan, after: Plan): Promise<void> {
    const byTopic = Map.groupBy(after.cameras, ({ topic }) => topic);
    const made = [...byTopic].map(([topic, cameras]) =>
      this.#log.createTopic(topic, Math.max(...cameras.map(({ camera }) => camera.number)))
    );
    for (const topic of byTopic.keys()) if (!this.#fleets.has(topic)) this.#startFleet(topic);
    // Before the queries: one that ends with what is there fails without its topic.
    // A camera tries it again, and reports what fails.
    await Promise.race([Promise.allSettled(made), aborted(this.#context.signal)]);
    const wanted = new Set(after.queries.map(({ name }) => name));
    const gone = before.queries.filter(({ name }) => !wanted.has(name));
    await Promise.all([
      ...gone.map(async ({ name }) => (await this.#stopQuery(name))()),
      ...after.queries.map(async (query) => {
        const { name } = query;
        const version = JSON.stringify(query);
        if (this.#queries.get(name)?.version === version) return;
        (await this.#stopQuery(name))();
        this.#startQuery(query, version);
      }),
    ]);
  }

  #startFleet(topic: string): void {
    const registry = {
      list: () =>
        Promise.resolve(
          this.#plan.cameras.filter((one) => one.topic === topic)
            .map(({ camera }) => ({ camera, version: JSON.stringify(camera) })),
        ),
      setStatus: (number: number, status: CameraStatus) => {
        this.#statuses.set(`${topic} ${number}`, { ...status, at: systemClock.now() });
        return Promise.resolve();
      },
    };
    const host = {
      log: this.#log,
      producer: this.#producer,
      topic,
      kv: this.#kv,
      clock: systemClock,
    };
    const fleet = new CameraFleet(
      { host, registry, json: this.#json, quiet: true, pollMs: CAMERAS_EVERY_MS },
      { ...this.#context, signal: this.#over.signal },
    );
    this.#fleets.set(topic, { fleet, ended: fleet.run() });
  }

  #startQuery(spec: QuerySpec, version: string): void {
    this.#queries.set(spec.name, { version, started: performance.now() });
    // A query that cannot start does not affect the others.
    this.#driver.add(spec).catch((error) => {
      if (this.#queries.get(spec.name)?.version !== version) return;
      this.#failed = true;
      this.#context.say(`Query ${spec.name}: ${describeFailure(error)}`, "error");
    });
  }

  /** Returns a function that reports its totals. */
  async #stopQuery(name: string): Promise<() => void> {
    const query = this.#queries.get(name);
    if (query === undefined) return () => {};
    this.#queries.delete(name);
    const handles = await this.#driver.remove(name);
    this.#failed ||= handles.some(hasFailed);
    return () => reportEnd(name, handles, query.started, this.#json, this.#context);
  }

  /** Starts the viewer as edited, or else as it was. */
  async #restartViewer(before: Plan, plan: Plan): Promise<void> {
    const { viewer } = plan;
    if (viewer !== undefined) {
      // The file's own host was checked; the viewer keeps that of the start.
      const { hostname: host = "127.0.0.1", tokens: token, proxyHosts } = viewer;
      const faults = viewerAccessFaults({ host, token, "proxy-host": proxyHosts });
      if (faults.length > 0) throw new UsageError(faults.map(inFile));
    }
    await this.#stopViewer();
    try {
      await this.#startViewer(plan);
    } catch (error) {
      const again = await this.#startViewer(before).catch(describeFailure);
      if (again !== undefined) this.#context.say(`The viewer is off, retrying: ${again}`, "error");
      throw error;
    }
  }

  /** Starts the viewer where it could start neither as edited nor as it was; call it repeatedly. */
  async keepViewer(): Promise<void> {
    const now = performance.now();
    if (this.#viewer !== undefined || now - this.#viewerTried < VIEWER_EVERY_MS) return;
    this.#viewerTried = now;
    // The reason was said.
    await this.#startViewer(this.#plan).catch(() => {});
  }

  async #startViewer({ viewer, topics }: Pick<Plan, "viewer" | "topics">): Promise<void> {
    if (viewer === undefined) return;
    this.#viewer = await startViewer({
      feed: this.#driver.feed,
      metrics: async () =>
        joinedMetrics(
          await this.#driver.metrics.text(await this.#log.storage?.()),
          await this.#cameraMetrics.text(),
        ),
      log: this.#log,
      topics,
      report: (line) => this.#context.say(line, "warn"),
      outputTopics: this.#driver.outputTopics,
      cameras: () =>
        Promise.resolve(
          this.#plan.cameras.map(({ topic, camera }) =>
            knownCamera(camera, this.#statuses.get(`${topic} ${camera.number}`))
          ),
        ),
      ...viewer,
    });
    this.#context.say(`Viewer: ${this.#viewer.url}`);
  }

  async #stopViewer(): Promise<void> {
    const viewer = this.#viewer;
    this.#viewer = undefined;
    await viewer?.stop();
  }
}
