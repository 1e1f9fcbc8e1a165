// A chat, a stream, a structured answer and a call of a tool with the Vercel AI SDK; address and key come from OPENAI_… variables.
//
// Usage: vercel_ai_client.mjs MODEL openai|openai-compatible. Prints one JSON object.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, streamText, tool } from "ai";
import { z } from "zod";

const [name, provider] = process.argv.slice(2);
const { OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: apiKey } = process.env;
const model =
  provider === "openai"
    ? // Its default is POST /v1/responses.
      createOpenAI({ baseURL, apiKey }).chat(name)
    : createOpenAICompatible({ name: "comptoir", baseURL, apiKey, supportsStructuredOutputs: true })(name);
const prompt = "Bonjour, qui es-tu ?";

const chat = await generateText({ model, prompt });
const parts = [];
for await (const part of streamText({ model, prompt }).textStream) parts.push(part);
const schema = z.object({ day: z.enum(["lundi", "mardi"]), is_open: z.boolean() });
const structured = await generateText({ model, prompt, output: Output.object({ schema }) });
const opening = tool({ description: "Takes an opening.", inputSchema: schema });
const called = await generateText({ model, prompt, tools: { opening }, toolChoice: "required" });
console.log(
  JSON.stringify({
    chat: chat.text,
    streamed: parts.join(""),
    parts: parts.length,
    structured: structured.output,
    called: called.toolCalls[0].input,
  }),
);
