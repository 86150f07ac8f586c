
/** Feeds the first channel of its input to a listener. */
class ListenerProcessor extends AudioWorkletProcessor {
  constructor({ processorOptions: { wasm, model, options } }) {
    super();
    try {
      this.listener = new Model(wasm, model).listener(sampleRate, options);
      this.port.postMessage({ ready: true });
    } catch (error) {
      this.port.postMessage({ error: error.message });
    }
  }

  process([channels]) {
    if (!this.listener) return false;
    if (!channels.length) return true;
    try {
      for (const heard of this.listener.feed(channels[0])) this.port.postMessage(heard);
    } catch (error) {
      this.port.postMessage({ error: error.message });
      this.listener = null;
    }
    return this.listener !== null;
  }
}

registerProcessor('ernn-listener', ListenerProcessor);
