// Responses as the official client of OpenAI for JavaScript asks for them; address and key come from OPENAI_… variables.
//
// Usage: responses.mjs MODEL. Prints one JSON object.
import OpenAI from "openai";
import { zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const model = process.argv[2];
const client = new OpenAI({ maxRetries: 0 });
const input = "Bonjour, qui es-tu ?";
const asked = { model, input, temperature: 0, max_output_tokens: 100 };
const Opening = z.object({ day: z.enum(["lundi", "mardi"]), is_open: z.boolean() });

const whole = await client.responses.create(asked);
let streamed = "";
for await (const event of await client.responses.create({ ...asked, stream: true })) {
  if (event.type === "response.output_text.delta") streamed += event.delta;
}
const final = await client.responses.stream(asked).finalResponse();
const parsed = await client.responses.parse({ ...asked, text: { format: zodTextFormat(Opening, "opening") } });

const tools = [zodResponsesFunction({ name: "opening", parameters: Opening })];
const calling = client.responses.stream({ ...asked, tools, tool_choice: "required", parallel_tool_calls: false });
const [call] = (await calling.finalResponse()).output;
const answered = await client.responses.create({
  ...asked,
  tools,
  input: [
    { role: "user", content: input },
    call,
    { type: "function_call_output", call_id: call.call_id, output: "ok" },
  ],
});
let refused = null;
try {
  await client.responses.create({ ...asked, store: true });
} catch (error) {
  refused = { status: error.status, code: error.code, param: error.param };
}
const cut = await client.responses.stream({ ...asked, max_output_tokens: 3 }).finalResponse();
console.log(
  JSON.stringify({
    whole: whole.output_text,
    streamed,
    final: final.output_text,
    count: (await client.responses.inputTokens.count({ model, input })).input_tokens,
    usage: whole.usage.input_tokens,
    parsed: parsed.output_parsed,
    called: JSON.parse(call.arguments),
    answered: answered.status,
    refused,
    cut: { status: cut.status, reason: cut.incomplete_details?.reason },
  }),
);
