// Chats of several turns and loops of tools with the default provider of the Vercel AI SDK, whole and streamed, with its default settings.
//
// Usage: vercel_ai_turns.mjs MODEL. Prints one JSON object: the input of the last request of each, and how one that was cut off is refused.
import { createOpenAI } from "@ai-sdk/openai";
import { convertToModelMessages, generateText, isStepCount, readUIMessageStream, streamText, tool } from "ai";
import { z } from "zod";

const { OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: apiKey } = process.env;
let sent;
const fetching = (url, request) => {
  sent = JSON.parse(request.body).input;
  return fetch(url, request);
};
const model = createOpenAI({ baseURL, apiKey, fetch: fetching })(process.argv[2]);
const user = (content) => ({ role: "user", content });
const fail = ({ error }) => {
  throw error;
};

async function whole(messages) {
  return (await generateText({ model, messages, maxOutputTokens: 24 })).response.messages;
}

async function streamed(messages) {
  const stream = streamText({ model, messages, maxOutputTokens: 24, onError: fail });
  await stream.consumeStream();
  return (await stream.response).messages;
}

async function turns(answer) {
  let messages = [user("Bonjour")];
  for (let turn = 0; turn < 3; turn++) messages = [...messages, ...(await answer(messages)), user("Encore")];
  return sent;
}

const execute = async () => "ok";
const opening = tool({ description: "Opens.", inputSchema: z.object({ day: z.enum(["lundi", "mardi"]) }), execute });
const loop = {
  model,
  prompt: "Bonjour",
  tools: { opening },
  stopWhen: isStepCount(3),
  prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber < 2 ? { type: "tool", toolName: "opening" } : "none" }),
};

async function wholeLoop() {
  await generateText(loop);
  return sent;
}

async function streamedLoop() {
  await streamText({ ...loop, onError: fail }).consumeStream();
  return sent;
}

// What a page in a browser keeps of an answer, and sends with the next question.
async function page() {
  const stream = streamText({ model, prompt: "Bonjour", maxOutputTokens: 24, onError: fail });
  let kept;
  for await (const message of readUIMessageStream({ stream: stream.toUIMessageStream() })) kept = message;
  const asked = { role: "user", parts: [{ type: "text", text: "Bonjour" }] };
  await streamed(await convertToModelMessages([asked, kept, asked]));
  return sent;
}

// An answer that its reader stopped has no end, in which its text would have come back.
async function stopped() {
  const message = { type: "text", text: "Bonj", providerOptions: { openai: { itemId: "msg_0" } } };
  try {
    await whole([user("Bonjour"), { role: "assistant", content: [message] }, user("Encore")]);
  } catch (error) {
    return JSON.parse(error.responseBody).error;
  }
}

console.log(
  JSON.stringify({
    whole: await turns(whole),
    streamed: await turns(streamed),
    wholeLoop: await wholeLoop(),
    streamedLoop: await streamedLoop(),
    page: await page(),
    stopped: await stopped(),
  }),
);
