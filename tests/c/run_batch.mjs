// run_batch in WebAssembly: node run_batch.mjs batch.wasm batch.bin results.bin [run|step|together]
// Writes and prints what run_batch.c does.
import { readFileSync, writeFileSync } from "node:fs";

const [modulePath, batchPath, resultsPath, mode] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(modulePath), {});
const { memory, allocate, results, isa_name: isaName, run } = instance.exports;

const batch = readFileSync(batchPath);
const at = allocate(batch.length);
new Uint8Array(memory.buffer).set(batch, at);

function text(address) {
  const bytes = new Uint8Array(memory.buffer, address);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

const parts = [];
for (let isa = 1; isa < 16; isa++) {
  const name = isaName(isa);
  if (name === 0) continue;
  const count = run(at, batch.length, isa, ["run", "step", "together"].indexOf(mode ?? "run"));
  if (count === 0) throw new Error(`${text(name)}: the file is no batch, or there is no room`);
  parts.push(Buffer.from(Uint32Array.of(count).buffer));
  parts.push(Buffer.from(memory.buffer.slice(results(), results() + 4 * count)));
  console.log(text(name));
}
writeFileSync(resultsPath, Buffer.concat(parts));
