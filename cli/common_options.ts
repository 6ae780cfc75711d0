// Options shared by all commands.
import { isHost } from "../runtime/base/access.ts";
import { type Options, parsers } from "./command.ts";

export const commonOptions = {
  "log-format": {
    value: "text|json",
    help: "Lines on standard error as text, or as JSON with time, level and message (default text)",
    parse: parsers.oneOf("text", "json"),
  },
  // Read by the launcher before the command starts; named like Deno's own flags, which its messages mention.
  "allow-read": {
    value: "PATH,…",
    help: "Additional files and folders that the run may read",
    opens: "paths-read",
  },
  "allow-write": {
    value: "DIR,…",
    help: "Additional folders that the run may write to",
    opens: "paths-write",
  },
  "allow-net": {
    value: "HOST[:PORT],…|any",
    help: "Additional hosts that the run may reach, such as other brokers of a Kafka cluster",
    opens: "hosts",
    parse: parsers.text(
      (text) => text.split(",").every(isHost),
      "hosts such as cam.example, 10.0.0.7:9092 or [::1]:9092, or any",
    ),
  },
  "allow-ffi": {
    value: "FILE,…",
    help: "Additional native libraries that the run may load",
    opens: "libraries",
  },
} as const satisfies Options;
