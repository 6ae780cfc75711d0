// Pages in a process of their own, of which only the sockets are there: each picture is confirmed
// as it comes. Prints `ready`, and one line of JSON at the end.
import { decodePicture, type ServerMessage } from "../../viewer/protocol.ts";
import { print } from "../print.ts";
import { percentile } from "./stats.ts";

export interface ViewersReport {
  readonly pictures: number;
  readonly bytes: number;
  /** Capture to arrival at the page, milliseconds. */
  readonly ageP50: number;
  readonly ageP99: number;
  /** Pictures a second of the tile that got the fewest, and of the median one. */
  readonly slowestTile: number;
  readonly medianTile: number;
}

if (import.meta.main) {
  const [url, count, width, seconds] = Deno.args as [string, string, string, string];
  const ages: number[] = [];
  const tiles = new Map<string, number>();
  let bytes = 0;
  let counting = false;
  const sockets = Array.from({ length: Number(count) }, (_, index) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    let watching = false;
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") {
        const message = JSON.parse(data) as ServerMessage;
        if (watching || message.type !== "lanes" || message.lanes.length === 0) return;
        watching = true;
        const wanted = message.lanes.map(({ id }) => ({ lane: id, width: Number(width) }));
        socket.send(JSON.stringify({ type: "watch", tiles: wanted }));
        return;
      }
      const picture = decodePicture(data);
      socket.send(JSON.stringify({ type: "drawn", tiles: [[picture.lane, picture.sequence]] }));
      if (!counting) return;
      ages.push(Date.now() - picture.timestamp);
      bytes += data.byteLength;
      const tile = `${index} ${picture.lane}`;
      tiles.set(tile, (tiles.get(tile) ?? 0) + 1);
    };
    return socket;
  });
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.onopen = resolve)));
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  print("ready");
  counting = true;
  await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1_000));
  counting = false;
  const rates = [...tiles.values()].map((pictures) => pictures / Number(seconds));
  const report: ViewersReport = {
    pictures: ages.length,
    bytes,
    ageP50: percentile(ages, 0.5),
    ageP99: percentile(ages, 0.99),
    slowestTile: Math.min(...rates),
    medianTile: percentile(rates, 0.5),
  };
  print(JSON.stringify(report));
  Deno.exit(0);
}
