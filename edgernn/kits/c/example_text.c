/* example.c: the label of each line of standard input, in UTF-8:
 *
 *     echo "A good film" | ./example
 *
 * The model is an array in the program; a program that reads @MODEL@.ernn from a file needs memory at a
 * multiple of 64 for it, as aligned() gives. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ernn.h"
#include "@MODEL@_ernn.h"

enum { LONGEST_LINE = 65536, MOST_TOKENS = LONGEST_LINE };

static int failed(ernn_status status) {
  fprintf(stderr, "error: %s\n", ernn_status_text(status));
  return 1;
}

/* Memory at a multiple of ERNN_ALIGNMENT. */
static void *aligned(size_t size) {
  uint8_t *room = malloc(size + ERNN_ALIGNMENT);
  return room ? room + (ERNN_ALIGNMENT - (uintptr_t)room % ERNN_ALIGNMENT) : NULL;
}

static void show(const ernn_model *model, const float *scores, uint32_t count, const char *line) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < count; i++) best = scores[i] > scores[best] ? i : best;
  if (count == 1) best = scores[0] > 0.5f; /* behind a sigmoid: the share of the second class */
  const char *label = ernn_label(model, best);
  float score = count > 1 ? scores[best] : best ? scores[0] : 1 - scores[0];
  printf("%s %.9g %s\n", label ? label : "-", (double)score, line);
}

int main(void) {
  static char line[LONGEST_LINE];
  static int32_t tokens[MOST_TOKENS];
  ernn_model model;
  ernn_session *session;
  ernn_options options = {.max_steps = MOST_TOKENS};
  ernn_port input, output;
  size_t bytes;
  ernn_status status = ernn_open(&model, @MODEL@_ernn, sizeof @MODEL@_ernn);
  if (status != ERNN_OK) return failed(status);
  if (ernn_input_count(&model) != 1 || ernn_output_count(&model) != 1) return failed(ERNN_ARGUMENT);
  if (ernn_input(&model, 0, &input) != ERNN_OK || ernn_output(&model, 0, &output) != ERNN_OK) {
    return failed(ERNN_ARGUMENT);
  }
  if (output.is_sequence || output.dtype != ERNN_FLOAT32) return failed(ERNN_SHAPE);
  if (input.steps > 0) options.max_steps = input.steps;
  status = ernn_session_size(&model, &options, &bytes);
  void *arena = aligned(bytes);
  float *scores = malloc(output.width * sizeof *scores);
  if (!arena || !scores) return failed(ERNN_ARENA);
  if (status == ERNN_OK) status = ernn_session_init(&session, &model, arena, bytes, &options);
  if (status != ERNN_OK) return failed(status);
  while (fgets(line, sizeof line, stdin)) {
    uint32_t count;
    if (strlen(line) == LONGEST_LINE - 1 && line[LONGEST_LINE - 2] != '\n') {
      fprintf(stderr, "error: a line has more than %d bytes\n", LONGEST_LINE - 2);
      return 1;
    }
    line[strcspn(line, "\r\n")] = 0;
    status = ernn_tokenize(&model, line, strlen(line), tokens, MOST_TOKENS, &count);
    if (status != ERNN_OK) return failed(status);
    ernn_rows in = {tokens, count}, out = {scores, 1};
    if (count == 0) {
      fprintf(stderr, "no words: %s\n", line);
      continue;
    }
    status = ernn_reset(session);
    if (status == ERNN_OK) status = ernn_run(session, &in, &out);
    if (status != ERNN_OK) return failed(status);
    show(&model, scores, output.width, line);
  }
  return 0;
}
