// The registered cameras of a process, and their reports.
import { Camera, type CameraHost, type CameraStats } from "../cameras/camera.ts";
import type { MeasuredCamera } from "../cameras/metrics.ts";
import { makeSource } from "../cameras/open.ts";
import type { CameraRegistry, RegisteredCamera } from "../cameras/registry.ts";
import { type CameraSettings, settingsOf } from "../cameras/settings.ts";
import { CameraSupervisor, type SupervisedCamera } from "../cameras/supervisor.ts";
import { cameraTitle, Meter, summaryLine, summaryText } from "./camera_text.ts";
import type { CommandContext, LogLevel } from "./command.ts";
import { ProgressBar } from "./progress_bar.ts";

interface FleetOptions {
  readonly host: CameraHost;
  readonly registry: Pick<CameraRegistry, "list" | "setStatus">;
  readonly json: boolean;
  /** Without a progress bar. */
  readonly quiet?: boolean;
  readonly pollMs?: number;
}

const PROGRESS_EVERY_MS = 5_000;
const BAR_EVERY_MS = 200;

/** Counts of a camera over all its runs. */
interface Account {
  readonly meter: Meter;
  past: CameraStats | undefined;
  now: Camera | undefined;
  settings: CameraSettings;
}

export class CameraFleet {
  readonly #options: FleetOptions;
  readonly #context: CommandContext;
  readonly #accounts = new Map<number, Account>();
  readonly #bar = new ProgressBar({ title: "Cameras" });
  readonly #supervisor: CameraSupervisor;
  readonly #writes = new Set<Promise<unknown>>();

  constructor(options: FleetOptions, context: CommandContext) {
    this.#options = options;
    this.#context = context;
    this.#supervisor = new CameraSupervisor({
      registry: options.registry,
      run: (camera, signal) => this.#start(camera, signal),
      clock: options.host.clock,
      signal: context.signal,
      report: (message, number) => this.#report(message, number),
      onChange: (camera) => this.#write(camera),
      ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
    });
  }

  /** Runs until the command is stopped, then prints a summary for each camera. */
  async run(): Promise<void> {
    const { json, host } = this.#options;
    const begun = host.clock.monotonic();
    const progress = setInterval(() => this.#progress(), PROGRESS_EVERY_MS);
    const bar = setInterval(() => this.#draw(), BAR_EVERY_MS);
    try {
      await this.#supervisor.run();
    } finally {
      await Promise.all(this.#writes);
      clearInterval(progress);
      clearInterval(bar);
      this.#bar.clear();
    }
    const seconds = Math.round(host.clock.monotonic() - begun) / 1000;
    for (const { number, stats } of this.measured()) {
      const text = json ? summaryLine : summaryText;
      this.#context.print(text(number, this.#accountOf(number).settings, stats, seconds));
    }
  }

  /** All cameras that have run here, by number. */
  measured(): MeasuredCamera[] {
    return [...this.#accounts].sort(([a], [b]) => a - b)
      .flatMap(([number, { settings: { name }, past, now }]) => {
        const stats = now ? sum(past, now.stats) : past;
        return stats === undefined ? [] : [{ number, name, stats }];
      });
  }

  async #start(camera: RegisteredCamera, signal: AbortSignal) {
    const { number, source: text } = camera;
    const settings = settingsOf(camera);
    const { host } = this.#options;
    const source = await makeSource(text, settings, signal);
    const account = this.#accountOf(number);
    account.settings = settings;
    this.#report(
      `${source.description} to partition ${number - 1} of ${host.topic}`,
      number,
      "info",
    );
    const launched = new Camera(host, {
      number,
      source,
      signal,
      report: (message) => this.#report(message, number),
      settings,
      onFailure: (error) => this.#supervisor.failed(number, error),
    });
    account.now = launched;
    try {
      await launched.ended;
      return launched.stats;
    } finally {
      account.past = sum(account.past, launched.stats);
      account.now = undefined;
    }
  }

  #accountOf(number: number): Account {
    const known = this.#accounts.get(number);
    if (known !== undefined) return known;
    const meter = new Meter(this.#options.host.clock.monotonic());
    const account = { meter, past: undefined, now: undefined, settings: {} };
    this.#accounts.set(number, account);
    return account;
  }

  #write({ number, ...status }: SupervisedCamera): void {
    const write = this.#options.registry.setStatus(number, status).catch((error: Error) => {
      this.#report(`Cannot store its status: ${error.message}`, number);
    }).finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  #report(message: string, number?: number, level: LogLevel = "warn"): void {
    this.#bar.clear();
    const { settings } = this.#accounts.get(number ?? 0) ?? {};
    this.#context.say(
      number === undefined ? message : `${cameraTitle(number, settings)}: ${message}`,
      level,
    );
  }

  #progress(): void {
    if (!this.#options.json) return;
    const states = new Map(this.#supervisor.cameras.map((camera) => [camera.number, camera]));
    const now = this.#options.host.clock.monotonic();
    for (const { number, stats } of this.measured()) {
      const { state = "stopped", restarts = 0, error } = states.get(number) ?? {};
      const { meter, settings } = this.#accountOf(number);
      const counts = meter.progress(number, settings, stats, now);
      const progress = { ...counts, state, restarts, ...(error === undefined ? {} : { error }) };
      this.#context.print(JSON.stringify({ type: "progress", progress }));
    }
  }

  #draw(): void {
    if (this.#options.json || this.#options.quiet) return;
    const { cameras } = this.#supervisor;
    const running = cameras.filter(({ state }) => state === "running").length;
    const all = this.measured().map(({ stats }) => stats);
    const { published = 0, dropped = 0, late = 0 } = all.length > 0 ? all.reduce(sum) : {};
    this.#bar.update(
      running,
      undefined,
      `${running} of ${cameras.length} running, ${published} frames published, ${dropped} dropped` +
        (late > 0 ? `, ${late} late` : ""),
    );
  }
}

/** Adds counts; takes the current state from `now`. */
function sum(past: CameraStats | undefined, now: CameraStats): CameraStats {
  if (past === undefined) return now;
  const { lastTimestamp = past.lastTimestamp, buffered } = now;
  return {
    ...added(past, now),
    stream: { ...past.stream, ...now.stream },
    buffered,
    ...(lastTimestamp === undefined ? {} : { lastTimestamp }),
  };
}

/** Adds the numbers of both, field by field. */
function added<T extends object>(a: T, b: T): T {
  const sums: Record<string, unknown> = Object.fromEntries(Object.entries(a));
  for (const [name, value] of Object.entries(b)) {
    const before = sums[name];
    if (typeof value === "number") sums[name] = (typeof before === "number" ? before : 0) + value;
    else if (typeof value === "object") sums[name] = added(Object(before), Object(value));
  }
  return sums as T;
}
