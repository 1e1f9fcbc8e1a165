// What the official OpenAI client for Node throws where a budget is used up, at every endpoint, with the retries
// that it has by itself: node budgets.mjs BASE_URL KEY; prints one JSON object by endpoint.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey });
const model = "tiny-eu";
const messages = [{ role: "user", content: "Écris." }];

async function thrownBy(call) {
  try {
    const stream = await call;
    for await (const _ of stream) continue;
    return null;
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    const isRateLimit = error instanceof OpenAI.RateLimitError;
    return { isRateLimit, code: error.code, type: error.type, message: error.message };
  }
}

console.log(
  JSON.stringify({
    chat: await thrownBy(client.chat.completions.create({ model, messages })),
    stream: await thrownBy(client.chat.completions.create({ model, messages, stream: true })),
    completion: await thrownBy(client.completions.create({ model, prompt: "Écris." })),
    response: await thrownBy(client.responses.create({ model, input: "Écris." })),
    embedding: await thrownBy(client.embeddings.create({ model: "vectors", input: "Écris." })),
  }),
);
process.exit(0);
