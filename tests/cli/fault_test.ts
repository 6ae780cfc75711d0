import assert from "node:assert/strict";
import { describeFailure } from "../../cli/fault.ts";

Deno.test("A failure is reported with its causes, one a line", () => {
  const failure = new Error("Cannot open log", {
    cause: new Error("Cannot connect", { cause: new TypeError("x is not a function") }),
  });
  assert.equal(
    describeFailure(failure),
    "Cannot open log\n  because: Cannot connect\n    because: TypeError: x is not a function",
  );
});

Deno.test("A cause that only repeats its failure is not told", () => {
  const failure = new Error("Cannot reach Kafka at 127.0.0.1:9: connection refused", {
    cause: new Error("connection refused", {
      cause: new Error("Connection refused (os error 111)", { cause: new Error("Port 9") }),
    }),
  });
  assert.equal(describeFailure(failure), `${failure.message}\n      because: Port 9`);
  const cause = new RangeError("it is no message");
  assert.equal(
    describeFailure(new Error("Cannot read x: it is no message", { cause })),
    "Cannot read x: it is no message",
  );
});

Deno.test("A failure of many tells each", () => {
  const failure = new AggregateError([new Error("One"), new Error("Two")], "Both brokers are away");
  assert.equal(describeFailure(failure), "Both brokers are away\n  because: One\n  because: Two");
});

Deno.test("A circle of causes ends", () => {
  const failure = new Error("Cannot stop");
  failure.cause = failure;
  assert.equal(describeFailure(failure), "Cannot stop");
});

Deno.test("What is no Error is reported too", () => {
  assert.equal(describeFailure("plain text"), "plain text");
  assert.equal(describeFailure(undefined), "undefined");
  assert.equal(describeFailure(new RangeError("")), "RangeError");
});

Deno.test("Secrets are masked in message, cause and stack", () => {
  const failure = new Error("Cannot open rtsp://anna.b:s3cret@cam/1", {
    cause: new Error("401 for http://cam/?token=s3cret"),
  });
  for (const stack of [false, true]) {
    const text = describeFailure(failure, { stack });
    assert.ok(!text.includes("s3cret"), text);
    assert.match(text, /anna\.b:\*\*\*@cam/);
  }
  assert.match(describeFailure(failure, { stack: true }), /fault_test\.ts/);
});
