// The registered cameras of a process, and their reports.
import type { CameraHost } from "../cameras/camera.ts";
import type { MeasuredCamera } from "../cameras/metrics.ts";
import { makeSource, settingRemarks } from "../cameras/open.ts";
import type { CameraRegistry, CameraStatus, RegisteredCamera } from "../cameras/registry.ts";
import { settingsOf } from "../cameras/settings.ts";
import { CameraSupervisor } from "../cameras/supervisor.ts";
import type { CommandContext, LogLevel } from "./command.ts";
import { counted } from "./output.ts";
import { ProgressBar } from "./progress_bar.ts";
import { cameraTitle, RunningCamera } from "./running_camera.ts";

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

export class CameraFleet {
  readonly #options: FleetOptions;
  readonly #context: CommandContext;
  /** The latest of each number, removed ones too; a changed camera is another. */
  readonly #members = new Map<number, RunningCamera>();
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
    for (const member of this.#inOrder()) this.#summarise(member);
  }

  #summarise(member: RunningCamera): void {
    this.#context.print(member.summary(this.#options.json));
  }

  /** All cameras that have run here and were not removed, by number. */
  measured(): MeasuredCamera[] {
    return this.#inOrder().filter(({ camera }) => camera.status.state !== "stopped")
      .map(({ measured }) => measured);
  }

  #inOrder(): RunningCamera[] {
    return [...this.#members].sort(([a], [b]) => a - b).map(([, member]) => member);
  }

  async #run(registered: RegisteredCamera, signal: AbortSignal): Promise<void> {
    const { number, source: text } = registered;
    const settings = settingsOf(registered);
    const { host } = this.#options;
    const before = this.#members.get(number);
    if (before !== undefined) this.#summarise(before);
    let announced = false;
    const member = new RunningCamera(host, {
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
    this.#members.set(number, member);
    await member.camera.ended;
    const frames = counted(member.camera.stats.published, "frame");
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
    const title = number === undefined
      ? undefined
      : this.#members.get(number)?.title ?? cameraTitle(number);
    this.#context.say(title === undefined ? message : `${title}: ${message}`, level);
  }

  #progress(): void {
    if (!this.#options.json) return;
    for (const member of this.#inOrder()) this.#context.print(member.progress());
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
