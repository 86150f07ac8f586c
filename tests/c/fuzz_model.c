/* fuzz_model.c: opens arbitrary bytes as a model and runs what opens.
 *
 * Built with libFuzzer (`make fuzz`).  The checksum is made right first: whoever writes a hostile
 * file would do so, and the fuzzer cannot guess it. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ernn_internal.h"
#include "ernn_tokenizer.h"

enum { MOST_PORTS = 8, STEPS = 5, MOST_ARENA = 1 << 22, MOST_INPUT = 1 << 16 };

static void *aligned_copy(const void *from, size_t size) {
  void *copy = aligned_alloc(ERNN_ALIGNMENT, ernn_aligned(size ? size : 1));
  if (copy && size) memcpy(copy, from, size);
  return copy;
}

static size_t row_size(const ernn_port *port) {
  return (size_t)port->width * (port->dtype == ERNN_BOOL ? 1 : 4);
}

/* Inputs each as large as the model asks for: reads beyond them are found.  `fill` makes them
 * zeros, ones, infinite numbers or none at all. */
static int make_rows(const ernn_model *model, ernn_rows *rows, uint8_t fill) {
  static const uint8_t floats[] = {0x3F, 0x00, 0x7F, 0xFF};
  for (uint32_t i = 0; i < ernn_input_count(model); i++) {
    ernn_port port;
    ernn_input(model, i, &port);
    rows[i].steps = port.is_sequence ? (port.steps ? port.steps : STEPS) : 1;
    if (rows[i].steps > MOST_INPUT / row_size(&port)) return 0; /* else a run takes seconds */
    size_t size = rows[i].steps * row_size(&port);
    rows[i].data = malloc(size);
    if (!rows[i].data) return 0;
    memset(rows[i].data, port.dtype == ERNN_FLOAT32 ? floats[fill % 4] : fill & 1, size);
  }
  return 1;
}

static int make_outputs(const ernn_model *model, ernn_rows *rows) {
  for (uint32_t i = 0; i < ernn_output_count(model); i++) {
    ernn_port port;
    ernn_output(model, i, &port);
    if (rows[i].steps > MOST_ARENA / row_size(&port)) return 0;
    rows[i].data = malloc(rows[i].steps * row_size(&port));
    if (!rows[i].data) return 0;
  }
  return 1;
}

/* The sequence and its beginning side by side; then the sequence once more, in a group of its own. */
static void run_together(ernn_session *session, const ernn_model *model, const ernn_rows *inputs,
                         const ernn_rows *outputs) {
  enum { SEQUENCES = 3 };
  uint32_t in = ernn_input_count(model), out = ernn_output_count(model);
  ernn_rows from[SEQUENCES * MOST_PORTS], to[SEQUENCES * MOST_PORTS];
  for (uint32_t i = 0; i < SEQUENCES; i++) {
    for (uint32_t k = 0; k < in; k++) {
      from[i * in + k] = inputs[k];
      if (i == 1 && inputs[k].steps > 1) from[i * in + k].steps--;
    }
    for (uint32_t k = 0; k < out; k++) to[i * out + k] = outputs[k];
  }
  ernn_run_batch(session, SEQUENCES, from, to);
}

/* A sequence, a second part of it, and steps from a state that is saved and brought back. */
static void use(ernn_session *session, const ernn_model *model, const ernn_rows *inputs, ernn_rows *outputs) {
  const void *from[MOST_PORTS];
  void *to[MOST_PORTS];
  for (uint32_t i = 0; i < MOST_PORTS; i++) {
    from[i] = inputs[i].data;
    to[i] = outputs[i].data;
  }
  ernn_run(session, inputs, outputs);
  ernn_run(session, inputs, outputs);
  run_together(session, model, inputs, outputs);
  size_t size = ernn_state_size(session);
  void *saved = size <= MOST_ARENA ? malloc(size) : NULL;
  if (saved && ernn_state_save(session, saved, size) != ERNN_OK) abort();
  ernn_step(session, from, to);
  ernn_reset(session);
  ernn_step(session, from, to);
  if (saved && ernn_state_restore(session, saved, size) != ERNN_OK) abort();
  ernn_step(session, from, to);
  free(saved);
}

static void run(const ernn_model *model, ernn_isa isa, uint8_t fill) {
  ernn_options options = {.isa = isa, .max_steps = 16, .max_batch = 2};
  ernn_rows inputs[MOST_PORTS] = {{0}}, outputs[MOST_PORTS] = {{0}};
  size_t size;
  if (ernn_input_count(model) > MOST_PORTS || ernn_output_count(model) > MOST_PORTS) return;
  if (ernn_session_size(model, &options, &size) != ERNN_OK || size > MOST_ARENA) return;
  void *arena = aligned_alloc(ERNN_ALIGNMENT, ernn_aligned(size));
  ernn_session *session;
  if (arena && ernn_session_init(&session, model, arena, size, &options) == ERNN_OK &&
      make_rows(model, inputs, fill) &&
      ernn_output_steps(session, inputs, outputs) == ERNN_OK && make_outputs(model, outputs)) {
    use(session, model, inputs, outputs);
  }
  for (uint32_t i = 0; i < MOST_PORTS; i++) {
    free(inputs[i].data);
    free(outputs[i].data);
  }
  free(arena);
}

/* Sound through the front end, at its own rate and resampled; a row has just the input's width. */
static void listen(const ernn_model *model, uint8_t fill) {
  enum { SAMPLES = 9000 };
  const uint32_t rates[2] = {ernn_audio_rate(model), 48000};
  ernn_port port;
  if (ernn_input(model, ernn_audio_input(model), &port) != ERNN_OK) abort();
  for (uint32_t k = 0; k < 2; k++) {
    size_t size, done = 0;
    int ready = 1;
    if (ernn_audio_size(model, rates[k], &size) != ERNN_OK || size > MOST_ARENA) continue;
    void *arena = aligned_alloc(ERNN_ALIGNMENT, ernn_aligned(size));
    int16_t *samples = (int16_t *)malloc(SAMPLES * sizeof(int16_t));
    float *row = (float *)malloc(port.width * sizeof(float));
    ernn_audio *audio;
    if (arena && samples && row && ernn_audio_init(&audio, model, rates[k], arena, size) == ERNN_OK) {
      for (uint32_t i = 0; i < SAMPLES; i++) samples[i] = (int16_t)(uint16_t)(i * 25173u * fill);
      for (int rows = 0; rows < 12 && done < SAMPLES; rows += ready) {
        done += ernn_audio_feed_s16(audio, samples + done, SAMPLES - done, row, &ready);
      }
      ernn_audio_reset(audio);
      const float heard[4] = {0.0f, 0.5f, -1.0f, 100.0f}; /* the last is refused */
      if (ernn_audio_feed_f32(audio, heard, 4, row, &ready) > 4) abort();
    }
    free(arena);
    free(samples);
    free(row);
  }
}

/* Labels of the same sound, asked for as often as can be. */
static void decide(const ernn_model *model, uint8_t fill) {
  enum { SAMPLES = 3000 };
  const ernn_listening deciding = {0.0f, 2, 0.0f, 0.0f};
  size_t size;
  if (ernn_listener_size(model, ernn_audio_rate(model), &deciding, &size) != ERNN_OK) return;
  if (size > MOST_ARENA) return;
  void *arena = aligned_alloc(ERNN_ALIGNMENT, ernn_aligned(size));
  int16_t *samples = (int16_t *)malloc(SAMPLES * sizeof(int16_t));
  ernn_listener *listener;
  if (arena) memset(arena, 0xA5, size);
  if (arena && samples &&
      ernn_listener_init(&listener, model, ernn_audio_rate(model), &deciding, arena, size) == ERNN_OK) {
    ernn_heard heard;
    int decided = 1;
    for (uint32_t i = 0; i < SAMPLES; i++) samples[i] = (int16_t)(uint16_t)(i * 25173u * fill);
    for (size_t done = 0, used = 1; done < SAMPLES && used > 0; done += used) {
      used = ernn_listener_feed_s16(listener, samples + done, SAMPLES - done, &heard, &decided);
    }
    ernn_listener_whole(listener, &heard);
    if (ernn_listener_reset(listener) != ERNN_OK) abort();
  }
  free(arena);
  free(samples);
}

/* Samples of sensors, as many as the largest of the corpus' windows has and some more. */
static void sense(const ernn_model *model, uint8_t fill) {
  enum { SAMPLES = 48, MOST_WIDTH = 64 };
  const ernn_listening deciding = {0.0f, 2, 0.0f, 0.0f};
  static float samples[SAMPLES * MOST_WIDTH];
  uint32_t rate = ernn_sensor_rate(model);
  ernn_port port;
  size_t size;
  if (ernn_input(model, ernn_sensor_input(model), &port) != ERNN_OK) abort();
  if (port.width > MOST_WIDTH) return;
  if (ernn_listener_size(model, rate, &deciding, &size) != ERNN_OK || size > MOST_ARENA) return;
  void *arena = aligned_alloc(ERNN_ALIGNMENT, ernn_aligned(size));
  ernn_listener *listener;
  if (arena) memset(arena, 0xA5, size);
  if (arena && ernn_listener_init(&listener, model, rate, &deciding, arena, size) == ERNN_OK) {
    ernn_heard heard;
    int decided;
    for (uint32_t i = 0; i < SAMPLES * port.width; i++) samples[i] = (float)(i * fill % 97u);
    for (size_t done = 0, used = 1; done < SAMPLES && used > 0; done += used) {
      used = ernn_listener_feed_f32(listener, samples + done * port.width, SAMPLES - done, &heard,
                                    &decided);
    }
    ernn_listener_whole(listener, &heard);
  }
  free(arena);
}

/* The end of the file and some words as text: tokens are never beyond the room for them. */
static void tokenize(const ernn_model *model, const uint8_t *end) {
  enum { ROOM = 8, LONGEST = 64 };
  static const char words[] = "Good, film! \xE6\x97\xA5 -- don't\tgood";
  int32_t tokens[ROOM + 1];
  uint32_t count = 0;
  ernn_port port;
  if (ernn_input(model, ernn_text_input(model), &port) != ERNN_OK || port.width != 1) abort();
  for (uint32_t room = 0; room <= ROOM; room += ROOM) {
    tokens[room] = -7;
    ernn_status status = ernn_tokenize(model, words, sizeof words - 1, tokens, room, &count);
    if ((status == ERNN_CAPACITY) != (count > room) || tokens[room] != -7) abort();
    for (uint32_t length = 0; length <= LONGEST; length++) {
      ernn_tokenize(model, (const char *)end - length, length, tokens, room, &count);
      if (tokens[room] != -7) abort();
    }
  }
}

/* What describes a model to its user: every text it tells is read to its end. */
static void describe(const ernn_model *model) {
  ernn_port port;
  const char *key, *value;
  size_t length = 0;
  for (uint32_t i = 0; ernn_input(model, i, &port) == ERNN_OK; i++) length += strlen(port.name);
  for (uint32_t i = 0; ernn_output(model, i, &port) == ERNN_OK; i++) length += strlen(port.name);
  for (uint32_t i = 0; ernn_label(model, i); i++) length += strlen(ernn_label(model, i));
  for (uint32_t i = 0; ernn_metadata_at(model, i, &key, &value) == ERNN_OK; i++) {
    length += strlen(key) + strlen(value);
  }
  if (length > (size_t)-1 / 2) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *file = (uint8_t *)aligned_copy(data, size);
  ernn_model model;
  if (size >= sizeof(ernn_header)) {
    ernn_header *header = (ernn_header *)(void *)file;
    header->file_bytes = (uint32_t)size;
    header->crc32 = ernn_crc32(file + 16, size - 16);
  }
  if (ernn_open(&model, file, size) == ERNN_OK) {
    uint8_t fill = size ? data[size - 1] : 0;
    describe(&model);
    run(&model, ERNN_ISA_PORTABLE, fill);
    run(&model, ERNN_ISA_AUTO, fill);
    size_t bytes;
    if (ernn_text_record(&model, &bytes)) tokenize(&model, file + size);
    if (ernn_sensor_rate(&model) > 0) sense(&model, fill);
    if (ernn_audio_rate(&model) > 0) {
      listen(&model, fill);
      decide(&model, fill);
    }
  }
  free(file);
  return 0;
}
