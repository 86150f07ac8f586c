// index.js: for pages and bundlers. The model and the library are files beside this one.

import { ErnnError, libraryBytes, Listener, Model as Opened, Session } from './ernn.js';

export { ErnnError, Listener, Session };

const FILES = {
  wasm: new URL('./ernn.wasm', import.meta.url),
  relaxed: new URL('./ernn-relaxed.wasm', import.meta.url),
  model: new URL('./@MODEL@.ernn', import.meta.url),
};
let library; // the compiled module, once for all models

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new ErnnError(`cannot load ${url}: ${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
}

async function compiled() {
  library ??= libraryBytes(fetched, FILES).then((bytes) => WebAssembly.compile(bytes));
  return library.catch((error) => { library = undefined; throw error; });
}

async function bytesOf(source) {
  return typeof source === 'string' || source instanceof URL ? fetched(source) : source;
}

export class Model extends Opened {
  /** source: a URL or the bytes of an .ernn file; the package's own model without. */
  static async load(source = FILES.model) {
    return new Model(await compiled(), await bytesOf(source));
  }
}

/** An AudioWorkletNode that listens off the main thread; `ondetection` gets { label, score, seconds }. */
export async function createListenerNode(context, { model = FILES.model, ...options } = {}) {
  if (!context?.audioWorklet) {
    throw new ErnnError('a browser gives a page an AudioWorklet only over https or on localhost: open it there');
  }
  const [module, bytes] = await Promise.all([libraryBytes(fetched, FILES), bytesOf(model)]);
  await context.audioWorklet.addModule(new URL('./worklet.js', import.meta.url));
  const node = new AudioWorkletNode(context, 'ernn-listener', {
    numberOfInputs: 1,
    numberOfOutputs: 0,
    processorOptions: { wasm: module, model: bytes, options },
  });
  node.ondetection = null;
  const ready = new Promise((resolve, reject) => {
    node.port.onmessage = ({ data }) => {
      if (data.ready) resolve(node);
      else if (data.error) {
        reject(new ErnnError(data.error));
        node.onerror?.(new ErnnError(data.error));
      } else node.ondetection?.(data);
    };
  });
  return ready;
}

const SOUND = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }; // as it was
const REASONS = {
  NotAllowedError: 'the page may not use the microphone: allow it in the address bar',
  NotFoundError: 'there is no microphone: connect one',
  NotReadableError: 'another program uses the microphone: close it',
};

/** The sound of the microphone, unchanged, as a MediaStream; raises an ErnnError that says what to do. */
export async function openMicrophone(constraints = {}) {
  if (!globalThis.navigator?.mediaDevices) {
    throw new ErnnError('a browser gives a page the microphone only over https or on localhost: open it there');
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: { ...SOUND, ...constraints } });
  } catch (error) {
    throw new ErnnError(REASONS[error.name] ?? (error.message || error.name));
  }
}
