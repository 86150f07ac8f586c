/* batch_wasm.c: batch_run as a WebAssembly module; run_batch.mjs calls it. */

#include "batch.h"

#define EXPORT(name) __attribute__((export_name(#name)))

enum { PAGE = 65536, MOST_WORDS = 1 << 16 };
static uint32_t words[MOST_WORDS];
static size_t used, live;
extern uint8_t __heap_base;

/* A stack of blocks: freed in any order, taken back when none is left. */
void *batch_allocate(size_t size) {
  size_t first = ((size_t)&__heap_base + 63) & ~(size_t)63;
  size_t end = first + used + ((size + 63) & ~(size_t)63), has = __builtin_wasm_memory_size(0) * PAGE;
  if (end > has && __builtin_wasm_memory_grow(0, (end - has + PAGE - 1) / PAGE) == (size_t)-1) {
    return NULL;
  }
  void *memory = (uint8_t *)first + used;
  used = end - first;
  live++;
  return memory;
}
void batch_free(void *memory) {
  if (memory && --live == 0) used = 0;
}

EXPORT(allocate) uint8_t *allocate(size_t size) { return (uint8_t *)batch_allocate(size); }
EXPORT(results) uint32_t *results(void) { return words; }
EXPORT(isa_name) const char *isa_name(uint32_t isa) {
  return ernn_isa_available((ernn_isa)isa) ? ernn_isa_name((ernn_isa)isa) : NULL;
}
EXPORT(run) size_t run(const uint8_t *file, size_t size, uint32_t isa, int mode) {
  size_t before = used, blocks = live;
  size_t count = batch_run(file, size, (ernn_isa)isa, (batch_mode)mode, words, MOST_WORDS);
  used = before;
  live = blocks;
  return count;
}
