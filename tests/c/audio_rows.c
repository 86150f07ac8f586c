/* audio_rows: makes features of 16-bit sound, on Linux with or without a C library.
 *
 *     audio_rows record.bin sound.s16 RATE PIECE WIDTH rows.f32
 *
 * It also marks where the features begin and end, for count_instructions.c. */

#include "../../edgernn/runtime/runner/files.h"
#include "../../edgernn/runtime/runner/text.h"
#include "audio_rows.h"

enum { ARENA_BYTES = 1 << 20, MOST_NUMBERS = 1 << 22 };

static uint32_t number(const char *digits) {
  uint32_t value = 0;
  for (; *digits; digits++) value = value * 10 + (uint32_t)(*digits - '0');
  return value;
}

int main(int argc, char **argv) {
  bytes record, sound;
  if (argc < 7 || !read_file(argv[1], &record) || !read_file(argv[2], &sound)) {
    return fail("record or sound", "cannot be read");
  }
  void *arena = system_map(-1, ARENA_BYTES);
  float *rows = (float *)system_map(-1, MOST_NUMBERS * sizeof(float));
  system_mark();
  size_t count = audio_rows(record.data, record.size, (const int16_t *)(const void *)sound.data,
                            sound.size / 2, number(argv[3]), number(argv[4]), number(argv[5]), arena,
                            ARENA_BYTES, rows, MOST_NUMBERS);
  system_mark();
  int out = system_open(argv[6], 1);
  if (count == 0 || out < 0 || !write_all(out, rows, count * sizeof(float))) {
    return fail(argv[6], "cannot be made");
  }
  system_close(out);
  flush_text();
  return 0;
}
