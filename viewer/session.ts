// One page connected to `/ws`. The server queues no pictures for it: a tile is marked as behind, and gets the
// lane's newest picture once the page has drawn the previous ones. A slow page sees fewer pictures, not older
// ones, and one that never reads costs at most what is in flight.
import { given } from "../runtime/base/options.ts";
import type { Lane, LanePicture } from "../runtime/lanes.ts";
import type { Visitor } from "./access.ts";
import type { AlertBook } from "./alerts.ts";
import type { History } from "./history.ts";
import type { Hub } from "./hub.ts";
import { InFlight } from "./in_flight.ts";
import { parsePageMessage } from "./page_message.ts";
import {
  encodePicture,
  type PageMessage,
  type PictureMessage,
  PROTOCOL_VERSION,
  type ServerMessage,
} from "./protocol.ts";
import { Tile } from "./page_tile.ts";
import { pictureInfo } from "./picture.ts";
import { Playback } from "./playback.ts";
import type { ScaledPicture } from "./scaler.ts";
import type { SessionOptions } from "./surroundings.ts";
import { UnitFeed } from "./unit_feed.ts";

/** Pictures in flight per tile: two keep a connection with a long round trip busy. */
const IN_FLIGHT_PER_TILE = 2;
/** Access units in flight per tile, which decodes every one. */
const UNITS_IN_FLIGHT = 24;
/** State messages are skipped while more than this is unsent. */
const STATE_BACKLOG_BYTES = 128 * 1024;
/** A page that draws nothing for this long is gone or frozen, milliseconds. */
const UNREAD_MS = 30_000;
/** A page that draws within this time gets unscaled pictures if there is no time to scale them. */
const NEAR_MS = 250;
/** A tile that has waited this long gets an unscaled picture, since the machine has no time to scale. */
const OVERDUE_MS = 1_000;
/** Playback pauses for a page that draws nothing for this long. */
const STUCK_MS = 3_000;

export class Session {
  readonly #hub: Hub;
  readonly #socket: SessionOptions["socket"];
  readonly #visitor: Visitor;
  /** By lane. */
  readonly #tiles = new Map<string, Tile>();
  readonly #history: History | undefined;
  readonly #stopTicks: () => void;
  readonly #alerts: AlertBook;
  readonly #playback: Playback;
  #alertsSent = 0;
  #sequence = 0;
  readonly #inFlight: InFlight;
  #closed = false;

  constructor({ hub, socket, visitor, alerts, history }: SessionOptions) {
    this.#hub = hub;
    this.#inFlight = new InFlight(hub.clock, () => hub.pages);
    this.#socket = socket;
    this.#visitor = visitor;
    this.#alerts = alerts;
    this.#history = history;
    this.#playback = new Playback({
      history,
      clock: hub.clock,
      lanes: () => hub.lanes(visitor),
      units: (lane) => this.#tiles.get(lane)?.video !== false,
      sent: (lane) => this.#tiles.get(lane)?.sentOffset,
      onPicture: (lane) => {
        const tile = this.#tiles.get(lane);
        if (tile !== undefined) this.#changed(tile);
      },
      onTime: (time) => {
        this.#sendMessage({ type: "time", time });
        for (const tile of this.#tiles.values()) {
          tile.units?.stop();
          tile.behind = true;
          tile.sentOffset = undefined;
        }
        this.#flushAll();
      },
      stuck: () => this.#inFlight.unreadFor > STUCK_MS,
    });
    const hasPast = history !== undefined;
    this.#sendMessage({ type: "hello", version: PROTOCOL_VERSION, now: hub.clock.now(), hasPast });
    this.#sendState();
    this.#stopTicks = hub.onTick(() => this.#tick());
  }

  /** Handles a message of the page. A page that violates the protocol is disconnected. */
  receive(data: unknown): void {
    if (this.#closed) return;
    const message = parsePageMessage(data);
    if (message === undefined) {
      this.#socket.close(1008, "Not a message of the Framelane page");
      this.close();
      return;
    }
    switch (message.type) {
      case "watch":
        this.#watch(message);
        break;
      case "drawn":
        for (const [lane, sequence] of message.tiles) this.#inFlight.drawn(lane, sequence);
        for (const { units } of this.#tiles.values()) units?.drawn();
        this.#flushAll();
        break;
      case "time":
        this.#playback.command(message.generation, message.command);
        break;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopTicks();
    this.#playback.close();
    for (const tile of this.#tiles.values()) this.#remove(tile);
  }

  #watch({ tiles }: Extract<PageMessage, { type: "watch" }>): void {
    const wanted = new Map(tiles.map((tile) => [tile.lane, tile]));
    for (const tile of this.#tiles.values()) if (!wanted.has(tile.lane)) this.#remove(tile);
    const lanes = new Map(this.#hub.lanes(this.#visitor).map((lane) => [lane.id, lane]));
    const shown: Lane[] = [];
    for (const { lane: id, width, video = false } of wanted.values()) {
      const known = this.#tiles.get(id);
      const lane = lanes.get(id);
      if (lane === undefined) continue;
      shown.push(lane);
      if (known !== undefined) {
        if (known.width !== width || known.video !== video) {
          known.width = width;
          known.video = video;
          known.sentOffset = undefined; // resend in the new size
          known.behind = true;
          this.#playback.refresh(lane);
        }
      } else {
        const tile = new Tile({ lane: id, width, video });
        this.#tiles.set(id, tile);
        this.#listen(tile);
      }
    }
    this.#playback.watch(shown);
    this.#flushAll();
  }

  /** Subscribes to what the tile needs. */
  #listen(tile: Tile): void {
    const demand = tile.units === undefined ? "pictures" : "results";
    if (tile.demand === demand) return;
    tile.demand = demand;
    const stop = this.#hub.listen(tile.lane, (picture) => {
      if (this.#playback.live) this.#changed(tile, picture);
    }, demand);
    tile.stop();
    tile.stop = stop;
  }

  /** The current picture of a lane, live or of the playback. */
  #latest(lane: string): LanePicture | undefined {
    return this.#playback.live ? this.#hub.feed.latest(lane) : this.#playback.current(lane);
  }

  #changed(tile: Tile, live?: LanePicture): void {
    if (tile.units !== undefined && live?.result !== undefined) {
      const { offset, result } = live;
      this.#sendMessage({ type: "result", lane: tile.lane, offset, result });
    }
    tile.behind = true;
    this.#flush(tile);
  }

  #remove(tile: Tile): void {
    this.#tiles.delete(tile.lane);
    tile.units?.stop();
    tile.stop();
    this.#inFlight.forget(tile.lane);
  }

  /** Sends what there is room for: first to the tile that has waited longest. */
  #flushAll(): void {
    const tiles = [...this.#tiles.values()].sort((a, b) => a.sentAt - b.sentAt);
    for (const tile of tiles) this.#flush(tile);
  }

  #flush(tile: Tile): void {
    const { scaler, clock } = this.#hub;
    const now = clock.monotonic();
    const { preparing = -Infinity } = tile;
    if (!tile.behind || now - preparing < OVERDUE_MS) return;
    if (this.#closed || this.#showUnits(tile)) return;
    if (!this.#inFlight.room(tile.lane, IN_FLIGHT_PER_TILE)) return;
    const picture = this.#latest(tile.lane);
    if (picture === undefined || picture.offset === tile.sentOffset) {
      tile.behind = false;
      return;
    }
    const { live } = this.#playback;
    // Send a newer one later, at the latest with the next tick.
    if (live && now - tile.sentAt < this.#hub.interval) return;
    const scaled = tile.preparing !== undefined
      ? scaler.whole(picture)
      : live
      ? scaler.live(picture, tile.width) ?? this.#unscaled(tile, picture)
      : scaler.scaled(picture, tile.width);
    if (scaled === undefined) return; // retried with the next picture or confirmation
    tile.preparing = undefined;
    if (!(scaled instanceof Promise)) return this.#send(tile, scaled);
    tile.preparing = now;
    const { generation } = this.#playback;
    void scaled.then((ready) => {
      if (tile.preparing !== now || this.#tiles.get(tile.lane) !== tile) return;
      tile.preparing = undefined;
      const fresh = generation === this.#playback.generation;
      if (fresh && ready.picture.offset !== tile.sentOffset) this.#send(tile, ready);
      this.#flush(tile);
    });
  }

  /** Switches the tile to access units, if the lane has them and the page decodes them. */
  #showUnits(tile: Tile): boolean {
    const picture = this.#latest(tile.lane);
    const history = this.#history;
    const wanted = tile.video && picture?.video !== undefined && history !== undefined;
    // Only for units, since it searches all lanes.
    const lane = wanted ? this.#hub.lane(tile.lane, this.#visitor) : undefined;
    if (!wanted || lane === undefined) {
      // A paused wall keeps its picture until it seeks elsewhere.
      if (tile.units === undefined || (tile.video && picture === undefined)) {
        return tile.units !== undefined;
      }
      tile.units.stop();
      tile.units = undefined;
      this.#listen(tile);
      return false;
    }
    if (tile.units === undefined) {
      tile.units = new UnitFeed({
        history,
        lane,
        send: (unit) => this.#put(tile, unit),
        room: () => this.#inFlight.room(tile.lane, UNITS_IN_FLIGHT),
        onProblem: () => {
          tile.video = false; // its pictures continue
          tile.behind = true;
          this.#playback.refresh(lane);
          this.#flush(tile);
        },
      });
      this.#listen(tile);
    }
    tile.behind = false;
    if (this.#playback.live) tile.units.follow();
    else tile.units.show(picture);
    return true;
  }

  /** The picture unscaled, unless the connection is too slow for it. */
  #unscaled(tile: Tile, picture: LanePicture): ScaledPicture | undefined {
    const overdue = this.#hub.clock.monotonic() - tile.sentAt > OVERDUE_MS;
    return this.#inFlight.drawnAfter < NEAR_MS || overdue
      ? this.#hub.scaler.whole(picture)
      : undefined;
  }

  #send(tile: Tile, { picture, bytes: image, ...rest }: ScaledPicture): void {
    const { offset, timestamp, result } = picture;
    tile.behind = this.#latest(tile.lane)?.offset !== offset;
    this.#put(tile, { ...rest, offset, timestamp, ...given({ result }), image });
  }

  #put(tile: Tile, picture: Omit<PictureMessage, "lane" | "sequence" | "generation">): void {
    const sequence = ++this.#sequence;
    const { generation } = this.#playback;
    const source = given({ source: this.#sourceOf(tile.lane) });
    const message = encodePicture({ lane: tile.lane, sequence, generation, ...picture, ...source });
    tile.sentOffset = picture.offset;
    tile.sentAt = this.#hub.clock.monotonic();
    this.#inFlight.sent(tile.lane, sequence, message.length);
    this.#socket.send(message);
  }

  /** Set if the page shows the camera's picture instead of the query's, which may be grey. */
  #sourceOf(lane: string): PictureMessage["source"] {
    const own = this.#hub.feed.latest(lane);
    // A query that shows access units as they came shows the camera's pictures.
    if (this.#latest(lane)?.source === undefined || own?.video !== undefined) return undefined;
    return { grey: own !== undefined && pictureInfo(own.bytes).components === 1 };
  }

  #tick(): void {
    // Lanes that have ended get no frames that would cause this check.
    this.#playback.liveWhenCaughtUp();
    if (this.#inFlight.unreadFor > UNREAD_MS) {
      this.close();
      this.#socket.close(1001, "Nothing was drawn for a long time");
    } else if (this.#socket.bufferedAmount < STATE_BACKLOG_BYTES) {
      this.#sendState();
      this.#flushAll();
    }
  }

  #sendState(): void {
    this.#socket.send(this.#hub.stateMessage(this.#visitor));
    const { version } = this.#alerts;
    if (version === this.#alertsSent) return;
    this.#sendMessage({
      type: "alerts",
      alerts: this.#alerts.since(this.#alertsSent, this.#visitor),
    });
    this.#alertsSent = version;
  }

  #sendMessage(message: ServerMessage): void {
    this.#socket.send(JSON.stringify(message));
  }
}
