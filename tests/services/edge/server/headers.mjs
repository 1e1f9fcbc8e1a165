// The headers that the official OpenAI client for Node shows its caller, of a whole answer, a stream or a refusal:
// node headers.mjs BASE_URL KEY; prints one JSON object.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const chat = { model: "tiny-eu", messages: [{ role: "user", content: "Écris." }], made_up: 1 };

async function headersOf(call) {
  try {
    return (await call.withResponse()).response.headers;
  } catch (error) {
    if (!(error instanceof OpenAI.RateLimitError)) throw error;
    return error.headers;
  }
}

const shown = {};
for (const stream of [false, true]) {
  const headers = await headersOf(client.chat.completions.create({ ...chat, stream }));
  shown[stream ? "streamed" : "whole"] = Object.fromEntries(headers.entries());
}
console.log(JSON.stringify(shown));
process.exit(0);
