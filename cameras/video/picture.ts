// Turns decoded frames upright, scales them and encodes them as JPEG.
import { AV_PIX_FMT_RGB0, type AVPixelFormat, type Frame } from "node-av";
import { checkSize } from "../../runtime/image/inspect.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { colourSteps, plainColours } from "../../runtime/video/colours.ts";
import { type FilterStep, newFrame } from "../../runtime/video/filter.ts";
import { FrameScaler, ScaleTarget } from "../../runtime/video/scaler.ts";
import { DEFAULT_QUALITY, type ImageSettings, type SourceImage } from "../source.ts";

const FORMAT: AVPixelFormat = AV_PIX_FMT_RGB0;
const CHANNELS = 4;

/** Turns frames of any size and pixel format into pictures, one at a time, reusing its memory. */
export class PictureMaker implements Disposable {
  readonly #scaler = new FrameScaler();
  readonly #source = newFrame();
  readonly #turning: readonly FilterStep[];
  readonly #settings: ImageSettings;
  /** Turn the frame upright and convert its colours to BT.709. */
  #steps: readonly FilterStep[] = [];
  #target: ScaleTarget | undefined;

  /** @param turning filters that turn frames upright */
  constructor(settings: ImageSettings, turning: readonly FilterStep[]) {
    this.#settings = settings;
    this.#turning = turning;
  }

  /** Takes a reference to a frame: its decoder may continue at once. */
  take(frame: Frame): void {
    this.#source.unref();
    this.#source.ref(frame);
    this.#steps = [...this.#turning, ...colourSteps(frame, this.#settings.size)];
    plainColours(this.#source);
  }

  /**
   * Encodes the frame that was taken.
   *
   * @throws {BadFrameError} if the frame cannot be converted, or is larger than a query accepts.
   */
  async encode(): Promise<Pick<SourceImage, "value" | "width" | "height">> {
    const { size, quality = DEFAULT_QUALITY } = this.#settings;
    let target = this.#target;
    await this.#scaler.scale(this.#source, this.#steps, (upright) => {
      const { width, height } = size ?? upright;
      checkSize({ width, height });
      if (target?.width !== width || target.height !== height) {
        target?.[Symbol.dispose]();
        this.#target = undefined;
        this.#target = target = new ScaleTarget(width, height, FORMAT, 64);
      }
      return target;
    });
    this.#source.unref();
    const { width, height, pixels: data, stride } = target!;
    return {
      value: await encodeJpeg({ data, width, height, channels: CHANNELS }, {
        quality,
        stride: stride / CHANNELS,
      }),
      width,
      height,
    };
  }

  [Symbol.dispose](): void {
    this.#scaler[Symbol.dispose]();
    this.#target?.[Symbol.dispose]();
    this.#source.free();
  }
}
