// Entry of the thread on which a model is tried: one that never ends holds this thread alone.
/// <reference lib="deno.worker" />
import type { ManifestError } from "./manifest.ts";
import { type Trial, tryModel } from "./trial.ts";

/** What became of it. */
export type TrialReply = { readonly trial: Trial } | { readonly faults: readonly string[] };

self.onmessage = async ({ data: path }: MessageEvent<string>) => {
  const reply: TrialReply = await tryModel(path)
    .then((trial) => ({ trial }), ({ faults }: ManifestError) => ({ faults }));
  self.postMessage(reply);
};
