/* ernn.h: runs .ernn models (GRU, LSTM and what stands around them) in float32 or in integers.
 *
 * C99, no dependencies, no allocation, no file access.  A model is read in place from memory that the
 * caller holds (a mapped file, a flash section); any number of threads may share it.  A session holds
 * what changes: states and buffers, in an arena that the caller provides.  It serves one thread at a time.
 *
 *     ernn_model model;
 *     ernn_status status = ernn_open(&model, bytes, size);     // bytes: 64-byte aligned
 *     if (status != ERNN_OK) puts(ernn_status_text(status));
 *     size_t arena_bytes;
 *     ernn_session *session;
 *     ernn_session_size(&model, NULL, &arena_bytes);
 *     ernn_session_init(&session, &model, arena, arena_bytes, NULL);
 *     float frame[40], scores[10];
 *     const void *inputs[] = {frame};
 *     void *outputs[] = {scores};
 *     while (next_frame(frame)) ernn_step(session, inputs, outputs);
 */
#ifndef ERNN_H
#define ERNN_H

#include <stddef.h>
#include <stdint.h>

/* ---- Options: define them when the library is compiled ----------------------------------------
 *
 * ERNN_CHUNK_STEPS     Steps that go through the layers together: more need larger buffers and less time.
 * ERNN_PORTABLE        Leaves out every instruction-set specific kernel.
 * ERNN_WITHOUT_AVX512  x86: leaves out the kernels of AVX-512, AMX and AVX-VNNI.
 * ERNN_WITHOUT_IMAGES  Leaves out the layers of rows and columns.
 * ERNN_WITHOUT_SOUND   Leaves out front ends for sound and sensors: models that hold one are refused.
 * ERNN_WITHOUT_TEXT    Leaves out front ends for text: models that hold one are refused.
 * ERNN_WITHOUT_NIBBLES Leaves out weights of 4 bits: int4 models are refused.
 * ERNN_THREADS         ernn_options.threads may be above 1.  Link with -pthread, but on Windows.
 * ERNN_SMALL           A fifth less code, 3 to 12 % more instructions, on AVX2 more for int4 and dynamic.
 * ERNN_ONLY_<LAYER>    One or several (ERNN_ONLY_QGRU, ERNN_ONLY_QDENSE: the names of ERNN_OP_LIST in
 *                      ernn_format.h) leave out all other layers: ERNN_UNKNOWN_LAYER.
 * ERNN_HWCAP           64-bit ARM: the name of a function `unsigned long f(void)` that gives Linux's
 *                      AT_HWCAP, for other systems than Linux, Android and Apple's; in bit 63, which
 *                      Linux leaves 0, bit 13 of AT_HWCAP2 (i8mm).
 * ERNN_SHARED          For a shared library and its users, with ERNN_BUILDING for the library itself:
 *                      functions are then visible whatever the compiler's default is. */
#ifndef ERNN_CHUNK_STEPS
#define ERNN_CHUNK_STEPS 32
#endif

#define ERNN_LIBRARY_VERSION "1.0.0" /* the first number: functions are gone or do something else */
#define ERNN_FORMAT_VERSION 1        /* of the .ernn files that it reads; see docs/native-format.md */
#define ERNN_ALIGNMENT 64            /* arenas and model bytes start at a multiple of this */

#if !defined(ERNN_SHARED)
#define ERNN_API
#elif defined(_WIN32) && defined(ERNN_BUILDING)
#define ERNN_API __declspec(dllexport)
#elif defined(_WIN32)
#define ERNN_API __declspec(dllimport)
#else
#define ERNN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ERNN_LIBRARY_VERSION of the library, and bytes of an ernn_model, for programs that load it while they run. */
ERNN_API const char *ernn_version(void);
ERNN_API size_t ernn_model_size(void);

/* Every status and its text, once. */
#define ERNN_STATUS_LIST(X)                                                                        \
  X(OK, "success") X(NOT_ERNN, "this is not an .ernn file")                                        \
  X(VERSION, "the file has a format version that this library does not know")                      \
  X(FEATURE, "the file needs a feature that this library does not have")                           \
  X(TRUNCATED, "the file is shorter or longer than its header says")                               \
  X(CHECKSUM, "the file is damaged: its checksum is wrong")                                        \
  X(MISALIGNED, "model bytes and arenas must start at a multiple of 64")                            \
  X(BYTE_ORDER, "this machine stores the high byte first, .ernn files the low one")                \
  X(BAD_OFFSET, "the file points outside of itself")                                               \
  X(BAD_MODEL, "the file's layers do not fit together")                                            \
  X(UNKNOWN_LAYER, "the file holds a layer that this library does not know")                       \
  X(TOO_LARGE, "the model needs more memory than this machine can address")                        \
  X(ARGUMENT, "an argument is null or out of range")                                               \
  X(ISA, "this processor, or this build, lacks the instruction set asked for")                     \
  X(ARENA, "the arena is smaller than ernn_session_size says")                                     \
  X(SHAPE, "the inputs' numbers of steps do not fit the model")                                    \
  X(TOO_LONG, "the sequence is longer than the session's max_steps")                               \
  X(NOT_STREAMING, "the model looks ahead or needs the whole sequence: it cannot run by steps")    \
  X(TOKEN, "a token is outside the vocabulary")                                                    \
  X(CAPACITY, "an output buffer is too small") X(BUSY, "the session is in use by another thread")  \
  X(STATE, "the saved state belongs to another model")                                             \
  X(FRONT_END, "the file's front end is of a kind or version that this library does not know")     \
  X(NO_FRONT_END, "the model has no front end for sound: give it rows of features")                \
  X(RATE, "the sample rate is below the model's, above 768000, or no simple ratio to it; sensors need the model's") \
  X(SAMPLE, "a sample is NaN or infinite, or sound far outside of -1 to 1: divide 16-bit PCM by 32768") \
  X(NOT_LISTENING, "the model does not take sound alone and give one score for each class at its end") \
  X(NO_RESULT, "this step has no result: go on with the next one")                                 \
  X(NO_TEXT, "the model has no front end for text: give it tokens")                                \
  X(NOT_UTF8, "the text is not UTF-8")                                                             \
  X(WORD, "the vocabulary lacks a word of the text, and has no token for unknown ones")            \
  X(NO_THREADS, "this build has no threads: compile the library with ERNN_THREADS")                \
  X(THREAD_REFUSED, "the system refused to start a thread")                                        \
  X(VOCABULARY, "the file's vocabulary repeats a word, or is out of order")                        \
  X(TOO_SHORT, "too little sound, or too few samples, for an answer: give more")

typedef enum ernn_status {
#define ERNN_STATUS_ENUM(name, text) ERNN_##name,
  ERNN_STATUS_LIST(ERNN_STATUS_ENUM)
#undef ERNN_STATUS_ENUM
      ERNN_STATUS_COUNT
} ernn_status;

/* A sentence for a person.  Never null. */
ERNN_API const char *ernn_status_text(ernn_status status);

/* ---- Instruction sets ------------------------------------------------------------------------ */

/* Every set of kernels, once.  Integer schemes give the same bits on all of them. */
#define ERNN_ISA_LIST(X)                                                                           \
  X(AUTO, "auto") X(PORTABLE, "portable") X(AVX2, "avx2") X(AVXVNNI, "avxvnni")                    \
  X(AVX512VNNI, "avx512vnni") X(AMX, "amx") X(NEON, "neon") X(NEONDOT, "neondot")                  \
  X(NEONI8MM, "neoni8mm") X(SIMD128, "simd128") X(RELAXED, "relaxed") X(RELAXEDDOT, "relaxeddot")

typedef enum ernn_isa {
#define ERNN_ISA_ENUM(name, text) ERNN_ISA_##name,
  ERNN_ISA_LIST(ERNN_ISA_ENUM)
#undef ERNN_ISA_ENUM
      ERNN_ISA_COUNT
} ernn_isa;

/* "avx2" and so on (null for a number that is none of them), the best set that this build and this
 * processor have, and whether a session may be made with `isa`: with ERNN_ISA_AUTO always. */
ERNN_API const char *ernn_isa_name(ernn_isa isa);
ERNN_API ernn_isa ernn_isa_best(void);
ERNN_API int ernn_isa_available(ernn_isa isa);

/* ---- Models ---------------------------------------------------------------------------------- */

/* A checked model.  Plain data that points into the file's bytes: copy it, but read it only through the
 * functions below.  It needs no closing; keep the bytes as long as it is used. */
typedef struct ernn_model {
  const uint8_t *bytes;
  const struct ernn_header *header;
  uint32_t causal; /* every layer can run step by step */
} ernn_model;

/* Checks the whole file (magic, version, sizes, offsets, checksum, each layer) and describes it in
 * `model`.  After ERNN_OK no function below can be led astray by the file's content.  `bytes`, `size` of
 * them, are aligned to ERNN_ALIGNMENT (what mmap returns is) and must outlive the model. */
ERNN_API ernn_status ernn_open(ernn_model *model, const void *bytes, size_t size);

/* What ernn_open refused. */
typedef struct ernn_refusal {
  size_t offset;     /* where in the file its record is */
  const char *layer; /* a layer's name, among the file's bytes; null where it was no layer */
} ernn_refusal;

/* As ernn_open; describes in `refusal` what was wrong where the status is not ERNN_OK. */
ERNN_API ernn_status ernn_open_or_explain(ernn_model *model, const void *bytes, size_t size,
                                          ernn_refusal *refusal);

typedef enum ernn_dtype { ERNN_FLOAT32 = 0, ERNN_INT32 = 1, ERNN_BOOL = 2 } ernn_dtype;

/* An input or output.  `steps` rows of `width` elements; a bool is one byte. */
typedef struct ernn_port {
  const char *name;    /* as in the Keras model; zero-terminated */
  ernn_dtype dtype;
  uint32_t is_sequence; /* 0: one row per call, whatever the number of steps */
  uint32_t steps;       /* of a sequence: the fixed number, or 0 when any number will do */
  uint32_t width;       /* elements per row */
  uint32_t state;       /* of an input: 1 + index of the output that feeds it at the next call */
} ernn_port;

/* How many inputs and outputs there are, and what number `index` of them is. */
ERNN_API uint32_t ernn_input_count(const ernn_model *model);
ERNN_API uint32_t ernn_output_count(const ernn_model *model);
ERNN_API ernn_status ernn_input(const ernn_model *model, uint32_t index, ernn_port *port);
ERNN_API ernn_status ernn_output(const ernn_model *model, uint32_t index, ernn_port *port);

/* Whether ernn_step works: no layer looks ahead, or the file was exported for streaming. */
ERNN_API int ernn_is_streaming(const ernn_model *model);

/* The class names and the texts that the exporter wrote, null where there is none: ernn_metadata(&model,
 * "scheme").  ernn_metadata_at lists them; ERNN_ARGUMENT past the last. */
ERNN_API const char *ernn_label(const ernn_model *model, uint32_t index);
ERNN_API const char *ernn_metadata(const ernn_model *model, const char *wanted);
ERNN_API ernn_status ernn_metadata_at(const ernn_model *model, uint32_t index, const char **key,
                                      const char **value);

/* ---- Sessions -------------------------------------------------------------------------------- */

typedef struct ernn_session ernn_session;
/* Options of a session; null or zeros mean the defaults.  Name the fields that you set: more may come. */
typedef struct ernn_options {
  ernn_isa isa;       /* ERNN_ISA_AUTO: the best there is */
  uint32_t max_steps; /* longest sequence of a model that needs it whole (default 256); models that can
                         stream take any length */
  uint32_t max_batch; /* sequences that ernn_run_batch runs side by side (default 1): they share each
                         reading of the recurrent weights, each needs memory of its own */
  uint32_t threads;   /* that ernn_run_batch splits its sequences over, with the same bits (default 1); more
                         need a library built with ERNN_THREADS, and ernn_session_close */
} ernn_options;

/* How large an arena ernn_session_init needs. */
ERNN_API ernn_status ernn_session_size(const ernn_model *model, const ernn_options *options, size_t *bytes);

/* Makes a session inside `arena` (aligned to ERNN_ALIGNMENT) and resets it.  With one thread it needs no
 * closing.  With more it starts options.threads - 1, which sleep until ernn_run_batch: ERNN_NO_THREADS in a
 * build that has none, ERNN_THREAD_REFUSED where the system starts fewer. */
ERNN_API ernn_status ernn_session_init(ernn_session **session, const ernn_model *model, void *arena,
                                       size_t arena_bytes, const ernn_options *options);

/* Before the arena is freed: ends the threads of a session that has more than one, else does nothing.  Call
 * nothing with it after that.  null is fine. */
ERNN_API void ernn_session_close(ernn_session *session);

/* The next step is the first of a new sequence.  ERNN_BUSY while another call is at work. */
ERNN_API ernn_status ernn_reset(ernn_session *session);

/* The name of the layer that refused the last call that ran something (null where no layer did), and the
 * kernels that the session uses. */
ERNN_API const char *ernn_refusing_layer(const ernn_session *session);
ERNN_API ernn_isa ernn_session_isa(const ernn_session *session);

/* One step of every input: `inputs[i]` is one row of input i, `outputs[i]` takes one row of output i.  A null
 * input is a state that the session carries itself; a null output is not wanted.  Outputs that sum up a
 * sequence (the last of a GRU, a pooling over time) are what they would be if it ended here.
 * ERNN_NO_RESULT is no error: the outputs hold nothing of use, in a file of one step until the first
 * windows are full and in steps that a stride leaves out.  The example is at the top. */
ERNN_API ernn_status ernn_step(ernn_session *session, const void *const *inputs, void *const *outputs);

/* Rows of one input or output. */
typedef struct ernn_rows {
  void *data;     /* rows one after the other; null as in ernn_step */
  uint32_t steps; /* inputs: rows given.  outputs: room for rows, then rows written */
} ernn_rows;

/* Runs over a sequence.  A model that can stream goes on from where the last call ended (call ernn_reset
 * before a new sequence); another starts anew with each call.  The result equals that of single steps, bit
 * for bit.  ERNN_NO_RESULT as in ernn_step, where no step has one.
 *     ernn_rows input = {features, 98}, output = {scores, 1};
 *     ernn_reset(session);
 *     status = ernn_run(session, &input, &output); */
ERNN_API ernn_status ernn_run(ernn_session *session, const ernn_rows *inputs, ernn_rows *outputs);

/* Runs over `count` independent sequences, which may differ in length.  Each begins with zero states, or
 * with those among its inputs, and gives the bits that it gives alone.  The inputs of sequence i begin at
 * inputs[i * ernn_input_count], its outputs at outputs[i * ernn_output_count].  The session is as after
 * ernn_reset.  More than options.max_batch run in groups: put those of similar length next to each other.
 * Each of options.threads takes as many neighbours; after an error, other outputs may be written or not.
 *
 *     ernn_rows inputs[] = {{first, 98}, {second, 71}}, outputs[] = {{a, 1}, {b, 1}};
 *     status = ernn_run_batch(session, 2, inputs, outputs);      // one input and one output */
ERNN_API ernn_status ernn_run_batch(ernn_session *session, uint32_t count, const ernn_rows *inputs,
                                    ernn_rows *outputs);

/* How many rows the outputs will have for the given inputs (data is ignored), in outputs[i].steps. */
ERNN_API ernn_status ernn_output_steps(ernn_session *session, const ernn_rows *inputs, ernn_rows *outputs);

/* The states as bytes, to go on elsewhere or later (also on another processor). */
ERNN_API size_t ernn_state_size(const ernn_session *session);
ERNN_API ernn_status ernn_state_save(const ernn_session *session, void *bytes, size_t size);
ERNN_API ernn_status ernn_state_restore(ernn_session *session, const void *bytes, size_t size);

/* ---- Sound ----------------------------------------------------------------------------------- */

/* Turns sound into the rows that a model takes, with the recipe in its file: the numbers are those of
 * the training, the same bits on every processor.  One ernn_audio serves one thread and one stream.
 *     size_t bytes;
 *     ernn_audio *audio;
 *     status = ernn_audio_size(&model, 48000, &bytes);             // the microphone's rate
 *     status = ernn_audio_init(&audio, &model, 48000, arena, bytes);
 *     while (n > 0) {                                              // n new samples, any number
 *       int ready;
 *       size_t used = ernn_audio_feed_s16(audio, pcm, n, row, &ready);
 *       if (ready) ernn_step(session, inputs, outputs);            // inputs[0] is row
 *       pcm += used, n -= used;
 *     } */
typedef struct ernn_audio ernn_audio;

/* Of the recipe for sound, 0 without one: samples a second that it works at, the model's input that takes
 * the rows, samples from one row to the next, and samples that the first row needs. */
ERNN_API uint32_t ernn_audio_rate(const ernn_model *model);
ERNN_API uint32_t ernn_audio_input(const ernn_model *model);
ERNN_API uint32_t ernn_audio_hop(const ernn_model *model);
ERNN_API uint32_t ernn_audio_first(const ernn_model *model);

/* How large an arena is for sound of `rate` samples a second.  Another rate than the recipe's is
 * resampled: the arena then holds the filter too (2 KB for 48000 to 16000, 93 KB for 44100).
 * ERNN_NO_FRONT_END: the model takes no sound.  ERNN_RATE: the rate cannot be resampled; a lower one than
 * the recipe's lacks frequencies that the model was trained on. */
ERNN_API ernn_status ernn_audio_size(const ernn_model *model, uint32_t rate, size_t *bytes);

/* Makes the front end inside `arena` (aligned to ERNN_ALIGNMENT).  It reads the model's bytes while it is
 * used, and needs no closing. */
ERNN_API ernn_status ernn_audio_init(ernn_audio **audio, const ernn_model *model, uint32_t rate,
                                     void *arena, size_t arena_bytes);

/* Takes samples of one channel until a row is complete, and returns how many: call it again with the rest.
 * *ready is 1 when `row` was written.  16-bit samples give the bits of sample / 32768.0f.  Fewer than `n`
 * without a row: the next sample cannot be used, see ernn_audio_status. */
ERNN_API size_t ernn_audio_feed_s16(ernn_audio *audio, const int16_t *pcm, size_t n, float *row, int *ready);

/* The same for samples in -1 to 1.  It stops before one that is NaN, infinite or beyond 16. */
ERNN_API size_t ernn_audio_feed_f32(ernn_audio *audio, const float *pcm, size_t n, float *row, int *ready);

/* ERNN_OK, or why a feed stopped: ERNN_SAMPLE.  It stays until ernn_audio_reset, which forgets the samples:
 * the next one is the first of a stream. */
ERNN_API ernn_status ernn_audio_status(const ernn_audio *audio);
ERNN_API void ernn_audio_reset(ernn_audio *audio);

/* ---- Text ------------------------------------------------------------------------------------ */

/* Turns text into the tokens that a model takes, with the vocabulary and the rules in its file.
 *     int32_t tokens[200];
 *     uint32_t count;
 *     status = ernn_tokenize(&model, text, strlen(text), tokens, 200, &count);
 *     ernn_rows input = {tokens, count}, output = {scores, 1};
 *     if (status == ERNN_OK) status = ernn_run(session, &input, &output);
 *
 * text      UTF-8 of `bytes` bytes, which need not end with a zero
 * capacity  how many `tokens` has room for
 * count     how many the text has, which may be more than there is room for: ERNN_CAPACITY
 * ERNN_NO_TEXT: the model takes no text.  ERNN_NOT_UTF8.  ERNN_WORD: see its text. */
ERNN_API ernn_status ernn_tokenize(const ernn_model *model, const char *text, size_t bytes,
                                   int32_t *tokens, uint32_t capacity, uint32_t *count);

/* Of the front end for text, 0 without one: the model's input that takes the tokens, and how many each text
 * has (it is cut, or filled up with 0); 0: as many as there are words. */
ERNN_API uint32_t ernn_text_input(const ernn_model *model);
ERNN_API uint32_t ernn_text_length(const ernn_model *model);

/* ---- Labels of sound ------------------------------------------------------------------------- */

/* When scores become a label. */
typedef struct ernn_listening {
  float threshold; /* of the mean score, 0 to 1 (default 0.8) */
  uint32_t smooth; /* how many scores the mean is of (default 3) */
  float pause_s;   /* until the same label can come again (default 1) */
  float every_s;   /* between two scores (default 0.1) */
} ernn_listening;

/* A label, and the time of the last sample that it was decided from. */
typedef struct ernn_heard {
  double seconds;
  uint32_t label; /* for ernn_label */
  float score;
} ernn_heard;

/* Of the front end for sensors, 0 without one: samples a second, and the model's input that takes them.
 * A listener takes samples of sensors, too; ernn_input gives how many numbers a sample has. */
ERNN_API uint32_t ernn_sensor_rate(const ernn_model *model);
ERNN_API uint32_t ernn_sensor_input(const ernn_model *model);

/* The whole chain: front end, session and decisions for one stream of sound.  A model with a free number
 * of steps runs step by step; one with a fixed number runs over the last rows, with zeros in front where
 * there are fewer, or with silence where the recipe says so.  A label that begins with _ (_silence_,
 * _unknown_) is never decided.  One listener serves one thread.
 *
 * With a front end for sensors (ernn_sensor_rate), `rate` is the model's, a sample is as many floats as the
 * input is wide, `n` counts samples, and ernn_listener_feed_f32 takes them: they are scaled as in the
 * training, and the model answers for each full window as often as the file says, whatever every_s is.
 *
 *     size_t bytes;
 *     ernn_listener *listener;
 *     status = ernn_listener_size(&model, 48000, NULL, &bytes);    // the microphone's rate
 *     status = ernn_listener_init(&listener, &model, 48000, NULL, arena, bytes);
 *     while (n > 0) {                                              // n new samples, any number
 *       ernn_heard heard;
 *       int decided;
 *       size_t used = ernn_listener_feed_s16(listener, pcm, n, &heard, &decided);
 *       if (decided) puts(ernn_label(&model, heard.label));
 *       else if (used < n) return ernn_listener_status(listener);
 *       pcm += used, n -= used;
 *     } */
typedef struct ernn_listener ernn_listener;

/* As ernn_audio_size and ernn_audio_init.  `deciding` may be null: the defaults.  ERNN_NOT_LISTENING: see
 * its text.  ERNN_NOT_STREAMING: the model looks ahead and takes any number of steps. */
ERNN_API ernn_status ernn_listener_size(const ernn_model *model, uint32_t rate,
                                        const ernn_listening *deciding, size_t *bytes);
ERNN_API ernn_status ernn_listener_init(ernn_listener **listener, const ernn_model *model, uint32_t rate,
                                        const ernn_listening *deciding, void *arena, size_t arena_bytes);

/* As ernn_audio_feed_s16, until a label is decided: *decided is then 1 and `heard` is written. */
ERNN_API size_t ernn_listener_feed_s16(ernn_listener *listener, const int16_t *pcm, size_t n,
                                       ernn_heard *heard, int *decided);
ERNN_API size_t ernn_listener_feed_f32(ernn_listener *listener, const float *pcm, size_t n,
                                       ernn_heard *heard, int *decided);

/* As ernn_audio_status and ernn_audio_reset. */
ERNN_API ernn_status ernn_listener_status(const ernn_listener *listener);
ERNN_API ernn_status ernn_listener_reset(ernn_listener *listener);

/* The answer for all sound so far, or for its last part where steps are fixed.  ERNN_TOO_SHORT: see its text. */
ERNN_API ernn_status ernn_listener_whole(ernn_listener *listener, ernn_heard *heard);

#ifdef __cplusplus
}
#endif
#endif
