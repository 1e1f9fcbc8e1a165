// A chat, a stream, a structured answer and a call of a tool with the Vercel AI SDK; address and key come from OPENAI_… variables.
//
// Usage: vercel_ai_client.mjs MODEL openai|openai-chat|openai-compatible. Prints one JSON object.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, streamText, tool } from "ai";
import { z } from "zod";

const [name, provider] = process.argv.slice(2);
const { OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: apiKey } = process.env;
const openai = createOpenAI({ baseURL, apiKey });
const models = {
  // Its default is POST /v1/responses.
  openai: openai(name),
  "openai-chat": openai.chat(name),
  "openai-compatible": createOpenAICompatible({ name: "comptoir", baseURL, apiKey, supportsStructuredOutputs: true })(name),
};
const model = models[provider];
const prompt = "Bonjour, qui es-tu ?";

const chat = await generateText({ model, prompt });
const parts = [];
for await (const part of streamText({ model, prompt }).textStream) parts.push(part);
const schema = z.object({ day: z.enum(["lundi", "mardi"]), is_open: z.boolean() });
const structured = await generateText({ model, prompt, output: Output.object({ schema }) });
const opening = tool({ description: "Takes an opening.", inputSchema: schema, execute: async () => "ok" });
const called = await generateText({ model, prompt, tools: { opening }, toolChoice: "required" });
// The next turn of an agent, with the call and what it brought.
const messages = [{ role: "user", content: prompt }, ...called.response.messages];
const answered = await generateText({ model, messages, tools: { opening }, toolChoice: "none" });
console.log(
  JSON.stringify({
    chat: chat.text,
    streamed: parts.join(""),
    parts: parts.length,
    structured: structured.output,
    called: called.toolCalls[0].input,
    answered: answered.finishReason,
  }),
);
