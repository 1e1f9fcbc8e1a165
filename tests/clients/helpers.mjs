// What the official client for JavaScript builds on its calls: parse with zod, tools that run, streams with events,
// raw answers, timeouts, retries, cancellation. Prints one JSON object.
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const [baseURL, apiKey, model, narrowKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Quand est-ce ouvert ?" }];
const Opening = z.object({
  day: z.enum(["lundi", "mardi"]),
  hours: z.array(z.number().int().min(0).max(24)).max(2),
  place: z.object({ name: z.string().max(8), floor: z.number().int().min(-1).max(9).nullable() }),
});
const asked = { model, messages, max_completion_tokens: 200, temperature: 0 };
const told = {};

async function failure(call) {
  try {
    await call();
  } catch (error) {
    return error.constructor.name;
  }
  return null;
}

const format = zodResponseFormat(Opening, "opening");
told.parsed = (await client.chat.completions.parse({ ...asked, response_format: format })).choices[0].message.parsed;

const stream = client.chat.completions.stream({
  ...asked, response_format: format, stream_options: { include_usage: true },
});
const events = new Set();
for (const name of ["chunk", "content.delta", "content.done", "refusal.done", "end"]) stream.on(name, () => events.add(name));
told.streamed = (await stream.finalChatCompletion()).choices[0].message.parsed;
told.streamedTokens = (await stream.totalUsage()).completion_tokens;
told.events = [...events];

const tools = [zodFunction({ name: "opening", parameters: Opening })];
const tool_choice = { type: "function", function: { name: "opening" } };
told.called = (
  await client.chat.completions.parse({ ...asked, tools, tool_choice })
).choices[0].message.tool_calls[0].function.parsed_arguments;

// Each tool is run, and what it brought is told to the model, until that answers in words.
const ran = [];
const running = (extra) =>
  client.chat.completions.runTools({
    ...asked,
    tools: [zodFunction({ name: "opening", parameters: Opening, function: (opening) => ran.push(opening) && "ouvert" })],
    ...extra,
  });
await running({ tool_choice }).done();
await running({ tool_choice, stream: true }).done();
told.ran = ran;
told.final = await running({ tool_choice: "auto" }).finalContent();

const raw = await client.chat.completions.create(asked).withResponse();
told.raw = [raw.response.status, raw.request_id, raw.data._request_id, raw.response.headers.get("x-request-id")];
told.rawStatus = (await client.chat.completions.create({ ...asked, stream: true }).asResponse()).status;

// Repeats itself to its limit, and so takes seconds.
const letter = [{ role: "user", content: "Bonjour, écris une longue lettre." }];
const long = { ...asked, messages: letter, max_completion_tokens: 1500, frequency_penalty: -2 };
told.timeout = await failure(() => client.chat.completions.create(long, { timeout: 5 }));
const controller = new AbortController();
const aborted = failure(() => client.chat.completions.create(long, { signal: controller.signal }));
setTimeout(() => controller.abort(), 50);
told.aborted = await aborted;

// With one request in flight at most, the second one waits as it is told until the first has left.
const narrow = new OpenAI({ baseURL, apiKey: narrowKey, maxRetries: 0 });
const first = await narrow.chat.completions.create({ ...long, stream: true });
told.refused = await failure(() => narrow.chat.completions.create(asked));
const second = narrow.chat.completions.create(asked, { maxRetries: 20 });
setTimeout(() => first.controller.abort(), 300);
told.retried = (await second).choices[0].finish_reason;
console.log(JSON.stringify(told));
