// MP4 files with one H.264 track.
//
// While it grows the file is a fragmented MP4 with a fragment for each picture, so that it can be
// played up to the last one whatever happens. Finished, it is an ordinary MP4: an index of all
// pictures stands at its end, and one box, whose header was kept free for it, hides the fragments.
// Nothing is copied for that, and it can be undone.
import { concatenated } from "../base/bytes.ts";
import type { Appended, Container, Sample, Track } from "./container.ts";
import type { FrameIndex } from "./frame_index.ts";
import { ascii, box, column, fullBox, u16, u32, u64 } from "./mp4_box.ts";

/** Ticks a second. */
const TIMESCALE = 1000;
const KEY_FLAGS = 0x02000000;
const OTHER_FLAGS = 0x01010000;
/** Bytes of a fragment around its picture. */
const FRAGMENT_BYTES = 108;
const MATRIX = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);
/** Seconds from 1904, where MP4 begins to count, to 1970. */
const EPOCH = 2_082_844_800;

const FTYP = box("ftyp", ascii("isom"), u32(0x200), ascii("isomiso6avc1mp41"));
/** Takes the header of a box with a 64-bit size later. */
const PLACEHOLDER = box("free", new Uint8Array(8));

/** H.264 in MP4. */
export const mp4: Container = {
  ending: "mp4",
  headerGrows: false,

  accepts: () => true,

  header(track) {
    const trex = fullBox("trex", 0, 0, u32(1, 1, 0, 0, 0));
    const moov = box("moov", mvhd(track, 0), trak(track, 0, emptyTables()), box("mvex", trex));
    return concatenated([FTYP, PLACEHOLDER, moov]);
  },

  append(_, sample): Appended {
    return {
      bytes: [fragmentHeader(sample), sample.data],
      entry: { size: sample.data.length, key: sample.key, step: sample.delta },
    };
  },

  finish(track, index, length, lastDelta) {
    let duration = lastDelta;
    for (let i = 1; i < index.length; i++) duration += index.step(i);
    const tables = indexTables(index, lastDelta, mp4.header(track).length);
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, 1);
    bytes.set(ascii("mdat"), 4);
    view.setBigUint64(8, BigInt(length - FTYP.length));
    return {
      tail: box("moov", mvhd(track, duration), trak(track, duration, tables)),
      patch: { position: FTYP.length, bytes },
    };
  },
};

function fragmentHeader({ data, key, time, delta, offset }: Sample): Uint8Array {
  const bytes = new Uint8Array(FRAGMENT_BYTES);
  const trun = u32(1, FRAGMENT_BYTES, delta, data.length, key ? KEY_FLAGS : OTHER_FLAGS);
  bytes.set(box(
    "moof",
    // Sequence numbers must grow; source offsets do, and so each fragment tells where it is from.
    fullBox("mfhd", 0, 0, u32((offset + 1) % 2 ** 32)),
    box(
      "traf",
      fullBox("tfhd", 0, 0x020000, u32(1)),
      fullBox("tfdt", 1, 0, u64(time)),
      fullBox("trun", 0, 0x000701, trun),
    ),
  ));
  new DataView(bytes.buffer).setUint32(FRAGMENT_BYTES - 8, data.length + 8);
  bytes.set(ascii("mdat"), FRAGMENT_BYTES - 4);
  return bytes;
}

function mvhd(track: Track, duration: number): Uint8Array {
  const parts = [u32(0x10000), u16(0x100, 0), u32(0, 0), MATRIX, new Uint8Array(24), u32(2)];
  return fullBox("mvhd", 1, 0, ...timesOf(track, duration), ...parts);
}

/** When a file was made, and how long it is. */
function timesOf({ startTimestamp }: Track, duration: number): readonly Uint8Array[] {
  const created = secondsOf(startTimestamp);
  return [u64(created, created), u32(TIMESCALE), u64(duration)];
}

function trak(track: Track, duration: number, tables: readonly Uint8Array[]): Uint8Array {
  const { width, height, startTimestamp } = track;
  const created = secondsOf(startTimestamp);
  const tkhd = fullBox(
    "tkhd",
    1,
    3,
    u64(created, created),
    u32(1, 0),
    u64(duration),
    u32(0, 0),
    u16(0, 0, 0, 0),
    MATRIX,
    u32(width * 0x10000, height * 0x10000),
  );
  const mdhd = fullBox("mdhd", 1, 0, ...timesOf(track, duration), u16(0x55c4, 0));
  const hdlr = fullBox("hdlr", 0, 0, u32(0), ascii("vide"), u32(0, 0, 0), ascii("Framelane\0"));
  const dref = fullBox("dref", 0, 0, u32(1), fullBox("url ", 0, 1));
  const minf = box(
    "minf",
    fullBox("vmhd", 0, 1, u16(0, 0, 0, 0)),
    box("dinf", dref),
    box("stbl", stsd(track), ...tables),
  );
  return box("trak", tkhd, box("mdia", mdhd, hdlr, minf));
}

function stsd({ width, height, configuration }: Track): Uint8Array {
  const [, codec, record] = /^(?:(\w+):)?(.*)$/.exec(configuration)!;
  const [sample, description] = codec === "h265" ? ["hvc1", "hvcC"] : ["avc1", "avcC"];
  // What was encoded here has colours as JPEG has them: BT.601 matrix, full range. Access units that
  // pass as they came say themselves which they have.
  const colr = codec === undefined ? [box("colr", ascii("nclx"), u16(2, 2, 5), [0x80])] : [];
  const entry = box(
    sample,
    [0, 0, 0, 0, 0, 0],
    u16(1),
    new Uint8Array(16),
    u16(width, height),
    u32(0x480000, 0x480000, 0),
    u16(1),
    new Uint8Array(32),
    u16(0x18, 0xffff),
    box(description, Uint8Array.fromBase64(record!)),
    ...colr,
  );
  return fullBox("stsd", 0, 0, u32(1), entry);
}

function emptyTables(): Uint8Array[] {
  const empty = (type: string) => fullBox(type, 0, 0, u32(0));
  return [empty("stts"), empty("stsc"), fullBox("stsz", 0, 0, u32(0, 0)), empty("stco")];
}

function indexTables(index: FrameIndex, lastDelta: number, headerBytes: number): Uint8Array[] {
  const { length } = index;
  // A picture lasts until the next one comes.
  const deltaAt = (i: number) => i + 1 < length ? index.step(i + 1) : lastDelta;
  const runs: number[] = [];
  const keys: number[] = [];
  const positions = new Float64Array(length);
  let position = headerBytes;
  for (let i = 0; i < length; i++) {
    if (runs.at(-1) === deltaAt(i)) runs[runs.length - 2]!++;
    else runs.push(1, deltaAt(i));
    if (index.isKey(i)) keys.push(i + 1);
    positions[i] = position + FRAGMENT_BYTES;
    position = positions[i]! + index.size(i);
  }
  const large = position >= 2 ** 32;
  return [
    fullBox("stts", 0, 0, u32(runs.length / 2), u32(runs)),
    fullBox("stss", 0, 0, u32(keys.length), u32(keys)),
    fullBox("stsc", 0, 0, u32(1, 1, 1, 1)),
    fullBox("stsz", 0, 0, u32(0, length), column(32, length, (i) => index.size(i))),
    large
      ? fullBox("co64", 0, 0, u32(length), column(64, length, (i) => positions[i]!))
      : fullBox("stco", 0, 0, u32(length), column(32, length, (i) => positions[i]!)),
  ];
}

function secondsOf(timestamp: number): number {
  return Math.max(0, Math.floor(timestamp / 1000) + EPOCH);
}
