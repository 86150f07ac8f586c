// inline.js: the model and the library inside one module, for where a second file cannot be loaded.

import { ErnnError, Listener, Model as Opened, Session } from './ernn.js';

export { ErnnError, Listener, Session };

/** Base64 to bytes; `atob` does not exist in audio worklets. */
function unpacked(text) {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const values = new Uint8Array(128);
  for (let i = 0; i < 64; i++) values[digits.charCodeAt(i)] = i;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let i = 0, at = 0; i < text.length; i += 4) {
    let word = 0;
    for (let k = 0; k < 4; k++) word = (word << 6) | values[text.charCodeAt(i + k)];
    for (let k = 16; k >= 0 && at < bytes.length; k -= 8) bytes[at++] = (word >> k) & 0xff;
  }
  return bytes;
}

let library;

export class Model extends Opened {
  static async load(source = unpacked(MODEL)) {
    library ??= await WebAssembly.compile(unpacked(WASM));
    return new Model(library, source);
  }
}

const WASM = '@WASM@';
const MODEL = '@MODEL_BYTES@';
