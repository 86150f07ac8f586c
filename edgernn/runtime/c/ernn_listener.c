/* ernn_listener.c: labels as sound comes: rows from the front end, scores from the model, then decisions.
 * edgernn/runtime/listening.py decides in the same way. */

#include "ernn_audio.h"
#include "ernn_internal.h"
#include "ernn_math.h"
#include "ernn_scores.h"
#include "ernn_sensor.h"

#define LISTENER_MOST 1000u /* scores that a mean is of */

struct ernn_listener {
  const ernn_model *model;
  ernn_audio *audio;         /* one of them is null */
  const ernn_sensor *sensor;
  ernn_session *session;
  ernn_listening deciding;
  uint32_t rate, hop, first;              /* of the recipe: see ernn_audio_hop and ernn_audio_first */
  uint32_t input, output, inputs, outputs; /* which of them are for the sound and the scores */
  uint32_t width, steps, scores, classes;  /* steps: 0 where the model runs step by step */
  uint32_t every, held;                    /* rows between two scores; scores in `recent` */
  float pause;                             /* samples until the same label can come again */
  uint64_t rows, last_rows;                /* now, and at the last label */
  float *row, *window, *raw, *recent, *mean; /* [width] [steps][width] [scores] [smooth][classes] [classes] */
  float *fresh; /* [scores] of the step just taken, which may have none: `raw` keeps the last */
  const void **in;
  void **out;
  ernn_rows *rows_in, *rows_out;
  uint32_t last_label;
  uint8_t has_last, busy, are_shares, is_due, has_scores;
  ernn_status status;
};

/* Not a cast: 32-bit ARM would call the compiler's library. */
static double listener_number(uint64_t x) {
  return (double)(uint32_t)(x >> 32) * 4294967296.0 + (double)(uint32_t)x;
}

/* The one input that takes rows of sound and the one output that is no state. */
static ernn_status listener_ports(const ernn_model *model, ernn_listener *of) {
  ernn_port port, output;
  uint32_t free_inputs = 0, free_outputs = 0;
  of->inputs = ernn_input_count(model), of->outputs = ernn_output_count(model);
  of->input = of->sensor ? ernn_sensor_input(model) : ernn_audio_input(model);
  for (uint32_t i = 0; i < of->outputs; i++) {
    int is_state = 0;
    for (uint32_t k = 0; k < of->inputs; k++) {
      if (ernn_input(model, k, &port) == ERNN_OK && port.state == i + 1) is_state = 1;
    }
    if (!is_state) free_outputs++, of->output = i;
  }
  for (uint32_t k = 0; k < of->inputs; k++) {
    if (ernn_input(model, k, &port) == ERNN_OK && port.state == 0) free_inputs++;
  }
  if (free_inputs != 1 || free_outputs != 1) return ERNN_NOT_LISTENING;
  if (ernn_input(model, of->input, &port) != ERNN_OK) return ERNN_NOT_LISTENING;
  if (ernn_output(model, of->output, &output) != ERNN_OK) return ERNN_NOT_LISTENING;
  if (output.dtype != ERNN_FLOAT32 || (output.is_sequence && port.steps != 1)) return ERNN_NOT_LISTENING;
  int by_steps = ernn_is_streaming(model) && port.steps <= 1;
  if (!by_steps && port.steps == 0) return ERNN_NOT_STREAMING;
  of->steps = by_steps ? 0 : port.steps;
  of->width = port.width;
  of->scores = output.width;
  of->classes = output.width == 1 ? 2 : output.width;
  of->are_shares = (uint8_t)ernn_are_shares(model, of->output);
  return ERNN_OK;
}

/* Takes a part of the arena; `base` may be null, to count only. */
static void *listener_part(uint8_t *base, size_t *at, size_t count, size_t each) {
  void *part = base ? base + *at : NULL;
  *at += (count * each + ERNN_ALIGNMENT - 1) / ERNN_ALIGNMENT * ERNN_ALIGNMENT;
  return part;
}

/* The arena behind the structure; makes what lies in it where `base` is not null. */
static ernn_status listener_lay_out(ernn_listener *of, const ernn_model *model, uint32_t rate,
                                    uint8_t *base, size_t *bytes) {
  ernn_options options = {.max_steps = of->steps};
  size_t audio = 0, session, at = 0;
  if (of->classes > ERNN_MAX_ELEMENTS / of->deciding.smooth) return ERNN_TOO_LARGE;
  ernn_status status = ERNN_OK;
  if (!of->sensor) status = ernn_audio_size(model, rate, &audio);
  else if (rate != of->rate) status = ERNN_RATE;
  if (status == ERNN_OK) status = ernn_session_size(model, &options, &session);
  if (status != ERNN_OK) return status;
  listener_part(base, &at, 1, sizeof *of);
  uint8_t *audio_arena = listener_part(base, &at, audio, 1);
  uint8_t *session_arena = listener_part(base, &at, session, 1);
  of->row = listener_part(base, &at, of->width, sizeof(float));
  of->window = listener_part(base, &at, (size_t)of->steps * of->width, sizeof(float));
  of->raw = listener_part(base, &at, of->scores, sizeof(float));
  of->fresh = listener_part(base, &at, of->scores, sizeof(float));
  of->recent = listener_part(base, &at, (size_t)of->deciding.smooth * of->classes, sizeof(float));
  of->mean = listener_part(base, &at, of->classes, sizeof(float));
  of->in = listener_part(base, &at, of->inputs, sizeof *of->in);
  of->out = listener_part(base, &at, of->outputs, sizeof *of->out);
  of->rows_in = listener_part(base, &at, of->inputs, sizeof *of->rows_in);
  of->rows_out = listener_part(base, &at, of->outputs, sizeof *of->rows_out);
  *bytes = at;
  if (!base) return ERNN_OK;
  if (!of->sensor) status = ernn_audio_init(&of->audio, model, rate, audio_arena, audio);
  return status == ERNN_OK
             ? ernn_session_init(&of->session, model, session_arena, session, &options)
             : status;
}

static ernn_status listener_describe(ernn_listener *of, const ernn_model *model,
                                     const ernn_listening *deciding) {
  const ernn_listening defaults = {0.8f, 3, 1.0f, 0.1f};
  of->model = model;
  of->deciding = deciding ? *deciding : defaults;
  size_t bytes;
  of->audio = NULL, of->sensor = (const ernn_sensor *)ernn_sensor_record(model, &bytes);
  of->rate = of->sensor ? of->sensor->rate : ernn_audio_rate(model);
  of->hop = of->sensor ? 1 : ernn_audio_hop(model);
  of->first = of->sensor ? 1 : ernn_audio_first(model);
  if (of->rate == 0) return ERNN_NO_FRONT_END;
  if (of->deciding.smooth == 0 || of->deciding.smooth > LISTENER_MOST) return ERNN_ARGUMENT;
  if (!(of->deciding.pause_s >= 0.0f) || !(of->deciding.threshold >= 0.0f)) return ERNN_ARGUMENT;
  float rows = of->deciding.every_s * (float)of->rate / (float)of->hop;
  if (!(rows >= 0.0f && rows < 1e6f)) return ERNN_ARGUMENT;
  of->pause = of->deciding.pause_s * (float)of->rate;
  of->every = rows < 1.0f ? 1 : (uint32_t)(rows + 0.5f);
  if (of->sensor) of->every = of->sensor->hop;
  return listener_ports(model, of);
}

ernn_status ernn_listener_size(const ernn_model *model, uint32_t rate, const ernn_listening *deciding,
                               size_t *bytes) {
  if (!model || !bytes) return ERNN_ARGUMENT;
  ernn_listener described;
  ernn_status status = listener_describe(&described, model, deciding);
  return status == ERNN_OK ? listener_lay_out(&described, model, rate, NULL, bytes) : status;
}

ernn_status ernn_listener_init(ernn_listener **listener, const ernn_model *model, uint32_t rate,
                               const ernn_listening *deciding, void *arena, size_t arena_bytes) {
  if (!listener || !model || !arena) return ERNN_ARGUMENT;
  if ((uintptr_t)arena % ERNN_ALIGNMENT != 0) return ERNN_MISALIGNED;
  size_t bytes;
  ernn_status status = ernn_listener_size(model, rate, deciding, &bytes);
  if (status != ERNN_OK) return status;
  if (arena_bytes < bytes) return ERNN_ARENA;
  ernn_listener *of = arena;
  of->busy = 0; /* the arena may hold anything; what else is read is set below */
  status = listener_describe(of, model, deciding);
  if (status == ERNN_OK) status = listener_lay_out(of, model, rate, arena, &bytes);
  if (status != ERNN_OK) return status;
  for (uint32_t i = 0; i < of->inputs; i++) {
    const ernn_rows nothing = {NULL, 0};
    of->in[i] = NULL, of->rows_in[i] = nothing;
  }
  for (uint32_t i = 0; i < of->outputs; i++) {
    const ernn_rows nothing = {NULL, 0};
    of->out[i] = NULL, of->rows_out[i] = nothing;
  }
  of->in[of->input] = of->row, of->out[of->output] = of->fresh;
  *listener = of;
  return ernn_listener_reset(of);
}

ernn_status ernn_listener_reset(ernn_listener *listener) {
  if (!listener) return ERNN_ARGUMENT;
  if (listener->busy) return ERNN_BUSY;
  size_t window = (size_t)listener->steps * listener->width;
  for (size_t i = 0; i < window; i++) listener->window[i] = 0.0f;
  listener->rows = 0, listener->held = 0, listener->has_last = 0, listener->status = ERNN_OK;
  listener->is_due = 0, listener->has_scores = 0;
  if (listener->audio) {
    ernn_audio_reset(listener->audio);
    if (ernn_audio_silence(listener->audio, listener->row)) {
      for (size_t i = 0; i < window; i++) listener->window[i] = listener->row[i % listener->width];
    }
  }
  return ernn_reset(listener->session);
}

/* Scores as shares of 1: as they are behind a softmax or sigmoid, else of its logits; of one score those
 * of both classes. */
static void listener_shares(const ernn_listener *of, float *shares) {
  const float *raw = of->raw;
  if (of->scores == 1) { /* its logit is over one of 0 */
    shares[0] = of->are_shares ? 1.0f - raw[0] : 0.0f, shares[1] = raw[0];
  } else {
    for (uint32_t i = 0; i < of->scores; i++) shares[i] = raw[i];
  }
  if (of->are_shares) return;
  float most = shares[0], sum = 0.0f;
  for (uint32_t i = 1; i < of->classes; i++) most = shares[i] > most ? shares[i] : most;
  for (uint32_t i = 0; i < of->classes; i++) sum += shares[i] = ernn_exp(shares[i] - most);
  for (uint32_t i = 0; i < of->classes; i++) shares[i] /= sum;
}

/* The model's answer for the last rows, as if the sound ended here. */
static ernn_status listener_run_window(ernn_listener *of) {
  ernn_rows rows_in = {of->window, of->steps}, rows_out = {of->raw, 1};
  ernn_status status = ernn_reset(of->session);
  of->rows_in[of->input] = rows_in, of->rows_out[of->output] = rows_out;
  return status == ERNN_OK ? ernn_run(of->session, of->rows_in, of->rows_out) : status;
}

static void listener_name(const ernn_listener *of, const float *shares, ernn_heard *heard) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < of->classes; i++) best = shares[i] > shares[best] ? i : best;
  heard->label = best, heard->score = shares[best];
  heard->seconds = listener_number((of->rows - 1) * of->hop + of->first) / (double)of->rate;
}

/* A class such as _silence_ or _unknown_: it takes scores away from the words, and nobody wants to hear it. */
static int listener_is_silent(const ernn_listener *of, uint32_t index) {
  const char *label = ernn_label(of->model, index);
  return label && label[0] == '_';
}

/* Adds the newest scores to the recent ones; 1 where their mean is a decision. */
static int listener_decide(ernn_listener *of, ernn_heard *heard) {
  uint32_t smooth = of->deciding.smooth, classes = of->classes;
  if (of->held == smooth) {
    for (size_t i = classes; i < (size_t)smooth * classes; i++) of->recent[i - classes] = of->recent[i];
    of->held--;
  }
  listener_shares(of, of->recent + (size_t)of->held++ * classes);
  if (of->held < smooth) return 0;
  for (uint32_t c = 0; c < classes; c++) {
    double sum = 0.0;
    for (uint32_t i = 0; i < smooth; i++) sum += (double)of->recent[(size_t)i * classes + c];
    of->mean[c] = (float)(sum / (double)smooth);
  }
  ernn_heard now;
  listener_name(of, of->mean, &now);
  if (!(now.score >= of->deciding.threshold) || listener_is_silent(of, now.label)) return 0;
  if (of->has_last && of->last_label == now.label &&
      listener_number((of->rows - of->last_rows) * of->hop) + 0.5 < (double)of->pause) {
    return 0;
  }
  of->has_last = 1, of->last_label = now.label, of->last_rows = of->rows;
  *heard = now;
  return 1;
}

/* A complete row; 1 where it brought a decision.  A decision that is due waits for a step with scores:
 * those of a stride may always fall on other rows. */
static int listener_take_row(ernn_listener *of, ernn_heard *heard) {
  of->rows++;
  uint64_t begun = of->sensor && of->steps ? of->steps : 0; /* a sensor's windows are full */
  if (of->rows >= begun && (of->rows - begun) % of->every == 0) of->is_due = 1;
  if (of->steps == 0) {
    of->status = ernn_step(of->session, of->in, of->out);
    if (of->status == ERNN_NO_RESULT) { /* no score yet */
      of->status = ERNN_OK;
      return 0;
    }
    for (uint32_t i = 0; i < of->scores; i++) of->raw[i] = of->fresh[i];
    of->has_scores = 1;
  } else {
    size_t kept = (size_t)(of->steps - 1) * of->width;
    for (size_t i = 0; i < kept; i++) of->window[i] = of->window[i + of->width];
    for (uint32_t i = 0; i < of->width; i++) of->window[kept + i] = of->row[i];
    if (of->is_due) of->status = listener_run_window(of);
  }
  if (of->status != ERNN_OK || !of->is_due) return 0;
  of->is_due = 0;
  return listener_decide(of, heard);
}

/* One of s16 and f32 is null. */
static size_t listener_feed(ernn_listener *of, const int16_t *s16, const float *f32, size_t n,
                            ernn_heard *heard, int *decided) {
  size_t used = 0;
  if (decided) *decided = 0;
  if (!of) return 0;
  if ((!s16 && !f32) || !heard || !decided || (of->sensor && !f32)) of->status = ERNN_ARGUMENT;
  if (of->status != ERNN_OK || of->busy) return 0;
  of->busy = 1;
  while (used < n && of->status == ERNN_OK && !*decided) {
    int ready = 0;
    if (of->sensor) {
      ready = ernn_sensor_row(of->sensor, f32 + used * of->width, of->row);
      if (ready) used++;
      else of->status = ERNN_SAMPLE;
    } else {
      used += s16 ? ernn_audio_feed_s16(of->audio, s16 + used, n - used, of->row, &ready)
                  : ernn_audio_feed_f32(of->audio, f32 + used, n - used, of->row, &ready);
    }
    if (ready) *decided = listener_take_row(of, heard);
    else if (used < n && of->audio) of->status = ernn_audio_status(of->audio);
  }
  of->busy = 0;
  return used;
}

size_t ernn_listener_feed_s16(ernn_listener *listener, const int16_t *pcm, size_t n, ernn_heard *heard,
                              int *decided) {
  return listener_feed(listener, pcm, NULL, n, heard, decided);
}

size_t ernn_listener_feed_f32(ernn_listener *listener, const float *pcm, size_t n, ernn_heard *heard,
                              int *decided) {
  return listener_feed(listener, NULL, pcm, n, heard, decided);
}

ernn_status ernn_listener_status(const ernn_listener *listener) {
  if (!listener) return ERNN_ARGUMENT;
  return listener->busy ? ERNN_BUSY : listener->status;
}

ernn_status ernn_listener_whole(ernn_listener *listener, ernn_heard *heard) {
  if (!listener || !heard) return ERNN_ARGUMENT;
  if (listener->busy) return ERNN_BUSY;
  if (listener->rows == 0 || !(listener->steps || listener->has_scores) ||
      (listener->sensor && listener->rows < listener->steps)) {
    return listener->status == ERNN_OK ? ERNN_TOO_SHORT : listener->status;
  }
  ernn_status status = listener->steps ? listener_run_window(listener) : ERNN_OK;
  if (status != ERNN_OK) return status;
  listener_shares(listener, listener->mean);
  listener_name(listener, listener->mean, heard);
  return ERNN_OK;
}
