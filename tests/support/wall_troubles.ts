// What goes wrong around a real wall: cameras, queries, runtime and log in processes of their own, the page
// in Chromium. Each kind of trouble is measured from its beginning until everything that tells of it is right.
import { openState } from "../../cameras/registry.ts";
import { withBrowser } from "../viewer/browser.ts";
import { paintCode } from "./fake_lanes.ts";
import { withFolder } from "./folder.ts";
import type { FramelaneProcess } from "./framelane.ts";
import { HttpCamera } from "./http_camera.ts";
import { FPS, type Told, TroubledWall } from "./troubled_wall.ts";
import { FAKETIME } from "../../tools/debian.ts";
import { until } from "./until.ts";

/** A kind of trouble, and how long it took until it was known everywhere, milliseconds. */
export interface Truth {
  readonly kind: string;
  readonly ms: number;
}

/** One kind of trouble of one camera. */
interface Trouble {
  readonly kind: string;
  readonly begin: () => void | Promise<void>;
  readonly isTold: (told: Told) => boolean;
  readonly end?: () => void | Promise<void>;
}

// Without a rate a silence may be the camera's own pace: it is told later.
const isLive = ({ tiles, lanes }: Told, number: number) =>
  tiles.get(number)?.condition === "live" && lanes.get(number)!.framesPerSecondIn >= 2;

const HOLDS = "query holds its thread";

const isStalled = ({ tiles, lanes }: Told, number: number) =>
  tiles.get(number)?.condition === "stalled" &&
  /^No frames since/.test(tiles.get(number)!.title) && tiles.get(number)!.age !== "" &&
  lanes.get(number)?.stalledSince !== undefined;

const hasTrouble = ({ tiles, lanes }: Told, number: number, says: RegExp) =>
  tiles.get(number)?.condition === "stalled" && says.test(tiles.get(number)!.title) &&
  says.test(lanes.get(number)?.trouble ?? "");

const stateIs = ({ metrics }: Told, number: number, state: number) =>
  new RegExp(`query_state\\{[^}]*partition="${number - 1}"[^}]*\\} ${state}\\b`).test(metrics);

/** Runs the kinds of trouble whose names `wants`: at once, but for the held thread, then those of the whole machine. */
export async function measureTroubles(wants: (kind: string) => boolean): Promise<Truth[]> {
  const truths: Truth[] = [];
  const password = new HttpCamera();
  const gone = new HttpCamera();
  await withFolder(async (folder) => {
    const kv = await openState(`${folder}/cameras.kv`);
    const wall = new TroubledWall(folder, kv);
    try {
      const pattern = "pattern:?size=160x120";
      await Deno.mkdir(wall.file("film"));
      for (let i = 0; i < 6 * FPS; i++) {
        const name = String(i).padStart(3, "0");
        await Deno.writeFile(wall.file(`film/${name}.jpg`), paintCode(0, i, 160, 120));
      }
      const hold = (number: number) => wall.file(`hold-${number - 1}`);
      const fail = (number: number) => wall.file(`throw-${number - 1}`);
      let killed: FramelaneProcess, stopped: FramelaneProcess;
      const all: readonly (readonly [number, () => unknown, Trouble])[] = [
        [1, () => wall.register({ number: 1, source: password.url }), {
          kind: "camera refuses the password",
          begin: () => void (password.refuses = true),
          isTold: (told) => hasTrouble(told, 1, /^The camera refuses the password$/),
          end: () => void (password.refuses = false),
        }],
        [2, () => wall.register({ number: 2, source: pattern }), {
          kind: "camera removed",
          begin: () => wall.remove(2),
          isTold: ({ tiles, lanes }) => !tiles.has(2) && lanes.get(2)?.removed === true,
          end: () => wall.register({ number: 2, source: pattern }),
        }],
        [3, () => wall.register({ number: 3, source: pattern }), {
          kind: "query fails again and again",
          begin: () => Deno.writeTextFile(fail(3), ""),
          isTold: (told) =>
            told.tiles.get(3)?.condition === "restarting" && stateIs(told, 3, 2) &&
            told.tiles.get(3)!.title === "Query is restarting" &&
            /The gate is stuck/.test(told.lanes.get(3)?.exception ?? ""),
          end: () => Deno.remove(fail(3)),
        }],
        [4, () => killed = wall.startCamera(4), {
          kind: "camera killed (SIGKILL)",
          begin: () => killed.kill(),
          isTold: (told) => isStalled(told, 4),
          end: () => void wall.startCamera(4),
        }],
        [5, () => wall.register({ number: 5, source: gone.url }), {
          kind: "camera gone from the network",
          begin: () => gone.close(),
          isTold: (told) => hasTrouble(told, 5, /^Cannot /),
        }],
        [6, () => wall.register({ number: 6, source: wall.file("film"), loop: false }), {
          kind: "film ended",
          // It has ended since, or does soon: measured from its last frame on.
          begin: () => {},
          isTold: (told) => hasTrouble(told, 6, /^The recording ended$/),
        }],
        [7, () => stopped = wall.startCamera(7), {
          kind: "camera held (SIGSTOP)",
          begin: () => stopped.signal("SIGSTOP"),
          isTold: (told) => isStalled(told, 7),
          end: () => stopped.signal("SIGCONT"),
        }],
        [8, () => wall.register({ number: 8, source: pattern }), {
          kind: HOLDS,
          begin: () => Deno.writeTextFile(hold(8), ""),
          isTold: (told) => isStalled(told, 8),
          end: () => Deno.remove(hold(8)),
        }],
        [9, () => wall.startCamera(9, ["env", `LD_PRELOAD=${FAKETIME}`, "FAKETIME=-1h"]), {
          kind: "camera's clock an hour behind",
          begin: () => {},
          isTold: ({ tiles }) => /^1 h.* old$/.test(tiles.get(9)?.age ?? ""),
        }],
      ];
      const chosen = all.filter(([, , { kind }]) => wants(kind));
      for (const [, setUp] of chosen) await setUp();
      wall.startCameras();
      await wall.startRuntime();
      await withBrowser(async (open) => {
        const page = await open(wall.url);
        let told: Told | undefined;
        const tells = async (what: string, condition: (told: Told) => boolean) => {
          try {
            await until(what, async () => condition(told = await wall.told(page)));
          } catch (error) {
            const { tiles, banner, ready } = told!;
            const said = JSON.stringify({ tiles: [...tiles], banner, ready });
            throw new Error(`${(error as Error).message}\n${said}\n${wall.runtime.output()}`);
          }
        };
        // A film may have ended by then.
        const numbers = chosen.flatMap(([number, , { kind }]) =>
          kind === "film ended" ? [] : number
        );
        await tells(
          "all are live",
          (now) => now.ready === "200 ready" && numbers.every((number) => isLive(now, number)),
        );

        const begun = new Map<string, number>();
        const known = new Map<string, number>();
        // A lane that shares the thread that is held is moved first, and its last frame comes with that.
        for (const holds of [false, true]) {
          const wave = chosen.filter(([, , { kind }]) => (kind === HOLDS) === holds);
          await Promise.all(wave.map(async ([, , { kind, begin }]) => {
            begun.set(kind, Date.now());
            await begin();
          }));
          await tells("each says what is wrong", (now) => {
            for (const [number, , { kind, isTold }] of wave) {
              if (known.has(kind) || !isTold(now)) continue;
              const from = kind === "film ended"
                ? now.lanes.get(number)!.lastFrameTimestamp!
                : begun.get(kind)!;
              known.set(kind, now.at - from);
            }
            return wave.every(([, , { kind }]) => known.has(kind));
          });
        }
        truths.push(...[...known].map(([kind, ms]) => ({ kind, ms })));

        const healed = chosen.filter(([, , { end }]) => end !== undefined);
        for (const [, , { end }] of healed) await end!();
        await tells("they heal", (now) => healed.every(([number]) => isLive(now, number)));

        const whole = async (kind: string, begin: () => unknown, banner: RegExp) => {
          if (!wants(kind)) return false;
          const from = Date.now();
          await begin();
          await page.locator("#banner").getByText(banner).waitFor();
          truths.push({ kind, ms: Date.now() - from });
          return true;
        };
        const runsOn = (now: Told) =>
          now.banner === "" && healed.every(([number]) => isLive(now, number));
        const held = () => wall.runtime.signal("SIGSTOP");
        if (
          await whole("runtime and viewer held (SIGSTOP)", held, /^The server does not answer$/)
        ) {
          wall.runtime.signal("SIGCONT");
          await tells("it continues", runsOn);
        }
        const kill = () => wall.runtime.kill();
        if (await whole("runtime and viewer killed (SIGKILL)", kill, /^Connection lost/)) {
          await wall.startRuntime();
          await tells("they are back", runsOn);
        }
        const remove = async () => {
          // They would make it again.
          await wall.stopCameras();
          await Deno.remove(wall.file("log"), { recursive: true });
        };
        if (await whole("log's folder deleted", remove, /^Connection lost|Retrying …$|restart$/)) {
          const { runtime } = wall;
          const saysWhy = () => runtime.hasEnded && /deleted or replaced/.test(runtime.output());
          await until("the command stops, and says what is lost", saysWhy);
        }
      });
    } finally {
      await wall.stop();
      kv.close();
      await password.close();
      await gone.close().catch(() => {});
    }
  });
  return truths;
}
