import { BadFrameError } from "../../../../runtime/definition/frame.ts";
import { inspectImage } from "../../../../runtime/image/inspect.ts";
import { decodeHalfSize } from "../../../../runtime/image/kernels/half_size.ts";
import { Kernels } from "../../../../runtime/image/kernels/kernels.ts";
import { takeLuma } from "../../../../runtime/image/kernels/luma_jpeg.ts";
import { repaired } from "../../../../runtime/image/kernels/repair.ts";
import { encoded, jpegOf } from "../fixtures.ts";

/** What became of damaged files. */
export interface FuzzCounts {
  readonly files: number;
  /** Pictures that kernels took. */
  readonly taken: number;
  /** Files that were repaired. */
  readonly repaired: number;
}

/**
 * Damages JPEGs, most of all their segments' lengths and counts, and gives each to all kernels.
 *
 * @throws whatever a kernel throws, with the file's number: nothing but a `BadFrameError` is right.
 */
export async function fuzzKernels(files: number, seed: number): Promise<FuzzCounts> {
  const bases = [
    Deno.readFileSync(new URL("./restarts.jpg", import.meta.url)),
    jpegOf(70, 50),
    jpegOf(17, 120),
    await encoded(50, 40, (image) => image.jpeg({ chromaSubsampling: "4:4:4" })),
    await encoded(50, 40, (image) => image.toColourspace("b-w").jpeg()),
    await encoded(50, 40, (image) => image.jpeg({ progressive: true })),
  ].map((bytes) => ({ bytes, segments: segmentsOf(bytes) }));
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  const kernels = new Kernels();
  let taken = 0, repairs = 0;
  const roads = [
    (file: Uint8Array) => void (decodeHalfSize(kernels, file) && taken++),
    (file: Uint8Array) => void (takeLuma(kernels, file) && taken++),
    (file: Uint8Array) => void (repaired(file) && repairs++),
    (file: Uint8Array) => void inspectImage(file),
  ];
  for (let n = 0; n < files; n++) {
    const file = damage(bases[n % bases.length]!, random);
    for (const road of roads) {
      try {
        road(file);
      } catch (error) {
        if (error instanceof BadFrameError) continue;
        throw new Error(`File ${n} of seed ${seed}: ${error}`, { cause: error });
      }
    }
  }
  return { files, taken, repaired: repairs };
}

/** Where each segment's length lies. */
function segmentsOf(jpeg: Uint8Array): number[] {
  const places: number[] = [];
  for (let at = 2; jpeg[at] === 0xff && at + 3 < jpeg.length;) {
    places.push(at + 2);
    at += 2 + (jpeg[at + 2]! << 8 | jpeg[at + 3]!);
  }
  return places;
}

function damage(
  { bytes, segments }: { readonly bytes: Uint8Array; readonly segments: readonly number[] },
  random: (below: number) => number,
): Uint8Array {
  const file = bytes.slice();
  for (let changes = random(4); changes >= 0; changes--) {
    const segment = segments[random(segments.length)]!;
    const length = file[segment]! << 8 | file[segment + 1]!;
    const lengths = [0, 1, 2, 3, length - 1, length + 1, 2 * length, 0xffff, random(0x10000)];
    const kind = random(4);
    if (kind === 0) {
      const other = lengths[random(lengths.length)]!;
      file[segment] = other >> 8;
      file[segment + 1] = other & 255;
    } else if (kind === 1) {
      file[segment + 2 + random(24)] = [0, 1, 17, 0xff, random(256)][random(5)]!;
    } else file[random(file.length)] = [0, 0xff, 0x80, random(256)][random(4)]!;
  }
  const cut = random(6) === 0 ? file.slice(0, random(file.length)) : file;
  // Segments of no bytes at all, where headers may stand.
  if (random(5) > 0) return cut;
  const empty = [0xff, [0xdd, 0xc4, 0xdb, 0xc0, 0xda, 0xee][random(6)]!, 0, 2];
  const at = segments[random(segments.length)]! - 2;
  return Uint8Array.of(...cut.subarray(0, at), ...empty, ...cut.subarray(at));
}
