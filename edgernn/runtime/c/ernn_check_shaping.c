/* ernn_check_shaping.c: checks that edges and arguments of layers that move numbers fit together. */

#include "ernn_check_edges.h"

/* Of sequences, ernn_infer_steps checks the sizes; it is not called for the head of a causal model. */
static int is_reshape(const ernn_model *model, uint32_t input, uint32_t output) {
  const ernn_edge *from = edge_at(model, input), *to = edge_at(model, output);
  return from->dtype == to->dtype &&
         (from->is_sequence || to->is_sequence || from->width == to->width);
}

/* Widths that join or broadcast; how many inputs there are is found by the first absent one. */
static int is_joined(const ernn_model *model, const ernn_op *op) {
  uint64_t width = 0;
  uint32_t count = 0;
  const ernn_edge *output = edge_at(model, op->outputs[0]);
  for (; count < ERNN_OP_INPUTS && op->inputs[count] != ERNN_NONE; count++) {
    const ernn_edge *input = edge_at(model, op->inputs[count]);
    if (input->dtype != output->dtype) return 0;
    if (op->kind == ERNN_OP_MERGE) {
      int fits = (input->width == output->width || input->width == 1) &&
                 (!input->is_sequence || output->is_sequence);
      if (!fits) return 0;
    } else if (op->kind == ERNN_OP_CONCAT_STEPS) {
      if (input->width != output->width || !output->is_sequence) return 0;
    } else if (input->is_sequence != output->is_sequence) {
      return 0;
    }
    width += input->width;
  }
  for (uint32_t i = count; i < ERNN_OP_INPUTS; i++) {
    if (op->inputs[i] != ERNN_NONE) return 0;
  }
  if (op->kind == ERNN_OP_CONCAT_WIDTH && width != output->width) return 0;
  if (op->kind == ERNN_OP_MERGE) {
    uint32_t kind = op->arguments[ERNN_MERGE_KIND];
    int logical = kind == ERNN_MERGE_AND || kind == ERNN_MERGE_OR;
    if (kind >= ERNN_MERGE_COUNT || output->dtype != (logical ? ERNN_BOOL : ERNN_FLOAT32)) return 0;
    if (kind == ERNN_MERGE_SUBTRACT && count != 2) return 0;
    int found = 0; /* an input that has every step, to take their number from */
    for (uint32_t i = 0; i < count; i++) {
      found |= edge_at(model, op->inputs[i])->is_sequence == output->is_sequence;
    }
    if (!found) return 0;
  }
  return count > 0;
}

int ernn_is_shaping(const ernn_model *model, const ernn_op *op) {
  const uint32_t *arguments = op->arguments;
  uint32_t input = op->inputs[0], output = op->outputs[0];
  switch (op->kind) {
    case ERNN_OP_RESHAPE: return is_reshape(model, input, output);
    case ERNN_OP_TRANSPOSE:
      return is_f32_sequence(model, input) && is_f32_sequence(model, output);
    case ERNN_OP_REVERSE:
      return edge_at(model, input)->is_sequence && is_like(model, input, output);
    case ERNN_OP_REPEAT:
      return is_f32(model, input) && !edge_at(model, input)->is_sequence &&
             is_f32_sequence(model, output) &&
             edge_at(model, input)->width == edge_at(model, output)->width &&
             arguments[ERNN_REPEAT_TIMES] > 0 && arguments[ERNN_REPEAT_TIMES] <= ERNN_MAX_STEPS;
    case ERNN_OP_UPSAMPLE:
      return is_axis(model, op) && is_f32_sequence(model, input) && is_like(model, input, output) &&
             arguments[ERNN_REPEAT_TIMES] > 0 && arguments[ERNN_REPEAT_TIMES] <= ERNN_MAX_STEPS;
    case ERNN_OP_PAD:
      return is_axis(model, op) && is_f32_sequence(model, input) && is_like(model, input, output) &&
             arguments[ERNN_PAD_LEFT] <= ERNN_MAX_STEPS &&
             arguments[ERNN_PAD_RIGHT] <= ERNN_MAX_STEPS;
    case ERNN_OP_SLICE_STEPS:
      return is_axis(model, op) && edge_at(model, input)->is_sequence &&
             edge_at(model, input)->dtype == edge_at(model, output)->dtype &&
             edge_at(model, input)->width == edge_at(model, output)->width &&
             arguments[ERNN_SLICE_STEP] > 0 && arguments[ERNN_SLICE_STEP] <= ERNN_MAX_STEPS;
    case ERNN_OP_SLICE_WIDTH: {
      uint64_t last = arguments[ERNN_SLICE_START] + (edge_at(model, output)->width - 1ull) *
                                                        arguments[ERNN_SLICE_STEP];
      return is_same_form(model, input, output) && last < edge_at(model, input)->width &&
             arguments[ERNN_SLICE_STEP] > 0;
    }
    case ERNN_OP_CONCAT_STEPS:
    case ERNN_OP_CONCAT_WIDTH:
    case ERNN_OP_MERGE: return is_joined(model, op);
    case ERNN_OP_NOT_EQUAL:
      return edge_at(model, input)->dtype == ERNN_INT32 && edge_at(model, input)->width == 1 &&
             edge_at(model, input)->is_sequence && is_mask(model, output);
    case ERNN_OP_ANY_NOT_EQUAL:
      return is_f32_sequence(model, input) && is_mask(model, output);
    case ERNN_OP_APPLY_MASK:
      return is_f32_sequence(model, input) && is_like(model, input, output) &&
             op->inputs[1] != ERNN_NONE && is_mask(model, op->inputs[1]);
    default: return 0;
  }
}
