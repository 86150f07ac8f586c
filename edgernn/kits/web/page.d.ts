
export interface ListenerNode extends AudioWorkletNode {
  ondetection: ((heard: Heard) => void) | null;
}

/** Listens off the main thread; connect a microphone's source to it. */
export function createListenerNode(
  context: BaseAudioContext,
  options?: { model?: string | URL | ArrayBuffer } & Deciding,
): Promise<ListenerNode>;

/** The sound of the microphone, unchanged; fails with an ErnnError that says what to do. */
export function openMicrophone(constraints?: MediaTrackConstraints): Promise<MediaStream>;
