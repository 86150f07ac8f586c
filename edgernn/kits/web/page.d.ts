
export interface ListenerNode extends AudioWorkletNode {
  ondetection: ((heard: Heard) => void) | null;
}

/** Listens off the main thread; connect a microphone's source to it. */
export function createListenerNode(
  context: BaseAudioContext,
  options?: { model?: string | URL | ArrayBuffer } & Deciding,
): Promise<ListenerNode>;
