// Runs calls of ONNX files in onnxruntime-web: node web.mjs FOLDER PLACE-OF-NODE_MODULES.
// FOLDER/calls.json lists them; each names its file and arguments, and gets FOLDER/ID.json.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const folder = process.argv[2];
const ort = createRequire(join(process.argv[3], "package.json"))("onnxruntime-web");
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const kinds = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

function tensor({ dtype, shape, file }) {
  const bytes = readFileSync(join(folder, file));
  const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  return new ort.Tensor(dtype, new kinds[dtype](copy), shape);
}

const sessions = {};
for (const call of JSON.parse(readFileSync(join(folder, "calls.json"), "utf8"))) {
  const answer = {};
  try {
    sessions[call.model] ??= await ort.InferenceSession.create(
      new Uint8Array(readFileSync(join(folder, call.model))), { executionProviders: ["wasm"] });
    const given = Object.entries(call.arguments).map(([name, entry]) => [name, tensor(entry)]);
    const results = await sessions[call.model].run(Object.fromEntries(given));
    answer.results = {};
    for (const [name, found] of Object.entries(results)) {
      answer.results[name] = { shape: found.dims, values: Array.from(found.data, Number) };
    }
  } catch (error) {
    answer.error = String(error?.message ?? error);
  }
  writeFileSync(join(folder, `${call.id}.json`), JSON.stringify(answer));
}
