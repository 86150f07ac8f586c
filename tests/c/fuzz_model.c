/* fuzz_model.c: opens arbitrary bytes as a model and runs what opens.
 *
 * Built with libFuzzer (`make fuzz`).  The checksum is made right first: whoever writes a hostile
 * file would do so, and the fuzzer cannot guess it. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ernn_internal.h"

enum { MOST_PORTS = 8, STEPS = 5, MOST_ARENA = 1 << 26 };

static void *aligned_copy(const void *from, size_t size) {
  void *copy = aligned_alloc(ERNN_ALIGNMENT, ernn_aligned(size ? size : 1));
  if (copy && size) memcpy(copy, from, size);
  return copy;
}

/* Inputs of ones, each as large as the model asks for: reads beyond them are found. */
static int make_rows(const ernn_model *model, ernn_rows *rows, uint32_t steps) {
  for (uint32_t i = 0; i < ernn_input_count(model); i++) {
    ernn_port port;
    ernn_input(model, i, &port);
    rows[i].steps = port.is_sequence ? (port.steps ? port.steps : steps) : 1;
    size_t size = (size_t)rows[i].steps * port.width * (port.dtype == ERNN_BOOL ? 1 : 4);
    if (size > MOST_ARENA) return 0;
    rows[i].data = malloc(size);
    if (rows[i].data) memset(rows[i].data, port.dtype == ERNN_FLOAT32 ? 0x3F : 1, size);
  }
  return 1;
}

static void run(const ernn_model *model, ernn_isa isa) {
  ernn_options options = {isa, 16};
  ernn_rows inputs[MOST_PORTS] = {{0}}, outputs[MOST_PORTS] = {{0}};
  size_t size;
  if (ernn_input_count(model) > MOST_PORTS || ernn_output_count(model) > MOST_PORTS) return;
  if (ernn_session_size(model, &options, &size) != ERNN_OK || size > MOST_ARENA) return;
  void *arena = aligned_alloc(ERNN_ALIGNMENT, ernn_aligned(size));
  ernn_session *session;
  int is_ready = arena && ernn_session_init(&session, model, arena, size, &options) == ERNN_OK &&
                 make_rows(model, inputs, STEPS);
  if (is_ready && ernn_output_steps(session, inputs, outputs) == ERNN_OK) {
    for (uint32_t i = 0; i < ernn_output_count(model); i++) {
      ernn_port port;
      ernn_output(model, i, &port);
      size_t bytes = (size_t)outputs[i].steps * port.width * (port.dtype == ERNN_BOOL ? 1 : 4);
      outputs[i].data = bytes <= MOST_ARENA ? malloc(bytes) : NULL;
    }
    ernn_run(session, inputs, outputs);
    ernn_run(session, inputs, outputs);
    ernn_reset(session);
  }
  for (uint32_t i = 0; i < MOST_PORTS; i++) {
    free(inputs[i].data);
    free(outputs[i].data);
  }
  free(arena);
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
    run(&model, ERNN_ISA_PORTABLE);
    run(&model, ERNN_ISA_AUTO);
  }
  free(file);
  return 0;
}
