// What the official OpenAI client for Node throws where a budget is used up, at every endpoint, with the retries
// that it has by itself: node budgets.mjs BASE_URL KEY MODEL_OF_VECTORS; prints one JSON object by endpoint, with the
// requests that it sent.
import OpenAI from "openai";

const [baseURL, apiKey, vectors] = process.argv.slice(2);
let requests = 0;
const client = new OpenAI({
  baseURL,
  apiKey,
  fetch: (...call) => {
    requests += 1;
    return fetch(...call);
  },
});
const model = "tiny-eu";
const messages = [{ role: "user", content: "Écris." }];

async function thrownBy(ask) {
  requests = 0;
  try {
    const answer = await ask();
    if (answer[Symbol.asyncIterator]) for await (const _ of answer) continue;
    return null;
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    const isRateLimit = error instanceof OpenAI.RateLimitError;
    return { isRateLimit, requests, code: error.code, type: error.type, message: error.message };
  }
}

const thrown = {
  chat: await thrownBy(() => client.chat.completions.create({ model, messages, max_completion_tokens: 2 })),
  stream: await thrownBy(() => client.chat.completions.create({ model, messages, max_completion_tokens: 2, stream: true })),
  completion: await thrownBy(() => client.completions.create({ model, prompt: "Écris.", max_tokens: 2 })),
  response: await thrownBy(() => client.responses.create({ model, input: "Écris.", max_output_tokens: 16 })),
  embedding: await thrownBy(() => client.embeddings.create({ model: vectors, input: "Écris." })),
};
console.log(JSON.stringify(thrown));
process.exit(0);
