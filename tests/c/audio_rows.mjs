// audio_rows in WebAssembly: node audio_rows.mjs audio.wasm record.bin sound.s16 RATE PIECE WIDTH rows.f32
import { readFileSync, writeFileSync } from "node:fs";

const [modulePath, recordPath, soundPath, rate, piece, width, out] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(modulePath), {});
const { memory, record, sound, rows, run } = instance.exports;

const recordBytes = readFileSync(recordPath);
const soundBytes = readFileSync(soundPath);
new Uint8Array(memory.buffer).set(recordBytes, record());
new Uint8Array(memory.buffer).set(soundBytes, sound());
const count = run(recordBytes.length, soundBytes.length / 2, Number(rate), Number(piece), Number(width));
if (count === 0) throw new Error("the features cannot be made");
writeFileSync(out, Buffer.from(memory.buffer.slice(rows(), rows() + 4 * count)));
