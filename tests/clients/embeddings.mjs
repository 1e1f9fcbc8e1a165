// Vectors by OpenAI's Node SDK: its own default, which is base64, beside the same as numbers.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: process.argv[3] });
const asked = { model: "tiny-embed-eu", input: ["Où est la gare ?", "The bread is fresh."] };
const own = await client.embeddings.create(asked);
const numbers = await client.embeddings.create({ ...asked, encoding_format: "float" });
const vectors = (answer) => answer.data.map((item) => Array.from(item.embedding));
let code = "";
try {
  await client.embeddings.create({ ...asked, input: "" });
} catch (error) {
  code = `${error.status} ${error.param}`;
}
console.log(
  JSON.stringify({
    same: JSON.stringify(vectors(own)) === JSON.stringify(vectors(numbers)),
    sizes: vectors(own).map((vector) => vector.length),
    indexes: own.data.map((item) => item.index),
    tokens: own.usage.prompt_tokens,
    code,
  }),
);
