import assert from "node:assert/strict";
import { MetricSet } from "../../../runtime/base/metric_set.ts";

Deno.test("a metric has the prefix, its labels and, as a histogram, its buckets", async () => {
  const metrics = new MetricSet(["query"]);
  const histogram = metrics.histogram("wait_seconds", "Time of a wait", [0.5, 1, 2]);
  for (const value of [0.5, 0.6, 2, 3]) histogram.observe({ query: 'a"b' }, value);
  assert.deepEqual((await metrics.registry.metrics()).trimEnd().split("\n"), [
    "# HELP framelane_wait_seconds Time of a wait",
    "# TYPE framelane_wait_seconds histogram",
    'framelane_wait_seconds_bucket{le="0.5",query="a\\"b"} 1',
    'framelane_wait_seconds_bucket{le="1",query="a\\"b"} 2',
    'framelane_wait_seconds_bucket{le="2",query="a\\"b"} 3',
    'framelane_wait_seconds_bucket{le="+Inf",query="a\\"b"} 4',
    'framelane_wait_seconds_sum{query="a\\"b"} 6.1',
    'framelane_wait_seconds_count{query="a\\"b"} 4',
  ]);
});
