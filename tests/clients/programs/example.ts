// Complete the run of release.fsl with the types that openapi-typescript generated.
//
//     node example.js URL TOKEN DOCUMENT RUN
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type AnswerBody = components["schemas"]["AnswerBody"];

const [url = "", token = "", document = "", run = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

/** Return a successful answer. */
function good<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(`the server refused: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const named = { params: { path: { name: run } } };
assert.equal(good(await client.GET("/me")).role, "admin");
const text = readFileSync(document, "utf8").replaceAll("my_flow_run", run);
assert.equal(good(await client.POST("/fsl", { body: { data: text } })).results.length, 6);
let steps = 0;
let found = good(await client.GET("/flowrun/{name}", named));
while (!found.ended) {
  const waiting = Array.isArray(found.spec.tokens) ? found.spec.tokens[0] : undefined;
  assert(waiting);
  const step = good(await client.GET("/step/{name}", { params: { path: { name: `${run}.${waiting.step}` } } }));
  const name = step.spec.action_run.action_name;
  const action = good(await client.GET("/action/{name}", { params: { path: { name } } }));
  const body: AnswerBody = {
    flowId: run,
    stepName: waiting.step,
    uuid: waiting.uuid,
    ackState: action.spec.return_states[0] ?? null,
    done: true,
  };
  assert.equal(good(await client.POST("/step", { body })).outcome, "advanced");
  steps += 1;
  found = good(await client.GET("/flowrun/{name}", named));
}
assert.deepEqual([found.spec.status, found.spec.current_state, steps], ["succeeded", "done", 4]);
const history = good(await client.GET("/flowrun/{name}/history", named));
assert.deepEqual(history.map((entry) => entry.seq), history.map((_, place) => place + 1));
assert(good(await client.GET("/flowrun")).some((one) => one.metadata.name === run));
const event = good(await client.POST("/event", { body: { name: "released", key: run, data: { run } } }));
assert.deepEqual([event.spec?.name, event.woken?.count], ["released", 0]);
assert.deepEqual(good(await client.GET("/task")), []);
console.log(`typescript: ${run} is ${found.spec.current_state} after ${steps} steps`);
