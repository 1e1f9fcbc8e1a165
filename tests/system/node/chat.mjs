// The official OpenAI client for Node against a stack: node chat.mjs BASE_URL KEY MODEL MODE PROMPT
// MODE is stream, whole, models, cancel (leaves after some chunks), error (without retries) or refused (with them);
// prints one JSON object.
import OpenAI from "openai";

const [baseURL, apiKey, model, mode, prompt] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: mode === "error" ? 0 : 2 });
const messages = [{ role: "user", content: prompt }];

async function streamed(limit, sampling) {
  const call = client.chat.completions.create(
    { model, messages, stream: true, stream_options: { include_usage: true }, ...sampling },
  );
  const { data, response } = await call.withResponse();
  const result = { text: "", finish_reason: null, usage: null, request_id: response.headers.get("x-request-id"), chunks: 0 };
  for await (const chunk of data) {
    result.text += chunk.choices[0]?.delta?.content ?? "";
    result.finish_reason = chunk.choices[0]?.finish_reason ?? result.finish_reason;
    result.usage = chunk.usage ?? result.usage;
    if (chunk.choices[0]?.delta?.content) result.chunks += 1;
    if (limit && result.chunks >= limit) break;
  }
  return result;
}

const modes = {
  stream: () => streamed(0, {}),
  // The answer does not end by itself; leaving the loop is how this client cancels.
  cancel: () => streamed(3, { ignore_eos: true, max_completion_tokens: 1500 }),
  whole: async () => {
    const answer = await client.chat.completions.create({ model, messages });
    const choice = answer.choices[0];
    return { text: choice.message.content, finish_reason: choice.finish_reason, usage: answer.usage, request_id: answer._request_id };
  },
  models: async () => {
    const models = [];
    for await (const entry of client.models.list()) models.push(entry.id);
    return { models };
  },
  error: async () => {
    try {
      await client.chat.completions.create({ model, messages });
    } catch (error) {
      return { kind: error.constructor.name, status: error.status, code: error.code, type: error.type, message: error.message, request_id: error.requestID };
    }
    return { kind: null };
  },
};
modes.refused = modes.error;
console.log(JSON.stringify(await modes[mode]()));
