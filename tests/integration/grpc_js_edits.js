// An edit server's caller of another maker: grpc-js, with the messages of protos/ as they lie there.
//
//   node grpc_js_edits.js SCENARIO JSON     ({"address", "protos", "photo", and what the scenario wants})
//
// Exit code 0 when all is as it should be. IP2P_NODE_MODULES is the folder of @grpc/grpc-js and @grpc/proto-loader.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const load = require("node:module").createRequire(path.join(process.env.IP2P_NODE_MODULES, "x.js"));
const grpc = load("@grpc/grpc-js");
const loader = load("@grpc/proto-loader");

const facts = JSON.parse(process.argv[3]);
const PNG = Buffer.from("\x89PNG\r\n", "latin1");
const LONG = { instruction: "make it snow", steps: 1000, resolution: 64 }; // ends only when it is called off

const definition = loader.loadSync(["ip2p/edit/v1/edit_service.proto", "ip2p/model/v1/model_service.proto"],
  { includeDirs: [facts.protos], keepCase: true, longs: Number, enums: String, oneofs: true });
const { ip2p } = grpc.loadPackageDefinition(definition);
const client = (address = facts.address, Service = ip2p.edit.v1.EditService) => new Service(address, grpc.credentials.createInsecure());

function edit(params, more = {}) {
  return { image: { data: fs.readFileSync(facts.photo) }, params: { instruction: "make it snow", steps: 4, resolution: 64, ...params }, ...more };
}

// A unary call's answer, or its error in place of it.
function ask(stub, method, request, options = {}) {
  return new Promise((resolve) => {
    stub[method](request, new grpc.Metadata(), options, (error, answer) => resolve(error ?? answer));
  });
}

// Reads a stream to its end; `on(event, call)` sees each event.
function follow(call, on = () => {}) {
  return new Promise((resolve) => {
    const seen = { events: [], error: null, metadata: null };
    call.on("metadata", (metadata) => { seen.metadata = metadata; });
    call.on("data", (event) => { seen.events.push(event); on(event, call); });
    call.on("error", (error) => { seen.error = error; resolve(seen); });
    call.on("end", () => { if (!seen.error) resolve(seen); });
  });
}

const scenarios = {
  // Accepted, then steps that rise with previews, then the result; the request's id comes back.
  async streams() {
    const metadata = new grpc.Metadata();
    metadata.set("x-request-id", "from-js.1");
    const seen = await follow(client().StreamEdit({ edit: edit({ seed: 1, steps: 200 }), preview_every: 1 }, metadata));
    assert.equal(seen.error, null);
    assert.deepEqual(seen.metadata.get("x-request-id"), ["from-js.1"]);
    const kinds = seen.events.map((event) => event.event);
    assert.equal(kinds[0], "accepted");
    assert.equal(kinds.at(-1), "result");
    const told = seen.events.slice(1, -1).map((event) => event.progress);
    assert.ok(told.length > 1 && told.every(Boolean), kinds.join());
    assert.deepEqual(told.map(({ step }) => step), told.map(({ step }) => step).sort((a, b) => a - b));
    assert.ok(told.some(({ preview }) => preview && preview.data.subarray(0, PNG.length).equals(PNG)));
    const { result } = seen.events.at(-1);
    assert.equal(result.params.sampler, "SAMPLER_EULER_A");
    assert.equal(result.outputs[0].seed, 1);
    fs.writeFileSync(facts.out, result.outputs[0].image.data);
  },

  // Every fault has its code, and words that name the field.
  async faults() {
    const stub = client();
    const cases = [
      [edit({ steps: 0 }), "INVALID_ARGUMENT", /steps is 0; wants 1\.\.1000/],
      [edit({ cfg_text: NaN }), "INVALID_ARGUMENT", /cfg_text is nan/],
      [{ ...edit({}), image: { data: Buffer.from("no picture") } }, "INVALID_ARGUMENT", /image/],
      [edit({}, { model: "nobody" }), "NOT_FOUND", /nobody/],
    ];
    for (const [request, code, words] of cases) {
      const error = await ask(stub, "Edit", request);
      assert.equal(grpc.status[error.code], code, error.message);
      assert.match(error.details, words);
    }
    assert.ok((await ask(stub, "Edit", edit({ seed: 1 }, { request_id: "js-twice" }))).result);
    assert.ok((await ask(stub, "Edit", edit({ seed: 1 }, { request_id: "js-twice" }))).result.replayed);
    const other = await ask(stub, "Edit", edit({ seed: 2 }, { request_id: "js-twice" }));
    assert.equal(grpc.status[other.code], "ALREADY_EXISTS");
    const absent = await ask(client(facts.address, ip2p.model.v1.ModelService), "ListModels", {});
    assert.equal(grpc.status[absent.code], "UNIMPLEMENTED"); // operators have a port of their own
    const nobody = await ask(client("127.0.0.1:1"), "Edit", edit({}), { deadline: Date.now() + 5000 });
    assert.equal(grpc.status[nobody.code], "UNAVAILABLE");
  },

  async cancels() {
    const stub = client();
    const seen = await follow(stub.StreamEdit({ edit: edit(LONG) }), (event, call) => event.progress && call.cancel());
    assert.equal(grpc.status[seen.error.code], "CANCELLED");
    assert.ok(seen.events.at(-1).progress);
    assert.ok((await ask(stub, "Edit", edit({ steps: 1 }))).result);
  },

  async deadline() {
    const error = await ask(client(), "Edit", edit(LONG), { deadline: Date.now() + 300 });
    assert.equal(grpc.status[error.code], "DEADLINE_EXCEEDED");
  },

  // More than the queue holds: refused, with the time after which to come again.
  async overload() {
    const stub = client();
    const calls = [];
    const ended = Array.from({ length: 8 }, () => {
      calls.push(stub.StreamEdit({ edit: edit(LONG) }));
      return follow(calls.at(-1));
    });
    const first = await Promise.race(ended);
    assert.equal(grpc.status[first.error.code], "RESOURCE_EXHAUSTED");
    const [details] = first.error.metadata.get("grpc-status-details-bin");
    assert.ok(details.includes("type.googleapis.com/google.rpc.RetryInfo"));
    for (const call of calls) call.cancel();
    const codes = new Set((await Promise.all(ended)).map(({ error }) => grpc.status[error.code]));
    assert.deepEqual([...codes].sort(), ["CANCELLED", "RESOURCE_EXHAUSTED"]);
  },
};

scenarios[process.argv[2]]().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
