// Asks a ClickHouse front with the official client for Node, compressed and not.
// Usage: clients.mjs URL WRITER PASSWORD. Prints a line per case, and ends with 1 if one failed.
import { createClient } from "@clickhouse/client";

const [url, username, password] = process.argv.slice(2);
let failed = false;

async function tell(name, work) {
  try {
    await work();
    console.log(name, "ok");
  } catch (error) {
    failed = true;
    console.log(name, "error:", error.message);
  }
}

function check(holds, what) {
  if (!holds) throw new Error(what);
}

// Without the first, JavaScript's numbers round what has 64 bits.
const clickhouse_settings = { output_format_json_quote_64bit_integers: 1, log_comment: "board", load_balancing: "random" };
for (const isCompressed of [true, false]) {
  const compression = { request: isCompressed, response: isCompressed };
  const reader = createClient({ url, database: "comptoir", compression, clickhouse_settings });
  const rows = async (query, more = {}) =>
    (await reader.query({ query, format: "JSONEachRow", ...more })).json();
  const prefix = isCompressed ? "compressed" : "plain";
  await tell(`${prefix} ping`, async () => check((await reader.ping()).success, "no answer"));
  await tell(`${prefix} values`, async () => {
    const [row] = await rows("SELECT toUInt64(18446744073709551615) AS big, 'x' AS text, [1, 2] AS list, NULL AS absent");
    check(BigInt(row.big) === 18446744073709551615n && row.text === "x" && row.list.length === 2, JSON.stringify(row));
    check(row.absent === null, "absent");
  });
  await tell(`${prefix} stream`, async () => {
    const answer = await reader.query({ query: "SELECT number FROM numbers(200000)", format: "JSONCompactEachRow" });
    let sum = 0;
    for await (const part of answer.stream()) for (const row of part) sum += Number(row.json()[0]);
    check(sum === 19999900000, sum);
  });
  await tell(`${prefix} parameters`, async () => {
    const query = "SELECT count() AS count FROM numbers(100) WHERE number >= {least:UInt64} AND 'it''s' = {text:String}";
    const [row] = await rows(query, { query_params: { least: 90, text: "it's" } });
    check(Number(row.count) === 10, row.count);
  });
  await tell(`${prefix} session`, async () => {
    const session_id = `node-${prefix}`;
    await reader.command({ query: "CREATE TEMPORARY TABLE mine (a UInt8)", session_id });
    const [row] = await rows("SELECT count() AS count FROM mine", { session_id });
    check(Number(row.count) === 0, row.count);
  });
  await tell(`${prefix} mistake`, async () => {
    const error = await rows("SELECT nowhere FROM numbers(1)").catch((it) => it);
    check(error.code === "47", error.code);
  });
  await tell(`${prefix} refused`, async () => {
    const query = "CREATE TABLE comptoir.of_a_reader (a UInt8) ENGINE = MergeTree ORDER BY a";
    check((await reader.command({ query }).catch((it) => it)) instanceof Error, "a reader made a table");
  });
  await reader.close();
  const writer = createClient({ url, username, password, database: "comptoir", compression });
  await tell(`${prefix} insert`, async () => {
    await writer.command({ query: "TRUNCATE TABLE of_node" });
    const values = Array.from({ length: 1000 }, (_, a) => ({ a, b: a * 3 }));
    await writer.insert({ table: "of_node", values, format: "JSONEachRow" });
    const answer = await writer.query({ query: "SELECT count() AS count FROM of_node", format: "JSONEachRow" });
    check(Number((await answer.json())[0].count) === 1000, "rows");
  });
  await writer.close();
}
process.exit(failed ? 1 : 0);
