/** What a model takes and gives. A sequence is one flat array: `width` elements for each step. */
export interface Port {
  readonly name: string;
  readonly type: Float32ArrayConstructor | Int32ArrayConstructor | Uint8ArrayConstructor;
  readonly isSequence: boolean;
  /** Of a sequence: the fixed number of steps, or 0 when any number will do. */
  readonly steps: number;
  /** Elements in a row. */
  readonly width: number;
  /** Of an input: 1 + index of the output that feeds it; 0 for what a caller gives. */
  readonly state: number;
  readonly index: number;
}

export type Values = Float32Array | Int32Array | Uint8Array;
/** One output: its array. Several: arrays by name. */
export type Results = Values | Record<string, Values>;

/** A file that cannot be used, a model that is closed, sound that cannot be heard. */
export class ErnnError extends Error {
  /** ernn_status of ernn.h; 0 where the library was not asked. */
  readonly status: number;
}

export interface Heard {
  /** Of the stream, at the end of what the label was decided from. */
  seconds: number;
  label: string;
  /** 0 to 1 */
  score: number;
}

/** When scores become a label. */
export interface Deciding {
  /** Of the mean score; 0.8 */
  threshold?: number;
  /** How many scores the mean is of; 3 */
  smooth?: number;
  /** Seconds until the same label can come again; 1 */
  pause?: number;
  /** Seconds between two scores of sound; 0.1. A model of sensors refuses it: its file says how often. */
  every?: number;
}

export class Model {
  private constructor();
  /** Loads the package's model, or another .ernn file by its URL (Node: path) or its bytes. */
  static load(source?: string | URL | ArrayBuffer | ArrayBufferView): Promise<Model>;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Those that are no states. */
  readonly freeInputs: readonly Port[];
  readonly freeOutputs: readonly Port[];
  readonly labels: readonly string[];
  readonly isStreaming: boolean;
  /** Of its recipe for sound; 0 where the model takes no sound. */
  readonly sampleRate: number;
  /** Of its recipe for sensors; 0 where the model takes none. */
  readonly sensorRate: number;
  /** Runs one whole sequence: an array for each of freeInputs. */
  run(...arrays: Values[]): Results;
  /** The tokens of a text, for `run`. Throws where the file holds no vocabulary. */
  tokenize(text: string): Int32Array;
  /** maxSteps: the longest sequence of a model that needs it whole; 256. */
  session(options?: { maxSteps?: number }): Session;
  /**
   * Throws where the model takes neither sound nor sensors, where a rate of sound is below the model's,
   * and where one of sensors is another than the model's.
   */
  listener(sampleRate: number, options?: Deciding): Listener;
  close(): void;
}

/** One sequence, step by step. */
export class Session {
  private constructor();
  readonly maxSteps: number;
  /** null: this step has no result (a first window is not full yet, or a stride leaves it out). */
  step(...rows: Values[]): Results | null;
  run(...arrays: Values[]): Results;
  /** The next step is the first of a new sequence. */
  reset(): void;
  close(): void;
}

/** One stream of sound or of sensors. */
export class Listener {
  private constructor();
  /**
   * The labels that these samples complete. Sound: Float32Array in -1 to 1, or Int16Array. Sensors:
   * Float32Array, one sample's channels after the other's.
   */
  feed(samples: Float32Array | Int16Array): Heard[];
  /** The answer for all samples so far. */
  whole(): Heard;
  reset(): void;
  close(): void;
}
