// A wall as it is run: cameras of a registry, cameras alone, queries with the viewer; and all that they say.
import type { Page } from "playwright-core";
import { CameraRegistry, type RegisteredCamera } from "../../cameras/registry.ts";
import type { LaneView } from "../../viewer/protocol.ts";
import { FramelaneProcess, ROOT } from "./framelane.ts";

/** Pictures a second of each camera. */
export const FPS = 10;

/** What a tile says. */
interface Said {
  readonly condition: string;
  readonly title: string;
  readonly age: string;
}

/** All that tells of the lanes, at one moment. */
export interface Told {
  /** When the page was looked at, epoch milliseconds. */
  readonly at: number;
  readonly tiles: ReadonlyMap<number, Said>;
  readonly lanes: ReadonlyMap<number, LaneView>;
  readonly metrics: string;
  readonly ready: string;
  readonly banner: string;
}

/** A wall with cameras, and the ways to break them. */
export class TroubledWall {
  readonly #folder: string;
  readonly #registry: CameraRegistry;
  readonly #cameras = new Map<string, FramelaneProcess>();
  #runtime: FramelaneProcess | undefined;
  #port = 0;

  constructor(folder: string, kv: Deno.Kv) {
    this.#folder = folder;
    this.#registry = new CameraRegistry(kv);
  }

  get log(): string {
    return `embedded:${this.#folder}/log`;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  get runtime(): FramelaneProcess {
    return this.#runtime!;
  }

  file(name: string): string {
    return `${this.#folder}/${name}`;
  }

  register(camera: RegisteredCamera): Promise<void> {
    return this.#registry.add({ fps: FPS, name: `Door ${camera.number}`, ...camera });
  }

  async remove(number: number): Promise<void> {
    await this.#registry.remove(number);
  }

  /** Runs all cameras of the registry. */
  startCameras(): void {
    this.#cameras.set(
      "registry",
      new FramelaneProcess([
        "cameras",
        "run",
        "--state",
        this.file("cameras.kv"),
        "--log",
        this.log,
      ]),
    );
  }

  /** Runs one camera in a process of its own. */
  startCamera(number: number, within: readonly string[] = []): FramelaneProcess {
    const process = new FramelaneProcess([
      ...["camera", String(number), "--source", "pattern:?size=160x120", "--fps", String(FPS)],
      ...["--log", this.log, "--state", this.file(`camera-${number}.kv`)],
    ], { within });
    this.#cameras.set(String(number), process);
    return process;
  }

  /** Runs queries and viewer; again at the same address. */
  async startRuntime(): Promise<void> {
    const runtime = this.#runtime = new FramelaneProcess([
      ...["queries", `${ROOT}tests/support/queries/troubled.ts`, "--no-check"],
      ...["--log", this.log, "--cameras", this.file("cameras.kv"), "--port", String(this.#port)],
    ], { env: { FRAMELANE_TEST_TROUBLE: this.#folder } });
    const address = () =>
      runtime.said.map((line) => /http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]).find(Boolean);
    await runtime.until("the viewer", () => address() !== undefined);
    this.#port = Number(address());
  }

  /** What everything says now. */
  async told(page: Page): Promise<Told> {
    const get = async (path: string) => {
      try {
        const response = await fetch(this.url + path, { signal: AbortSignal.timeout(10_000) });
        return { status: response.status, text: await response.text() };
      } catch {
        return { status: 0, text: "" }; // it is held, or gone
      }
    };
    const [seen, lanes, metrics, ready] = await Promise.all([
      page.evaluate(() => {
        // deno-lint-ignore no-explicit-any
        const { document } = globalThis as any;
        const text = (node: { hidden: boolean; textContent: string } | null) =>
          node === null || node.hidden ? "" : node.textContent;
        return {
          at: Date.now(),
          banner: text(document.getElementById("banner")),
          // deno-lint-ignore no-explicit-any
          tiles: [...document.querySelectorAll(".tile")].map((tile: any) => ({
            lane: tile.dataset.lane as string,
            condition: tile.dataset.condition as string,
            title: text(tile.querySelector(".notice strong")),
            age: text(tile.querySelector(".age")),
          })),
        };
      }),
      get("api/lanes"),
      get("metrics"),
      get("readyz"),
    ]);
    const number = (lane: string) => Number(/^troubled-(\d+)$/.exec(lane)?.[1] ?? NaN) + 1;
    return {
      tiles: new Map(seen.tiles.map(({ lane, ...said }) => [number(lane), said])),
      lanes: new Map(
        (lanes.status === 200 ? JSON.parse(lanes.text) as LaneView[] : [])
          .map((lane) => [number(lane.id), lane]),
      ),
      metrics: metrics.text,
      ready: `${ready.status} ${ready.text.trim()}`,
      banner: seen.banner,
      at: seen.at,
    };
  }

  async stopCameras(): Promise<void> {
    for (const process of this.#cameras.values()) await process.kill();
  }

  async stop(): Promise<void> {
    await this.stopCameras();
    await this.#runtime?.kill();
  }
}
