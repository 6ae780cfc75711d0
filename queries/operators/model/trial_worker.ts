// Worker that tries a model: one that never ends blocks only this thread.
/// <reference lib="deno.worker" />
import type { ManifestError } from "./manifest.ts";
import { type Trial, tryModel } from "./trial.ts";

export type TrialReply = { readonly trial: Trial } | { readonly faults: readonly string[] };

self.onmessage = async ({ data: path }: MessageEvent<string>) => {
  const reply: TrialReply = await tryModel(path)
    .then((trial) => ({ trial }), ({ faults }: ManifestError) => ({ faults }));
  self.postMessage(reply);
};
