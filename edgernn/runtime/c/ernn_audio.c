/* ernn_audio.c: sound becomes rows of features, as the record in the file says.  The record holds all
 * tables; each sum has one order, so the numbers are the same on every processor. */

#include "ernn_audio.h"

#include "ernn_internal.h"
#include "ernn_lanes.h"
#include "ernn_math.h"
#include "ernn_resample.h"
#include "ernn_sound.h"
#include "ernn_spectrum.h"

#define AUDIO_LOUDEST 16.0f /* full scale is 1 */

struct ernn_audio {
  const ernn_sound *sound;
  float *frame;       /* [1 + window, to a multiple of 8]; the first is what comes before it */
  float *work, *more; /* [fft + 8] each */
  float *smooth;      /* [bins], of PCEN */
  uint32_t filled;    /* samples of the frame */
  uint32_t skip;      /* samples between two frames */
  uint32_t rows;      /* none yet: 0 */
  uint32_t resamples;
  uint32_t ahead, held; /* samples behind the first frame: needed, and there */
  float behind[AUDIO_MOST_AHEAD];
  float last; /* sample, before pre-emphasis of the whole stream */
  ernn_status status;
  ernn_resampler resampler;
};

/* ---- Memory ---- */

/* Floats of the arena behind the structure.  `audio` may be null. */
static size_t audio_lay_out(const ernn_sound *sound, ernn_audio *audio, float *memory) {
  size_t frame = audio_rounded(sound->window, 8) + 4;
  size_t work = sound->fft + 8;
  size_t smooth =
      sound->flags & ERNN_SOUND_PCEN ? audio_rounded(audio_energies(sound), 4) : 0;
  if (audio) {
    audio->frame = memory + 3; /* with the one before it, the frame itself is aligned to 16 */
    audio->work = memory + frame;
    audio->more = audio->work + work;
    audio->smooth = audio->more + work;
  }
  return frame + 2 * work + smooth;
}

ernn_status ernn_sound_size(const void *record, uint32_t rate, size_t *bytes) {
  if (!record || !bytes) return ERNN_ARGUMENT;
  const ernn_sound *sound = (const ernn_sound *)record;
  ernn_resampler resampler;
  if (!ernn_resampler_plan(&resampler, rate, sound->rate)) return ERNN_RATE;
  size_t floats = audio_lay_out(sound, NULL, NULL);
  if (rate != sound->rate) floats += ernn_resampler_floats(&resampler);
  *bytes = ernn_aligned(sizeof(ernn_audio)) + floats * sizeof(float);
  return ERNN_OK;
}

ernn_status ernn_sound_init(ernn_audio **audio, const void *record, uint32_t rate, void *arena,
                            size_t arena_bytes) {
  if (!audio || !arena) return ERNN_ARGUMENT;
  if ((uintptr_t)arena % ERNN_ALIGNMENT != 0) return ERNN_MISALIGNED;
  size_t needed;
  ernn_status status = ernn_sound_size(record, rate, &needed);
  if (status != ERNN_OK) return status;
  if (arena_bytes < needed) return ERNN_ARENA;
  ernn_audio *made = (ernn_audio *)arena;
  ernn_clear(made, sizeof *made);
  made->sound = (const ernn_sound *)record;
  float *memory = (float *)(void *)((uint8_t *)arena + ernn_aligned(sizeof *made));
  size_t used = audio_lay_out(made->sound, made, memory);
  made->resamples = rate != made->sound->rate;
  if (made->resamples) {
    ernn_resampler_plan(&made->resampler, rate, made->sound->rate);
    ernn_resampler_fill(&made->resampler, memory + used);
  }
  ernn_audio_reset(made);
  *audio = made;
  return ERNN_OK;
}

void ernn_audio_reset(ernn_audio *audio) {
  const ernn_sound *sound = audio->sound;
  ernn_clear(audio->frame, (audio_rounded(sound->window, 8) + 1) * sizeof(float));
  audio->filled = sound->lead;
  audio->ahead = audio_ahead(sound);
  audio->held = 0;
  audio->skip = 0;
  audio->rows = 0;
  audio->last = 0.0f;
  audio->status = ERNN_OK;
  if (audio->resamples) ernn_resampler_reset(&audio->resampler);
}

ernn_status ernn_audio_status(const ernn_audio *audio) {
  return audio ? audio->status : ERNN_ARGUMENT;
}

/* ---- A row ---- */

static float audio_mean(const float *frame, uint32_t window) {
  ernn_lanes sum = ernn_lanes_all(0.0f); /* behind the window are zeros */
  for (uint32_t i = 0; i < window; i += 4) sum = ernn_lanes_add(sum, ernn_lanes_at(frame + i));
  return ernn_lanes_sum(sum) / (float)window;
}

/* The shaped frame as complex numbers: even samples, then odd ones. */
static void audio_shape(const ernn_audio *audio) {
  const ernn_sound *sound = audio->sound;
  const float *shape = audio_table(sound, sound->shape), *frame = audio->frame + 1;
  uint32_t points = sound->fft / 2, window = audio_rounded(sound->window, 8);
  int emphasizes = (sound->flags & ERNN_SOUND_FRAMEWISE) != 0;
  float mean = sound->flags & ERNN_SOUND_REMOVE_MEAN ? audio_mean(frame, sound->window) : 0.0f;
  ernn_lanes shift = ernn_lanes_all(mean), emphasis = ernn_lanes_all(sound->pre_emphasis);
  audio->frame[0] = audio->frame[1];
  for (uint32_t i = 0; i < window; i += 8) {
    ernn_lanes part[2];
    for (uint32_t k = 0; k < 2; k++) {
      const float *at = frame + i + 4 * k;
      ernn_lanes x = ernn_lanes_sub(ernn_lanes_at(at), shift);
      if (emphasizes) {
        ernn_lanes before = ernn_lanes_sub(ernn_lanes_at(at - 1), shift);
        x = ernn_lanes_sub(x, ernn_lanes_mul(emphasis, before));
      }
      part[k] = ernn_lanes_mul(x, ernn_lanes_at(shape + i + 4 * k));
    }
    ernn_lanes_to(audio->work + i / 2, ernn_lanes_even(part[0], part[1]));
    ernn_lanes_to(audio->work + points + i / 2, ernn_lanes_odd(part[0], part[1]));
  }
  ernn_clear(audio->work + window / 2, (points - window / 2) * sizeof(float));
  ernn_clear(audio->work + points + window / 2, (points - window / 2) * sizeof(float));
}

/* Negative weights of a filter may give a negative energy. */
static float audio_log_of(float x) { return ernn_log(x > AUDIO_LEAST ? x : AUDIO_LEAST); }

/* Per-channel energy normalization: each energy over its own smoothed past. */
static void audio_pcen(ernn_audio *audio, float *x, uint32_t count) {
  const ernn_sound *sound = audio->sound;
  float power = sound->pcen_power;
  float rest = ernn_exp(power * ernn_log(sound->pcen_bias));
  for (uint32_t i = 0; i < count; i++) {
    float past = audio->smooth[i];
    if (audio->rows == 0) past = sound->pcen_start < 0.0f ? x[i] : sound->pcen_start;
    past = (1.0f - sound->pcen_smooth) * past + sound->pcen_smooth * x[i];
    audio->smooth[i] = past;
    float gain = ernn_exp(-sound->pcen_gain * audio_log_of(sound->pcen_floor + past));
    x[i] = ernn_exp(power * audio_log_of(x[i] * gain + sound->pcen_bias)) - rest;
  }
}

static void audio_log(const ernn_sound *sound, float *x, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    float value = x[i] > sound->floor ? x[i] : sound->floor;
    x[i] = sound->log_scale * ernn_log(value + sound->log_add) + sound->log_shift;
  }
}

static void audio_row(ernn_audio *audio, float *row) {
  const ernn_sound *sound = audio->sound;
  audio_shape(audio);
  uint32_t points = sound->fft / 2, count = audio_energies(sound);
  float *spectrum =
      ernn_power_spectrum(audio->work, audio->more, points, audio_table(sound, sound->turns),
                          audio_table(sound, sound->untangle));
  float *x = spectrum == audio->work ? audio->more : audio->work;
  for (uint32_t i = 1; i < 8; i++) spectrum[points + i] = 0.0f;
  if (sound->flags & ERNN_SOUND_MAGNITUDE) {
    for (uint32_t i = 0; i <= points; i++) spectrum[i] = ernn_sqrt(spectrum[i]);
  }
  if (sound->bins == 0) {
    x = spectrum;
  } else {
    const float *weights = audio_table(sound, sound->weights);
    for (uint32_t i = 0; i < count; i++) {
      const ernn_sound_filter *filter = audio_filters(sound) + i;
      x[i] = ernn_lanes_dot(weights + filter->start, spectrum + filter->first, filter->count);
    }
  }
  if (sound->flags & ERNN_SOUND_PCEN) audio_pcen(audio, x, count);
  if (sound->flags & ERNN_SOUND_LOG) audio_log(sound, x, count);
  const float *dct = audio_table(sound, sound->dct);
  uint32_t padded = audio_rounded(count, 4);
  for (uint32_t i = count; i < padded; i++) x[i] = 0.0f;
  for (uint32_t i = 0; i < sound->width; i++) {
    row[i] = dct ? ernn_lanes_dot(dct + (size_t)i * padded, x, padded) : x[i];
  }
  const float *normalize = audio_table(sound, sound->normalize);
  for (uint32_t i = 0; normalize && i < sound->width; i++) {
    row[i] = (row[i] + normalize[i]) * normalize[sound->width + i];
  }
  audio->rows = 1;
}

int ernn_audio_silence(ernn_audio *audio, float *row) {
  if (!(audio->sound->flags & ERNN_SOUND_SILENCE)) return 0;
  audio_row(audio, row); /* the frame is as ernn_audio_reset leaves it */
  audio->rows = 0;
  return 1;
}

/* ---- Samples ---- */

/* Samples that the next row waits for. */
static uint32_t audio_missing(const ernn_audio *audio) {
  return audio->sound->window - audio->filled + audio->ahead - audio->held;
}

/* As the frame has them: scaled, and emphasized over the stream. */
static void audio_prepare(ernn_audio *audio, const float *x, uint32_t count, float *to) {
  const ernn_sound *sound = audio->sound;
  float emphasis = sound->flags & ERNN_SOUND_FRAMEWISE ? 0.0f : sound->pre_emphasis;
  if (emphasis == 0.0f) {
    for (uint32_t i = 0; i < count; i++) to[i] = x[i] * sound->scale;
    return;
  }
  for (uint32_t i = 0; i < count; i++) {
    float sample = x[i] * sound->scale;
    to[i] = sample - emphasis * audio->last;
    audio->last = sample;
  }
}

/* The next `count` samples, at most audio_missing: of the frame, then those behind it. */
static void audio_add(ernn_audio *audio, const float *x, uint32_t count) {
  uint32_t room = audio->sound->window - audio->filled;
  uint32_t inside = count < room ? count : room;
  audio_prepare(audio, x, inside, audio->frame + 1 + audio->filled);
  audio->filled += inside;
  audio_prepare(audio, x + inside, count - inside, audio->behind + audio->held);
  audio->held += count - inside;
}

/* The sound backwards before the first sample, which is not repeated. */
static void audio_mirror(ernn_audio *audio) {
  uint32_t lead = audio->sound->lead, window = audio->sound->window;
  float *frame = audio->frame + 1;
  for (uint32_t i = 1; i <= lead; i++) {
    uint32_t at = lead + i;
    frame[lead - i] = at < window ? frame[at] : audio->behind[at - window];
  }
}

/* What waited behind the first frame, now that there is room. */
static void audio_follow(ernn_audio *audio) {
  for (uint32_t i = 0; i < audio->held; i++) {
    if (audio->skip > 0) {
      audio->skip--;
    } else {
      audio->frame[1 + audio->filled++] = audio->behind[i];
    }
  }
  audio->ahead = audio->held = 0;
}

/* The row of a full frame, and the frame moved on. */
static void audio_finish(ernn_audio *audio, float *row) {
  const ernn_sound *sound = audio->sound;
  if (audio->rows == 0 && sound->flags & ERNN_SOUND_MIRROR) audio_mirror(audio);
  audio_row(audio, row);
  float *frame = audio->frame + 1;
  uint32_t hop = sound->hop;
  if (hop >= sound->window) {
    audio->skip = hop - sound->window;
    audio->filled = 0;
  } else {
    uint32_t kept = sound->window - hop, i = 0;
    if (hop >= 4) { /* what is overwritten has been read */
      for (; i + 4 <= kept; i += 4) ernn_lanes_to(frame + i, ernn_lanes_at(frame + hop + i));
    }
    for (; i < kept; i++) frame[i] = frame[hop + i];
    audio->filled = kept;
  }
  audio_follow(audio);
}

static uint32_t audio_smaller(size_t a, uint32_t b) { return a < b ? (uint32_t)a : b; }

/* Up to `count` samples that are numbers; at most those that the frame waits for, or one of another
 * rate. Returns how many were taken. */
static uint32_t audio_take(ernn_audio *audio, const float *x, uint32_t count) {
  uint32_t good = 0;
  while (good < count && x[good] > -AUDIO_LOUDEST && x[good] < AUDIO_LOUDEST) good++;
  if (good < count) audio->status = ERNN_SAMPLE;
  if (!audio->resamples) {
    uint32_t skipped = audio_smaller(good, audio->skip);
    for (uint32_t i = 0; i < skipped; i++) audio->last = x[i] * audio->sound->scale;
    audio->skip -= skipped;
    audio_add(audio, x + skipped, good - skipped);
    return good;
  }
  for (uint32_t i = 0; i < good; i++) {
    float sample;
    if (!ernn_resampler_push(&audio->resampler, x[i], &sample)) continue;
    if (audio->skip > 0) {
      audio->skip--;
      audio->last = sample * audio->sound->scale;
      continue;
    }
    audio_add(audio, &sample, 1);
    if (audio_missing(audio) == 0) {
      audio->status = ERNN_OK; /* a wrong sample later on is met again */
      return i + 1;
    }
  }
  return good;
}

#define AUDIO_BLOCK 64u

/* Samples of either type; the other pointer is null. */
static size_t audio_feed(ernn_audio *audio, const float *floats, const int16_t *words, size_t n,
                         float *row, int *ready) {
  if (ready) *ready = 0;
  if (!audio || !row || !ready || (!floats && !words)) return 0;
  size_t done = 0;
  while (done < n && audio->status == ERNN_OK) {
    float block[AUDIO_BLOCK];
    const float *x = floats ? floats + done : block;
    uint32_t count = audio_smaller(n - done, AUDIO_BLOCK);
    if (!audio->resamples) count = audio_smaller(count, audio_missing(audio) + audio->skip);
    if (words) {
      for (uint32_t i = 0; i < count; i++) block[i] = (float)words[done + i] * (1.0f / 32768.0f);
    }
    done += audio_take(audio, x, count);
    if (audio_missing(audio) == 0) {
      audio_finish(audio, row);
      *ready = 1;
      return done;
    }
  }
  return done;
}

size_t ernn_audio_feed_s16(ernn_audio *audio, const int16_t *pcm, size_t n, float *row,
                           int *ready) {
  return audio_feed(audio, NULL, pcm, n, row, ready);
}

size_t ernn_audio_feed_f32(ernn_audio *audio, const float *pcm, size_t n, float *row, int *ready) {
  return audio_feed(audio, pcm, NULL, n, row, ready);
}

/* ---- Models ---- */

static const ernn_front_end *audio_front_end(const ernn_model *model) {
  for (uint32_t i = 0; model && i < model->header->front_end_count; i++) {
    if (ernn_front_ends(model)[i].kind == ERNN_FRONT_END_SOUND) return ernn_front_ends(model) + i;
  }
  return NULL;
}

static const ernn_sound *audio_sound(const ernn_model *model) {
  const ernn_front_end *entry = audio_front_end(model);
  return entry ? (const ernn_sound *)(const void *)(model->bytes + entry->offset) : NULL;
}

const void *ernn_sound_record(const ernn_model *model, size_t *bytes) {
  const ernn_front_end *entry = audio_front_end(model);
  *bytes = entry ? entry->bytes : 0;
  return entry ? model->bytes + entry->offset : NULL;
}

uint32_t ernn_audio_rate(const ernn_model *model) {
  const ernn_sound *sound = audio_sound(model);
  return sound ? sound->rate : 0;
}

uint32_t ernn_audio_hop(const ernn_model *model) {
  const ernn_sound *sound = audio_sound(model);
  return sound ? sound->hop : 0;
}

uint32_t ernn_audio_first(const ernn_model *model) {
  const ernn_sound *sound = audio_sound(model);
  return sound ? sound->window - sound->lead + audio_ahead(sound) : 0;
}

uint32_t ernn_audio_input(const ernn_model *model) {
  const ernn_front_end *entry = audio_front_end(model);
  return entry ? entry->input : 0;
}

ernn_status ernn_audio_size(const ernn_model *model, uint32_t rate, size_t *bytes) {
  if (!model || !bytes) return ERNN_ARGUMENT;
  const ernn_front_end *entry = audio_front_end(model);
  if (!entry) return ERNN_NO_FRONT_END;
  return ernn_sound_size(model->bytes + entry->offset, rate, bytes);
}

ernn_status ernn_audio_init(ernn_audio **audio, const ernn_model *model, uint32_t rate, void *arena,
                            size_t arena_bytes) {
  if (!model) return ERNN_ARGUMENT;
  const ernn_front_end *entry = audio_front_end(model);
  if (!entry) return ERNN_NO_FRONT_END;
  return ernn_sound_init(audio, model->bytes + entry->offset, rate, arena, arena_bytes);
}
