/* run_batch: batch_run on Linux, with or without a C library.
 *
 *     run_batch batch.bin results.bin [run|step|together] [ISA ...]
 *
 * results.bin has for each ISA the number of words, and the words (u32).  An ISA that this processor
 * lacks is an error; without one, all that it has are run and named on standard output. */

#include "../../edgernn/runtime/runner/files.h"
#include "../../edgernn/runtime/runner/text.h"
#include "batch.h"

enum { POOL_BYTES = 1 << 28 }; /* hostile models ask for more */

#if __STDC_HOSTED__

/* Exactly as much as asked for: sanitizers watch both ends. */
void *batch_allocate(size_t size) {
  void *memory = NULL;
  if (size > POOL_BYTES) return NULL;
  return posix_memalign(&memory, ERNN_ALIGNMENT, size ? size : 1) == 0 ? memory : NULL;
}
void batch_free(void *memory) { free(memory); }

#else

/* A stack of blocks: freed in any order, taken back when none is left. */
static uint8_t *pool;
static size_t pool_used, pool_live;

void *batch_allocate(size_t size) {
  if (!pool) pool = (uint8_t *)system_map(-1, POOL_BYTES);
  if (!pool || size > POOL_BYTES - pool_used) return NULL;
  void *memory = pool + pool_used;
  pool_used += (size + ERNN_ALIGNMENT - 1) / ERNN_ALIGNMENT * ERNN_ALIGNMENT;
  pool_live++;
  return memory;
}
void batch_free(void *memory) {
  if (memory && --pool_live == 0) pool_used = 0;
}

#endif

enum { MOST_WORDS = 1 << 16 };
static uint32_t words[MOST_WORDS];

static int run_isa(const bytes *batch, ernn_isa isa, batch_mode mode, int out) {
  uint32_t count =
      (uint32_t)batch_run(batch->data, batch->size, isa, mode, words, MOST_WORDS);
  if (count == 0) return fail(ernn_isa_name(isa), "the file is no batch, or there is no room");
  if (!write_all(out, &count, 4) || !write_all(out, words, 4 * (size_t)count)) {
    return fail("results", "cannot be written");
  }
  put(ernn_isa_name(isa));
  put("\n");
  return 0;
}

int main(int argc, char **argv) {
  bytes batch;
  if (argc < 3 || !read_file(argv[1], &batch)) return fail("batch", "cannot be read");
  int out = system_open(argv[2], 1);
  if (out < 0) return fail(argv[2], "cannot be written");
  batch_mode mode = BATCH_RUN;
  if (argc > 3 && same(argv[3], "step")) mode = BATCH_STEP;
  if (argc > 3 && same(argv[3], "together")) mode = BATCH_TOGETHER;
  for (int isa = ERNN_ISA_PORTABLE; isa < ERNN_ISA_COUNT; isa++) {
    int is_wanted = argc <= 4;
    for (int i = 4; i < argc; i++) is_wanted |= same(argv[i], ernn_isa_name((ernn_isa)isa));
    if (!is_wanted || (argc <= 4 && !ernn_isa_available((ernn_isa)isa))) continue;
    if (!ernn_isa_available((ernn_isa)isa)) {
      return fail(ernn_isa_name((ernn_isa)isa), ernn_status_text(ERNN_ISA));
    }
    if (run_isa(&batch, (ernn_isa)isa, mode, out) != 0) return 1;
  }
  system_close(out);
  flush_text();
  return 0;
}
