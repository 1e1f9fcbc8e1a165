// What a model thinks, as OpenAI's Node SDK and the Vercel AI SDK read it; address and key come from OPENAI_… variables.
//
// Usage: reasoning.mjs MODEL. Prints one JSON object: of each way to ask, what was thought and what was said.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import OpenAI from "openai";

const model = process.argv[2];
const { OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: apiKey } = process.env;
const client = new OpenAI({ maxRetries: 0 });
const question = "Bonjour, qui es-tu ?";
const messages = [{ role: "user", content: question }];
const asked = { model, messages, reasoning_effort: "low", temperature: 0, max_completion_tokens: 100 };
const told = {};

const whole = (await client.chat.completions.create(asked)).choices[0].message;
told["openai"] = { thought: whole.reasoning_content, said: whole.content };
const streamed = { thought: "", said: "" };
for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
  streamed.thought += chunk.choices[0]?.delta?.reasoning_content ?? "";
  streamed.said += chunk.choices[0]?.delta?.content ?? "";
}
told["openai, streamed"] = streamed;
// The next turn, with the message as it came.
const next = await client.chat.completions.create({ ...asked, messages: [...messages, whole, ...messages] });
told["openai, next turn"] = { thought: next.choices[0].message.reasoning_content, said: next.choices[0].message.content };

const summary = { thought: "", said: "" };
const stream = client.responses.stream({
  model, input: question, reasoning: { effort: "low", summary: "auto" }, temperature: 0, max_output_tokens: 100,
});
stream.on("response.reasoning_summary_text.delta", (event) => (summary.thought += event.delta));
stream.on("response.output_text.delta", (event) => (summary.said += event.delta));
const final = await stream.finalResponse();
told["openai, responses"] = summary;
told["openai, last event"] = { thought: final.output[0].summary[0].text, said: final.output_text };

// It leaves the temperature out where a model reasons, and a sampled answer may end within what is thought.
const greedy = (url, request) =>
  fetch(url, { ...request, body: JSON.stringify({ ...JSON.parse(request.body), temperature: 0 }) });
// Its default is POST /v1/responses, whose reasoning it reads as summaries.
const openai = {
  model: createOpenAI({ baseURL, apiKey, fetch: greedy })(model),
  providerOptions: { openai: { reasoningEffort: "low", reasoningSummary: "auto", forceReasoning: true } },
};
const compatible = {
  model: createOpenAICompatible({ name: "comptoir", baseURL, apiKey })(model),
  providerOptions: { comptoir: { reasoningEffort: "low" } },
  temperature: 0,
};
for (const [name, each] of Object.entries({ openai, compatible })) {
  const request = { ...each, prompt: question, maxOutputTokens: 100 };
  const answer = await generateText(request);
  told[`vercel, ${name}`] = { thought: answer.reasoningText, said: answer.text };
  const parts = { "reasoning-delta": "", "text-delta": "" };
  for await (const part of streamText(request).fullStream) if (part.type in parts) parts[part.type] += part.text;
  told[`vercel, ${name}, streamed`] = { thought: parts["reasoning-delta"], said: parts["text-delta"] };
}
console.log(JSON.stringify(told));
