// The quick start that hosting guides print for Node; address and key come from OPENAI_… variables.
import OpenAI from "openai";

const client = new OpenAI();

const stream = await client.chat.completions.create({
  model: "f3-7b-instruct",
  messages: [{ role: "user", content: "Bonjour, qui es-tu ?" }],
  stream: true,
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}
