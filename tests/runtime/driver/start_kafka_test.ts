/** `start`, on Kafka. */
import "../../../runtime/driver/driver.ts";
import "../../../runtime/image/mod.ts";
import { withFolder } from "../../support/folder.ts";
import { uniqueName, withKafkaLog } from "../../support/kafka.ts";
import {
  alignsTwoCameras,
  changesOneQuery,
  readsACameraAddedMeanwhile,
  startsAModule,
  startsAValue,
} from "./start_cases.ts";

Deno.test("a program starts a definition that is a value, and stops it", () =>
  withKafkaLog((url, log) => startsAValue(url, log, uniqueName("start"))));

Deno.test("a program starts a module in a worker, to its end", () =>
  withKafkaLog((url, log) => startsAModule(url, log, uniqueName("start"))));

Deno.test("one query comes, changes and goes while another continues in the same run", () =>
  withKafkaLog((url, log) => changesOneQuery(url, log, uniqueName("change"))));

Deno.test("a program aligns two cameras, again and again", () =>
  withKafkaLog((url, log) => alignsTwoCameras(url, log, uniqueName("align"))));

Deno.test("a camera added while its query was down is read from its start", () =>
  withFolder((directory) =>
    withKafkaLog((url, log) => readsACameraAddedMeanwhile(url, log, uniqueName("added"), directory))
  ));
