/* audio_wasm.c: audio_rows as a WebAssembly module; audio_rows.mjs calls it. */

#include "audio_rows.h"

#define EXPORT(name) __attribute__((export_name(#name)))

enum { MOST_RECORD = 1 << 18, MOST_SAMPLES = 1 << 18, ARENA_BYTES = 1 << 19, MOST_NUMBERS = 1 << 18 };
static uint8_t record_bytes[MOST_RECORD] __attribute__((aligned(64)));
static uint8_t arena[ARENA_BYTES] __attribute__((aligned(64)));
static int16_t samples[MOST_SAMPLES];
static float numbers[MOST_NUMBERS];

EXPORT(record) uint8_t *record(void) { return record_bytes; }
EXPORT(sound) int16_t *sound(void) { return samples; }
EXPORT(rows) float *rows(void) { return numbers; }
EXPORT(run) size_t run(size_t size, size_t count, uint32_t rate, size_t piece, uint32_t width) {
  return audio_rows(record_bytes, size, samples, count, rate, piece, width, arena, ARENA_BYTES,
                    numbers, MOST_NUMBERS);
}
