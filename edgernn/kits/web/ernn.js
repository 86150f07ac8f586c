// ernn.js: models, sessions and listeners over the C library as WebAssembly. It runs in pages, workers,
// audio worklets and Node, and loads no files: index.js, node.js and inline.js do that.

const ALIGNMENT = 64;
const PAGE = 65536;
const TYPES = [Float32Array, Int32Array, Uint8Array]; // ernn_dtype
const OK = 0;
const NO_RESULT = 27; // ERNN_NO_RESULT
const NOT_ERNN = 1;

export class ErnnError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.name = 'ErnnError';
    this.status = status; // of ernn.h; 0 where the library was not asked
  }
}

/** A module of one function: i32x4.relaxed_dot_i8x16_i7x16_add_s. */
const RELAXED = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b, 3, 2, 1, 0, // its type
  10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x93, 2, 11, // its code
]);

/** Whether this engine knows relaxed SIMD: it then runs ernn-relaxed.wasm, which is faster. */
export function knowsRelaxedSimd() {
  return WebAssembly.validate(RELAXED);
}

/** The bytes of the library for this engine, by `read`; of ernn.wasm, too, where the other was not deployed. */
export async function libraryBytes(read, { wasm, relaxed }) {
  if (knowsRelaxedSimd()) {
    const bytes = await read(relaxed).catch(() => null);
    if (bytes && WebAssembly.validate(bytes)) return bytes;
  }
  return read(wasm);
}

/** UTF-8 to text. TextDecoder does not exist in audio worklets. */
function decoded(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const first = bytes[i++];
    const more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    let point = more ? first & (0x3f >> more) : first;
    for (let k = 0; k < more; k++) point = (point << 6) | (bytes[i++] & 0x3f);
    text += String.fromCodePoint(point <= 0x10ffff ? point : 0xfffd);
  }
  return text;
}

/** An instance of the library with one model in its memory. */
class Library {
  constructor(module) {
    this.c = new WebAssembly.Instance(module, {}).exports;
    this.end = this.c.__heap_base.value;
    this.spare = new Map(); // memory of closed sessions: addresses by size
    this.scratch = this.allocate(64);
  }

  allocate(size) {
    const spare = this.spare.get(size);
    if (spare?.length) return spare.pop();
    const at = Math.ceil(this.end / ALIGNMENT) * ALIGNMENT;
    const missing = at + size - this.c.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.c.memory.grow(Math.ceil(missing / PAGE));
      } catch {
        throw new ErnnError(`no memory for ${size} bytes: close sessions that are no longer used`);
      }
    }
    this.end = at + size;
    return at;
  }

  release(at, size) {
    this.spare.set(size, [...(this.spare.get(size) ?? []), at]);
  }

  /** A view; memory that grows detaches earlier ones. */
  view(type, at, length) {
    return new type(this.c.memory.buffer, at, length);
  }

  word(at) {
    return this.view(Uint32Array, at, 1)[0];
  }

  text(at) {
    const bytes = this.view(Uint8Array, at);
    return at ? decoded(bytes.subarray(0, bytes.indexOf(0))) : null;
  }

  check(status, where = '') {
    if (status !== OK) {
      const text = this.text(this.c.ernn_status_text(status));
      throw new ErnnError(where ? `${where}: ${text}` : text, status);
    }
  }
}

function compiled(wasm) {
  if (wasm instanceof WebAssembly.Module) return wasm;
  return new WebAssembly.Module(wasm);
}

function bytesOf(source) {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  throw new TypeError('the model must be an ArrayBuffer or a typed array with the bytes of an .ernn file');
}

export class Model {
  #library;
  #handle;
  #idle = null; // the session of `run`

  /** wasm: a WebAssembly.Module or the bytes of ernn.wasm; source: the bytes of an .ernn file. */
  constructor(wasm, source) {
    const bytes = bytesOf(source);
    const library = new Library(compiled(wasm));
    const { c } = library;
    this.#library = library;
    this.#handle = library.allocate(c.ernn_model_size());
    const at = library.allocate(bytes.length);
    library.view(Uint8Array, at, bytes.length).set(bytes);
    const status = c.ernn_open_or_explain(this.#handle, at, bytes.length, library.scratch);
    if (status !== OK) {
      const layer = library.text(library.word(library.scratch + 4));
      const where = layer ? `the model, layer ${layer}` : 'the model';
      const text = library.text(c.ernn_status_text(status));
      const hint = status === NOT_ERNN ? '. Give the .ernn file that an export to native wrote' : '';
      throw new ErnnError(`${where}: ${text}${hint}`, status);
    }
    this.inputs = this.#ports('ernn_input');
    this.outputs = this.#ports('ernn_output');
    const states = new Set(this.inputs.map((port) => port.state - 1));
    this.freeInputs = this.inputs.filter((port) => port.state === 0);
    this.freeOutputs = this.outputs.filter((_, index) => !states.has(index));
    this.isStreaming = Boolean(c.ernn_is_streaming(this.#handle));
    this.sampleRate = c.ernn_audio_rate(this.#handle); // 0: the model takes no sound
    this.sensorRate = c.ernn_sensor_rate(this.#handle); // 0: nor samples of sensors
    this.labels = this.#labels();
  }

  #ports(name) {
    const library = this.#library;
    return Array.from({ length: library.c[`${name}_count`](this.#handle) }, (_, index) => {
      library.check(library.c[name](this.#handle, index, library.scratch));
      const words = library.view(Uint32Array, library.scratch, 6);
      const [text, dtype, isSequence, steps, width, state] = words;
      return Object.freeze({
        name: library.text(text), type: TYPES[dtype], isSequence: isSequence !== 0, steps, width, state, index,
      });
    });
  }

  #labels() {
    const labels = [];
    for (;;) {
      const label = this.#library.text(this.#library.c.ernn_label(this.#handle, labels.length));
      if (label === null) return labels;
      labels.push(label);
    }
  }

  /** The tokens of a text for `run`, by the vocabulary in the model's file. */
  tokenize(text) {
    const { library, handle } = this.opened();
    const { c } = library;
    if (typeof text !== 'string') {
      throw new TypeError(`the text must be a string, not ${text?.constructor?.name ?? text}`);
    }
    if (!c.ernn_tokenize) throw new ErnnError('the model has no vocabulary: it takes no text');
    const bytes = new TextEncoder().encode(text);
    const most = Math.max(bytes.length, c.ernn_text_length(handle), 1);
    const room = 2 ** Math.ceil(Math.log2(most)); // few sizes: memory is used again
    const at = library.allocate(room);
    const tokens = library.allocate(4 * room);
    library.view(Uint8Array, at, bytes.length).set(bytes);
    const status = c.ernn_tokenize(handle, at, bytes.length, tokens, room, library.scratch);
    const count = status === OK ? library.word(library.scratch) : 0;
    const found = library.view(Int32Array, tokens, count).slice();
    library.release(at, room);
    library.release(tokens, 4 * room);
    library.check(status);
    return found;
  }

  /** For sessions and listeners: the library and the model in it. */
  opened() {
    if (!this.#library) throw new ErnnError('the model is closed: load it again');
    return { library: this.#library, handle: this.#handle };
  }

  session(options = {}) {
    return new Session(this, options);
  }

  listener(sampleRate, options = {}) {
    return new Listener(this, sampleRate, options);
  }

  /** Runs one whole sequence from zero states. */
  run(...arrays) {
    this.opened();
    const steps = Math.max(1, ...this.freeInputs.map((port, i) => rowsOf(port, arrays[i])));
    if (!this.isStreaming && this.#idle && this.#idle.maxSteps < steps) {
      this.#idle.close();
      this.#idle = null;
    }
    this.#idle ??= this.session({ maxSteps: this.isStreaming ? 1 : steps });
    this.#idle.reset();
    return this.#idle.run(...arrays);
  }

  close() {
    this.#library = null;
    this.#idle = null;
  }
}

/** How many rows an array has; raises for an array that the input cannot take. */
function rowsOf(port, array) {
  if (!(array instanceof port.type)) {
    const given = array?.constructor?.name ?? String(array);
    throw new TypeError(`input ${port.name} needs a ${port.type.name}, not ${given}`);
  }
  const rows = array.length / port.width;
  if (!Number.isInteger(rows) || rows < 1 || (!port.isSequence && rows !== 1)) {
    const wanted = port.isSequence ? `a multiple of ${port.width}` : port.width;
    throw new RangeError(`input ${port.name} needs ${wanted} elements, not ${array.length}`);
  }
  return rows;
}

/** Memory of a model that is in use until `close`. */
class Held {
  #pieces = [];
  #model;

  constructor(model) {
    this.#model = model;
    model.opened();
  }

  take(size) {
    const at = this.opened().library.allocate(size);
    this.#pieces.push([at, size]);
    return at;
  }

  opened() {
    if (!this.#model) throw new ErnnError('this session or listener is closed: make another one');
    return this.#model.opened();
  }

  close() {
    if (!this.#model) return;
    const { library } = this.opened();
    for (const [at, size] of this.#pieces) library.release(at, size);
    this.#model = null;
  }
}

export class Session {
  #held;
  #model;
  #session;
  #ins;
  #outs;
  #rows = new Map(); // memory for the rows of each port: [address, bytes]

  constructor(model, { maxSteps = 256 } = {}) {
    this.#held = new Held(model);
    this.#model = model;
    this.maxSteps = maxSteps;
    const { library, handle } = model.opened();
    const { c, scratch } = library;
    const options = this.#held.take(16);
    library.view(Uint32Array, options, 3).set([0, maxSteps, 1]);
    library.check(c.ernn_session_size(handle, options, scratch));
    const size = library.word(scratch);
    const arena = this.#held.take(size);
    library.check(c.ernn_session_init(scratch, handle, arena, size, options));
    this.#session = library.word(scratch);
    this.#ins = this.#held.take(8 * model.inputs.length);
    this.#outs = this.#held.take(8 * model.outputs.length);
  }

  reset() {
    const { library } = this.#held.opened();
    library.check(library.c.ernn_reset(this.#session));
  }

  /** One row of each input gives one row of each output; null where this step has no result. */
  step(...arrays) {
    const { library } = this.#held.opened();
    const { inputs, outputs, freeInputs, freeOutputs } = this.#model;
    this.#count(arrays);
    for (const [i, port] of freeInputs.entries()) {
      if (rowsOf(port, arrays[i]) !== 1) {
        throw new RangeError(`input ${port.name} of a step needs ${port.width} elements`);
      }
    }
    const given = freeInputs.map((port, i) => this.#put(port, arrays[i]));
    const room = freeOutputs.map((port) => this.#room(port, 1, 'out'));
    const ins = library.view(Uint32Array, this.#ins, inputs.length).fill(0);
    const outs = library.view(Uint32Array, this.#outs, outputs.length).fill(0);
    freeInputs.forEach((port, i) => { ins[port.index] = given[i]; });
    freeOutputs.forEach((port, i) => { outs[port.index] = room[i]; });
    const status = library.c.ernn_step(this.#session, this.#ins, this.#outs);
    if (status === NO_RESULT) return null;
    this.#check(status);
    return this.#results(room, freeOutputs.map(() => 1));
  }

  /** Rows of a sequence, after those of the last call; see `reset`.  null where no step has a result. */
  run(...arrays) {
    const { library } = this.#held.opened();
    const { inputs, outputs, freeInputs, freeOutputs } = this.#model;
    this.#count(arrays);
    const steps = freeInputs.map((port, i) => rowsOf(port, arrays[i]));
    const given = freeInputs.map((port, i) => this.#put(port, arrays[i]));
    const ins = library.view(Uint32Array, this.#ins, 2 * inputs.length).fill(0);
    inputs.forEach((port) => { ins[2 * port.index + 1] = port.steps || 1; });
    freeInputs.forEach((port, i) => ins.set([given[i], steps[i]], 2 * port.index));
    library.view(Uint32Array, this.#outs, 2 * outputs.length).fill(0);
    this.#check(library.c.ernn_output_steps(this.#session, this.#ins, this.#outs));
    const counted = library.view(Uint32Array, this.#outs, 2 * outputs.length);
    const rows = freeOutputs.map((port) => counted[2 * port.index + 1]);
    const room = freeOutputs.map((port, i) => this.#room(port, rows[i], 'out'));
    const outs = library.view(Uint32Array, this.#outs, 2 * outputs.length);
    freeOutputs.forEach((port, i) => { outs[2 * port.index] = room[i]; });
    const status = library.c.ernn_run(this.#session, this.#ins, this.#outs);
    if (status === NO_RESULT) return null;
    this.#check(status);
    return this.#results(room, rows);
  }

  close() {
    this.#held.close();
  }

  #count(arrays) {
    const wanted = this.#model.freeInputs.length;
    if (arrays.length !== wanted) {
      throw new TypeError(`the model takes ${wanted} inputs, not ${arrays.length}`);
    }
  }

  /** Memory for rows, kept for the next call. */
  #room(port, rows, kind) {
    const size = rows * port.width * port.type.BYTES_PER_ELEMENT;
    const key = `${kind} ${port.index}`;
    const kept = this.#rows.get(key);
    if (kept && kept[1] >= size) return kept[0];
    const at = this.#held.take(size);
    this.#rows.set(key, [at, size]);
    return at;
  }

  #put(port, array) {
    const at = this.#room(port, array.length / port.width, 'in');
    this.#held.opened().library.view(port.type, at, array.length).set(array);
    return at;
  }

  #results(room, rows) {
    const { library } = this.#held.opened();
    const ports = this.#model.freeOutputs;
    const arrays = ports.map((port, i) => library.view(port.type, room[i], rows[i] * port.width).slice());
    if (arrays.length === 1) return arrays[0];
    return Object.fromEntries(ports.map((port, i) => [port.name, arrays[i]]));
  }

  #check(status) {
    const { library } = this.#held.opened();
    const layer = status === OK ? null : library.text(library.c.ernn_refusing_layer(this.#session));
    library.check(status, layer ? `layer ${layer}` : '');
  }
}

const PIECE = 4096; // numbers that go into the library's memory at once

/** Labels of one stream of sound or of sensors: front end, model, decisions. */
export class Listener {
  #held;
  #model;
  #listener;
  #width; // numbers in a sample: 1 of sound, the channels of sensors
  #piece;
  #pcm;
  #heard;

  constructor(model, sampleRate, { threshold = 0.8, smooth = 3, pause = 1, every } = {}) {
    const hears = model.sampleRate || model.sensorRate; // else the library says what the model lacks
    if (hears && (!Number.isInteger(sampleRate) || sampleRate < 1)) {
      throw new TypeError(`the sample rate must be a whole number of samples a second, not ${sampleRate}`);
    }
    if (model.sensorRate && sampleRate !== model.sensorRate) {
      throw new TypeError(`the model's sensors give ${model.sensorRate} samples a second, not ${sampleRate}`);
    }
    if (model.sensorRate && every !== undefined) {
      throw new TypeError('a model of sensors answers as often as its file says: leave out every');
    }
    this.#held = new Held(model);
    this.#model = model;
    const { library, handle } = model.opened();
    const { c, scratch } = library;
    const deciding = this.#held.take(16);
    library.view(Float32Array, deciding, 4).set([threshold, 0, pause, every ?? 0.1]);
    library.view(Uint32Array, deciding + 4, 1)[0] = smooth;
    library.check(c.ernn_listener_size(handle, sampleRate, deciding, scratch));
    const size = library.word(scratch);
    const arena = this.#held.take(size);
    library.check(c.ernn_listener_init(scratch, handle, sampleRate, deciding, arena, size));
    this.#listener = library.word(scratch);
    this.#width = model.sensorRate ? model.inputs[c.ernn_sensor_input(handle)].width : 1;
    this.#piece = Math.max(1, Math.floor(PIECE / this.#width)) * this.#width;
    this.#pcm = this.#held.take(4 * this.#piece);
    this.#heard = this.#held.take(32);
  }

  /**
   * The labels that these samples complete. Sound: Float32Array in -1 to 1, or Int16Array. Sensors:
   * Float32Array, one sample's channels after the other's.
   */
  feed(samples) {
    const { library } = this.#held.opened();
    const isFloat = samples instanceof Float32Array;
    const width = this.#width;
    const given = samples?.constructor?.name ?? String(samples);
    if (this.#model.sensorRate && (!isFloat || samples.length % width)) {
      const length = isFloat ? ` of ${samples.length}` : '';
      throw new TypeError(`samples of sensors must be a Float32Array of ${width} numbers each, not ${given}${length}`);
    }
    if (!isFloat && !(samples instanceof Int16Array)) {
      throw new TypeError(`sound must be a Float32Array in -1 to 1 or an Int16Array, not ${given}`);
    }
    const feed = isFloat ? library.c.ernn_listener_feed_f32 : library.c.ernn_listener_feed_s16;
    const found = [];
    for (let from = 0; from < samples.length; from += this.#piece) {
      const piece = samples.subarray(from, from + this.#piece);
      library.view(samples.constructor, this.#pcm, piece.length).set(piece);
      const count = piece.length / width;
      for (let at = 0; at < count; ) {
        const place = this.#pcm + at * width * piece.BYTES_PER_ELEMENT;
        const used = feed(this.#listener, place, count - at, this.#heard, this.#heard + 16);
        if (library.word(this.#heard + 16)) found.push(this.#found(library));
        else if (used < count - at) library.check(library.c.ernn_listener_status(this.#listener));
        at += used;
      }
    }
    return found;
  }

  /** The answer for all samples so far. */
  whole() {
    const { library } = this.#held.opened();
    library.check(library.c.ernn_listener_whole(this.#listener, this.#heard));
    return this.#found(library);
  }

  reset() {
    const { library } = this.#held.opened();
    library.check(library.c.ernn_listener_reset(this.#listener));
  }

  close() {
    this.#held.close();
  }

  #found(library) {
    const seconds = library.view(Float64Array, this.#heard, 1)[0];
    const index = library.word(this.#heard + 8);
    const score = library.view(Float32Array, this.#heard + 12, 1)[0];
    return { seconds, label: this.#model.labels[index] ?? `class ${index}`, score };
  }
}
