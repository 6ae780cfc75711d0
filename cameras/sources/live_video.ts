// Live video, shared by streams and devices.
import { Decimator, LiveTime } from "../live_time.ts";
import type { SourceContext, SourceImage } from "../source.ts";
import type { CameraSettings } from "../settings.ts";
import type { VideoInputOptions } from "../video/input.ts";
import { loadVideo } from "../video/load.ts";

/** The images of a live input, with capture times on this machine's clock. */
export async function* liveVideo(
  inputOptions: VideoInputOptions,
  settings: CameraSettings,
  { signal, times, report, onActivity, onPacket }: SourceContext,
): AsyncGenerator<SourceImage> {
  const { videoImages, VideoInput } = await loadVideo();
  try {
    await using input = await VideoInput.open(inputOptions, signal);
    onActivity?.();
    const time = new LiveTime(times);
    const decimator = new Decimator(settings.fps);
    const images = videoImages(input, {
      settings,
      // More threads would delay frames.
      threads: 1,
      encoders: 2,
      timestamp(streamMs) {
        const kept = decimator.accepts(streamMs);
        time.arrived(streamMs, kept);
        return kept ? streamMs : undefined;
      },
      times,
      live: true,
      report,
      onPacket(packet) {
        onActivity?.();
        onPacket?.(packet);
      },
    });
    for await (const burst of time.start.hold(images)) {
      for (const image of burst) {
        if (signal.aborted) return;
        yield { ...image, timestamp: time.of(image.timestamp) };
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
