/* writer.h: the decoder behind an encoder: writes tokens, each fed with the one before. */
#ifndef EDGERNN_WRITER_H
#define EDGERNN_WRITER_H

#include "program.h"

static const int32_t NO_TOKEN = -1;

typedef struct writer {
  program step;
  uint32_t input, output; /* of the step: the token before, the scores of all tokens */
  int32_t start, stop;
  uint32_t longest;                              /* calls */
  uint32_t begins;                               /* pairs below */
  uint32_t from[MOST_PORTS], to[MOST_PORTS];     /* outputs of the encoder, inputs of the step */
  uint32_t is_state[MOST_PORTS];                 /* of an input: the session carries it on */
  uint32_t scores_count;
  float *scores;   /* [scores_count] */
  int32_t *tokens; /* [longest], NO_TOKEN behind the last */
} writer;

/* NULL, or what is wrong. */
static const char *open_writer(writer *one, const program *encoder, const bytes *file,
                               ernn_isa isa) {
  const ernn_options options = {.isa = isa, .max_steps = 1};
  const char *problem = open_program(&one->step, file, &options);
  if (problem) return problem;
  ernn_port port;
  if (ernn_input(&one->step.model, one->input, &port) != ERNN_OK || port.dtype != ERNN_INT32 ||
      one->step.input_row[one->input] != 4) {
    return "has no such input for a token";
  }
  if (ernn_output(&one->step.model, one->output, &port) != ERNN_OK || port.dtype != ERNN_FLOAT32) {
    return "has no such output for the scores of tokens";
  }
  one->scores_count = (uint32_t)port.width;
  for (uint32_t i = 0; i < one->begins; i++) {
    if (one->from[i] >= encoder->outputs || one->to[i] >= one->step.inputs ||
        encoder->output_row[one->from[i]] != one->step.input_row[one->to[i]]) {
      return "does not take what the encoder gives";
    }
  }
  for (uint32_t i = 0; i < one->step.inputs; i++) {
    ernn_input(&one->step.model, i, &port);
    one->is_state[i] = port.state;
  }
  one->scores = (float *)system_map(-1, one->scores_count * sizeof *one->scores);
  one->tokens = (int32_t *)system_map(-1, one->longest * sizeof *one->tokens);
  return one->scores && one->tokens ? NULL : "there is not enough memory";
}

/* Writes `tokens` from what the encoder gave. */
static ernn_status write_tokens(writer *one, const ernn_rows *encoded) {
  const void *inputs[MOST_PORTS];
  void *outputs[MOST_PORTS];
  int32_t token = one->start;
  for (uint32_t i = 0; i < one->step.inputs; i++) inputs[i] = NULL;
  for (uint32_t i = 0; i < one->step.outputs; i++) outputs[i] = NULL;
  for (uint32_t i = 0; i < one->longest; i++) one->tokens[i] = NO_TOKEN;
  for (uint32_t i = 0; i < one->begins; i++) inputs[one->to[i]] = encoded[one->from[i]].data;
  inputs[one->input] = &token;
  outputs[one->output] = one->scores;
  ernn_reset(one->step.session);
  for (uint32_t place = 0; place < one->longest; place++) {
    ernn_status status = ernn_step(one->step.session, inputs, outputs);
    if (status != ERNN_OK) return status; /* a decoder has a result in each step */
    uint32_t likeliest = 0;
    for (uint32_t i = 1; i < one->scores_count; i++) {
      if (one->scores[i] > one->scores[likeliest]) likeliest = i;
    }
    token = (int32_t)likeliest;
    if (token == one->stop) break;
    one->tokens[place] = token;
    for (uint32_t i = 0; i < one->begins && place == 0; i++) {
      if (one->is_state[one->to[i]]) inputs[one->to[i]] = NULL;
    }
  }
  return ERNN_OK;
}

#endif
