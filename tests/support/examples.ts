// Preloaded into `deno test`: properties are tried on the same examples in every run, unless a test or
// FRAMELANE_TEST_SEED gives another seed.
import fc from "fast-check";

fc.configureGlobal({ seed: Number(Deno.env.get("FRAMELANE_TEST_SEED") ?? 1) });
