// Node's own HTTPS client, whose authority is in NODE_EXTRA_CA_CERTS: node tls.mjs BASE_URL; prints one JSON object.
import https from "node:https";

const [base] = process.argv.slice(2);
https.get(`${base}/healthz`, (answer) => {
  const { socket } = answer;
  const seen = { name: socket.getPeerCertificate().subject.CN, protocol: socket.getProtocol(), body: "" };
  answer.on("data", (part) => { seen.body += part; });
  answer.on("end", () => console.log(JSON.stringify(seen)));
});
