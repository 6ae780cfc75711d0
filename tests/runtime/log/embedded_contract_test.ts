import { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import { maxRecordBytes } from "../../../runtime/log/embedded/record.ts";
import { logContract } from "../../contracts/log_contract.ts";
import { deleteRecords } from "./embedded_kit.ts";

logContract("embedded log", {
  async open() {
    const dir = await Deno.makeTempDir({ prefix: "framelane-log-" });
    const open = () => new EmbeddedLog(`embedded:${dir}`);
    const log = open();
    const logs = [log];
    return {
      log,
      reopen() {
        const other = open();
        logs.push(other);
        return Promise.resolve(other);
      },
      expire: (topic, partition, before) => deleteRecords(log, topic, partition, before),
      async cleanup() {
        for (const open of logs) await open.close();
        await Deno.remove(dir, { recursive: true });
      },
    };
  },
  childFlags: (log) => {
    const dir = log.url.slice("embedded:".length);
    return [`--allow-read=${dir}`, `--allow-write=${dir}`];
  },
  sessionTimeoutMs: 1_000,
  tooLargeBytes: maxRecordBytes + 1,
});
