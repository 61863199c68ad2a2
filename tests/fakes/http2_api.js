// Chat completions over HTTP/2 and TLS: node http2_api.js KEY.pem CERT.pem. GET /report tells connections and requests.
const fs = require("fs");
const http2 = require("http2");

let sessions = 0;
let requests = 0;
let inFlight = 0;
let most = 0;
const server = http2.createSecureServer({ key: fs.readFileSync(process.argv[2]), cert: fs.readFileSync(process.argv[3]) });
server.on("session", () => sessions++);
server.on("stream", (stream, headers) => {
  if (headers[":path"] === "/report") {
    stream.respond({ ":status": 200, "content-type": "application/json" });
    stream.end(JSON.stringify({ sessions, requests, most }));
    return;
  }
  let body = "";
  stream.on("data", (data) => (body += data));
  stream.on("end", () => {
    requests++;
    most = Math.max(most, ++inFlight);
    const caption = JSON.parse(body).messages.at(-1).content;
    const content = JSON.stringify({ edit: "make it winter", output: `${caption} in winter` });
    setTimeout(() => {
      inFlight--;
      stream.respond({ ":status": 200, "content-type": "application/json" });
      stream.end(JSON.stringify({ model: "h2", choices: [{ message: { content }, finish_reason: "stop" }] }));
    }, 50);
  });
});
server.listen(0, "127.0.0.1");
