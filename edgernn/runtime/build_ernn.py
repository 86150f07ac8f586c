"""Builds the C library and its binding: a cffi module of one stable-ABI extension.

`setup.py` names `builder`; a compiler and nothing else is needed.  The declarations repeat those
of the headers in c/ that Python uses; the compiler checks that they agree.
"""

from __future__ import annotations

import os
from pathlib import Path

from cffi import FFI

_SOURCES = Path("edgernn/runtime/c")

# No flag is needed for repeatable floats: c/ernn_kernels.h sets what they need.
# Without -g0 names for a debugger are seven eighths of the wheel.
_COMPILE_ARGS = ["/O2"] if os.name == "nt" else ["-O3", "-g0"]

#: For `Model(..., threads=...)`; Windows has its threads in every program.
_THREADS = [] if os.name == "nt" else ["-pthread"]

_DECLARATIONS = """
typedef int... ernn_status;
typedef int... ernn_isa;
typedef int... ernn_dtype;
#define ERNN_ISA_COUNT ...
#define ERNN_NO_RESULT ...
#define ERNN_NOT_UTF8 ...
#define ERNN_WORD ...

typedef struct { ...; } ernn_model;
typedef struct ernn_session ernn_session;
typedef struct {
  const char *name;
  ernn_dtype dtype;
  uint32_t is_sequence;
  uint32_t steps;
  uint32_t width;
  uint32_t state;
  ...;
} ernn_port;
typedef struct { void *data; uint32_t steps; ...; } ernn_rows;
typedef struct {
  ernn_isa isa;
  uint32_t max_steps;
  uint32_t max_batch;
  uint32_t threads;
  ...;
} ernn_options;

const char *ernn_status_text(ernn_status status);
const char *ernn_isa_name(ernn_isa isa);
ernn_isa ernn_isa_best(void);
int ernn_isa_available(ernn_isa isa);

typedef struct { size_t offset; const char *layer; ...; } ernn_refusal;
ernn_status ernn_open(ernn_model *model, const void *bytes, size_t size);
ernn_status ernn_open_or_explain(ernn_model *model, const void *bytes, size_t size,
                                 ernn_refusal *refusal);
size_t ernn_model_size(void);
uint32_t ernn_input_count(const ernn_model *model);
uint32_t ernn_output_count(const ernn_model *model);
ernn_status ernn_input(const ernn_model *model, uint32_t index, ernn_port *port);
ernn_status ernn_output(const ernn_model *model, uint32_t index, ernn_port *port);
int ernn_is_streaming(const ernn_model *model);
const char *ernn_label(const ernn_model *model, uint32_t index);
ernn_status ernn_metadata_at(const ernn_model *model, uint32_t index, const char **key,
                             const char **value);

ernn_status ernn_session_size(const ernn_model *model, const ernn_options *options, size_t *bytes);
ernn_status ernn_session_init(ernn_session **session, const ernn_model *model, void *arena,
                              size_t arena_bytes, const ernn_options *options);
void ernn_session_close(ernn_session *session);
ernn_status ernn_reset(ernn_session *session);
const char *ernn_refusing_layer(const ernn_session *session);
const char *ernn_version(void);
ernn_isa ernn_session_isa(const ernn_session *session);
ernn_status ernn_step(ernn_session *session, const void *const *inputs, void *const *outputs);
ernn_status ernn_run(ernn_session *session, const ernn_rows *inputs, ernn_rows *outputs);
ernn_status ernn_run_batch(ernn_session *session, uint32_t count, const ernn_rows *inputs,
                           ernn_rows *outputs);
ernn_status ernn_output_steps(ernn_session *session, const ernn_rows *inputs, ernn_rows *outputs);
size_t ernn_state_size(const ernn_session *session);
ernn_status ernn_state_save(const ernn_session *session, void *bytes, size_t size);
ernn_status ernn_state_restore(ernn_session *session, const void *bytes, size_t size);

typedef struct ernn_audio ernn_audio;
uint32_t ernn_audio_rate(const ernn_model *model);
uint32_t ernn_audio_input(const ernn_model *model);
ernn_status ernn_audio_size(const ernn_model *model, uint32_t rate, size_t *bytes);
ernn_status ernn_audio_init(ernn_audio **audio, const ernn_model *model, uint32_t rate, void *arena,
                            size_t arena_bytes);
size_t ernn_audio_feed_s16(ernn_audio *audio, const int16_t *pcm, size_t n, float *row, int *ready);
size_t ernn_audio_feed_f32(ernn_audio *audio, const float *pcm, size_t n, float *row, int *ready);
ernn_status ernn_audio_status(const ernn_audio *audio);
void ernn_audio_reset(ernn_audio *audio);
ernn_status ernn_check_sound(const void *record, size_t size);
ernn_status ernn_sound_size(const void *record, uint32_t rate, size_t *bytes);
ernn_status ernn_sound_init(ernn_audio **audio, const void *record, uint32_t rate, void *arena,
                            size_t arena_bytes);
const void *ernn_sound_record(const ernn_model *model, size_t *bytes);
typedef struct {
  float threshold;
  uint32_t smooth;
  float pause_s;
  float every_s;
  ...;
} ernn_listening;
typedef struct { double seconds; uint32_t label; float score; ...; } ernn_heard;
typedef struct ernn_listener ernn_listener;
ernn_status ernn_listener_size(const ernn_model *model, uint32_t rate,
                               const ernn_listening *deciding, size_t *bytes);
ernn_status ernn_listener_init(ernn_listener **listener, const ernn_model *model, uint32_t rate,
                               const ernn_listening *deciding, void *arena, size_t arena_bytes);
size_t ernn_listener_feed_f32(ernn_listener *listener, const float *pcm, size_t n,
                              ernn_heard *heard, int *decided);
ernn_status ernn_listener_status(const ernn_listener *listener);
ernn_status ernn_listener_whole(ernn_listener *listener, ernn_heard *heard);
ernn_status ernn_listener_reset(ernn_listener *listener);
uint32_t ernn_sensor_rate(const ernn_model *model);
const void *ernn_sensor_record(const ernn_model *model, size_t *bytes);
uint32_t ernn_sensor_input(const ernn_model *model);
ernn_status ernn_tokenize(const ernn_model *model, const char *text, size_t bytes, int32_t *tokens,
                          uint32_t capacity, uint32_t *count);
uint32_t ernn_text_input(const ernn_model *model);
ernn_status ernn_check_text(const void *record, size_t size);
ernn_status ernn_text_tokens(const void *record, const char *text, size_t bytes, int32_t *tokens,
                             uint32_t capacity, uint32_t *count);
const void *ernn_text_record(const ernn_model *model, size_t *bytes);
int ernn_are_shares(const ernn_model *model, uint32_t index);

typedef struct {
  ernn_session *session;
  uint32_t count, input_count, output_count;
  ernn_rows *inputs, *outputs;
  void **arrays;
  size_t *apart;
} batch_table;
ernn_status run_table(const batch_table *table);
"""

# Only Python needs it: a batch of arrays in one call.
_OWN = """
#include "ernn_audio.h"
#include "ernn_scores.h"
#include "ernn_sensor.h"
#include "ernn_tokenizer.h"

typedef struct {
  ernn_session *session;
  uint32_t count, input_count, output_count; /* sequences; inputs and outputs of the model */
  ernn_rows *inputs, *outputs;               /* of each sequence; run_table sets their data */
  void **arrays; /* those of inputs, then of outputs; null for a state that begins at zero */
  size_t *apart; /* bytes of a sequence in each */
} batch_table;

static void point_rows(ernn_rows *rows, uint32_t count, uint32_t ports, void *const *arrays,
                       const size_t *apart) {
  for (uint32_t port = 0; port < ports; port++) {
    uint8_t *data = (uint8_t *)arrays[port];
    for (uint32_t i = 0; i < count; i++) {
      rows[(size_t)i * ports + port].data = data ? data + i * apart[port] : NULL;
    }
  }
}

static ernn_status run_table(const batch_table *table) {
  uint32_t first = table->input_count;
  point_rows(table->inputs, table->count, first, table->arrays, table->apart);
  point_rows(table->outputs, table->count, table->output_count, table->arrays + first,
             table->apart + first);
  return ernn_run_batch(table->session, table->count, table->inputs, table->outputs);
}
"""

builder = FFI()
builder.cdef(_DECLARATIONS)
builder.set_source(
    "edgernn.runtime._ernn",
    _OWN,
    sources=sorted(str(path) for path in _SOURCES.glob("*.c")),
    include_dirs=[str(_SOURCES)],
    define_macros=[("ERNN_THREADS", "1")],
    extra_compile_args=[*_COMPILE_ARGS, *_THREADS],
    extra_link_args=_THREADS,
    py_limited_api=True,
    # Without a compiler everything but the native runtime still installs; using it then raises
    # MissingRuntime, which says so.
    optional=True,
)
