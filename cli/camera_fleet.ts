// The registered cameras of a process, and their reports.
import { given } from "../runtime/base/options.ts";
import { Camera, type CameraHost } from "../cameras/camera.ts";
import type { MeasuredCamera } from "../cameras/metrics.ts";
import { makeSource, settingRemarks } from "../cameras/open.ts";
import type { CameraRegistry, CameraStatus, RegisteredCamera } from "../cameras/registry.ts";
import { type CameraSettings, settingsOf } from "../cameras/settings.ts";
import { CameraSupervisor } from "../cameras/supervisor.ts";
import { cameraTitle, Meter, summaryOf } from "./camera_text.ts";
import type { CommandContext, LogLevel } from "./command.ts";
import { counted } from "./output.ts";
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

/** A camera as registered; a changed one is another. */
interface Member {
  readonly camera: Camera;
  readonly settings: CameraSettings;
  readonly meter: Meter;
}

export class CameraFleet {
  readonly #options: FleetOptions;
  readonly #context: CommandContext;
  /** The latest of each number, removed ones too. */
  readonly #members = new Map<number, Member>();
  readonly #bar = new ProgressBar({ title: "Cameras" });
  readonly #supervisor: CameraSupervisor;
  readonly #writes = new Set<Promise<unknown>>();

  constructor(options: FleetOptions, context: CommandContext) {
    this.#options = options;
    this.#context = context;
    this.#supervisor = new CameraSupervisor({
      registry: options.registry,
      run: (camera, signal) => this.#run(camera, signal),
      clock: options.host.clock,
      signal: context.signal,
      report: (message, number) => this.#report(message, number),
      ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
    });
  }

  /** Runs until the command is stopped, then prints a summary for each camera; for a changed one also at the change. */
  async run(): Promise<void> {
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
    for (const [number, member] of this.#inOrder()) this.#summarise(number, member);
  }

  #summarise(number: number, { camera, settings, meter }: Member): void {
    const { json, host } = this.#options;
    const seconds = meter.seconds(host.clock.monotonic());
    this.#context.print(summaryOf(number, settings, camera.stats, seconds, json));
  }

  /** All cameras that have run here and were not removed, by number. */
  measured(): MeasuredCamera[] {
    const { topic } = this.#options.host;
    return this.#inOrder().filter(([, { camera }]) => camera.status.state !== "stopped")
      .map(([number, { camera, settings: { name } }]) => (
        { topic, number, name, stats: camera.stats }
      ));
  }

  #inOrder(): [number, Member][] {
    return [...this.#members].sort(([a], [b]) => a - b);
  }

  async #run(registered: RegisteredCamera, signal: AbortSignal): Promise<void> {
    const { number, source: text } = registered;
    const settings = settingsOf(registered);
    const { host } = this.#options;
    const before = this.#members.get(number);
    if (before !== undefined) this.#summarise(number, before);
    let announced = false;
    const camera = new Camera(host, {
      number,
      source: async () => {
        const source = await makeSource(text, settings, signal);
        const to = `partition ${number - 1} of ${host.topic}`;
        if (!announced) {
          this.#report(`${source.description} to ${to}`, number, "info");
          for (const remark of settingRemarks(text, settings)) this.#report(remark, number);
        }
        announced = true;
        return source;
      },
      signal,
      report: (message) => this.#report(message, number),
      settings,
      keepTrying: true,
      onStatus: (status) => this.#write(number, status),
    });
    const meter = new Meter(host.clock.monotonic());
    this.#members.set(number, { camera, settings, meter });
    await camera.ended;
    meter.end(host.clock.monotonic());
    const frames = counted(camera.stats.published, "frame");
    if (!signal.aborted) this.#report(`ended after ${frames}`, number);
  }

  #write(number: number, status: CameraStatus): void {
    const write = this.#options.registry.setStatus(number, status).catch((error: Error) => {
      this.#report(`Cannot store its status: ${error.message}`, number);
    }).finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  #report(message: string, number?: number, level: LogLevel = "warn"): void {
    this.#bar.clear();
    const { settings } = this.#members.get(number ?? 0) ?? {};
    this.#context.say(
      number === undefined ? message : `${cameraTitle(number, settings)}: ${message}`,
      level,
    );
  }

  #progress(): void {
    if (!this.#options.json) return;
    const now = this.#options.host.clock.monotonic();
    for (const [number, { camera: { status, stats }, settings, meter }] of this.#inOrder()) {
      const { state, restarts, error } = status;
      const counts = meter.progress(number, settings, stats, now);
      const progress = { ...counts, state, restarts, ...given({ error }) };
      this.#context.print(JSON.stringify({ type: "progress", progress }));
    }
  }

  #draw(): void {
    if (this.#options.json || this.#options.quiet) return;
    const cameras = [...this.#members.values()].map(({ camera }) => camera);
    const present = cameras.filter(({ status }) => status.state !== "stopped");
    const running = present.filter(({ status }) => status.state === "running").length;
    const total = (count: "published" | "dropped" | "late") =>
      cameras.reduce((sum, { stats }) => sum + stats[count], 0);
    const late = total("late");
    this.#bar.update(
      running,
      undefined,
      `${running} of ${present.length} running, ${total("published")} frames published, ${
        total("dropped")
      } dropped` + (late > 0 ? `, ${late} late` : ""),
    );
  }
}
