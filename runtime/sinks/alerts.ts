// Sinks for the alerts of queries: `alerts` in `framelane.yaml`.
import { given } from "../base/options.ts";
import type { Output } from "../definition/frame.ts";
import type { Sink } from "../definition/sink.ts";

/** The sink without the outputs that have no alert. It shows no pictures: the wall has its own list of alerts. */
export function onlyAlerts(sink: Sink): Sink {
  const { uri, delivery, place, topics, needsPlan, exclusive, opens } = sink;
  const hasAlert = ({ result }: Output) => result?.alert !== undefined;
  return {
    uri,
    delivery,
    ...given({ place, topics, needsPlan, exclusive, opens }),
    check(output) {
      if (hasAlert(output)) sink.check?.(output);
    },
    async open(context) {
      const task = await sink.open(context);
      return {
        write(outputs, batch) {
          const alerts = outputs.filter(hasAlert);
          return alerts.length === 0 ? undefined : task.write?.(alerts, batch);
        },
        records: (outputs, batch) => task.records?.(outputs.filter(hasAlert), batch) ?? [],
        flush: (batch) => task.flush?.(batch),
        committed: (batch) => task.committed?.(batch),
        restartOffset: () => task.restartOffset?.(),
        refeed: (outputs) => task.refeed?.(outputs.filter(hasAlert)),
        close: () => task.close?.(),
      };
    },
  };
}
