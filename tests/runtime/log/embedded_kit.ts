/** Folders and logs for the tests of the embedded log. */
import { EmbeddedLog, type EmbeddedLogOptions } from "../../../runtime/log/embedded/log.ts";

/** Runs a test in a folder that is removed afterwards. */
export async function inFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "framelane-log-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Opens a log for `test` and closes it. */
export async function withLog<T>(
  url: string,
  test: (log: EmbeddedLog) => Promise<T>,
  options?: EmbeddedLogOptions,
): Promise<T> {
  const log = new EmbeddedLog(url, options);
  try {
    return await test(log);
  } finally {
    await log.close();
  }
}
