// node.js: for Node. The model and the library are files beside this one.

import { readFile } from 'node:fs/promises';

import { ErnnError, libraryBytes, Listener, Model as Opened, Session } from './ernn.js';

export { ErnnError, Listener, Session };

const FILES = {
  wasm: new URL('./ernn.wasm', import.meta.url),
  relaxed: new URL('./ernn-relaxed.wasm', import.meta.url),
  model: new URL('./@MODEL@.ernn', import.meta.url),
};
let library; // the compiled module, once for all models

export class Model extends Opened {
  /** source: a path, a file URL or the bytes of an .ernn file; the package's own model without. */
  static async load(source = FILES.model) {
    library ??= new WebAssembly.Module(await libraryBytes(readFile, FILES));
    const isPath = typeof source === 'string' || source instanceof URL;
    return new Model(library, isPath ? await readFile(source) : source);
  }
}
