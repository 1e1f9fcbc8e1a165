// A completion as the official client of OpenAI for JavaScript asks for it: whole, streamed, by token ids.
import OpenAI from "openai";

const [baseURL, apiKey, model, prompt] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const asked = { model, prompt, temperature: 0, max_tokens: 24 };

const whole = await client.completions.create({ ...asked, logprobs: 2 });
const streamed = { text: "", finish_reason: null, usage: null };
for await (const chunk of await client.completions.create({
  ...asked, stream: true, stream_options: { include_usage: true },
})) {
  for (const choice of chunk.choices) {
    streamed.text += choice.text;
    streamed.finish_reason = choice.finish_reason;
  }
  streamed.usage = chunk.usage;
}
let refused = null;
try {
  await client.completions.create({ ...asked, suffix: "fin" });
} catch (error) {
  refused = { status: error.status, code: error.code, param: error.param };
}
const several = await client.completions.create({ ...asked, prompt: [prompt, prompt], n: 2 });
console.log(JSON.stringify({ whole, streamed, refused, indices: several.choices.map((choice) => choice.index) }));
