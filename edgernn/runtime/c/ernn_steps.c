/* ernn_steps.c: how many steps a layer writes, and whether it can run on part of a sequence. */

#include "ernn_attention.h"
#include "ernn_images.h"

/* Zero steps that a window adds in front; all of them in `total`. */
uint32_t ernn_padding_left(uint32_t steps, uint32_t span, uint32_t stride, uint32_t padding,
                           uint32_t *total) {
  *total = 0;
  if (padding == ERNN_PADDING_CAUSAL) {
    *total = span - 1;
    return span - 1;
  }
  if (padding == ERNN_PADDING_SAME && steps > 0) {
    uint64_t covered = (uint64_t)((steps + stride - 1) / stride - 1) * stride + span;
    *total = covered > steps ? (uint32_t)(covered - steps) : 0;
  }
  return *total / 2;
}

static uint32_t window_steps(uint32_t steps, uint32_t span, uint32_t stride, uint32_t padding) {
  if (padding != ERNN_PADDING_VALID) return (steps + stride - 1) / stride;
  return steps < span ? 0 : (steps - span) / stride + 1;
}

/* The steps start, start + step, ... below stop, as a slice in Python has them. */
uint32_t ernn_slice_steps(const ernn_op *op, uint32_t steps, uint32_t *first) {
  int64_t start = (int32_t)op->arguments[ERNN_SLICE_START];
  int64_t stop = (int32_t)op->arguments[ERNN_SLICE_STOP];
  int64_t step = op->arguments[ERNN_SLICE_STEP];
  if (start < 0) start += steps;
  if (stop < 0) stop += steps;
  if (start < 0) start = 0;
  if (stop > (int64_t)steps) stop = steps;
  *first = (uint32_t)start;
  return start >= stop ? 0 : (uint32_t)((stop - start + step - 1) / step);
}

ernn_status ernn_infer_steps(const ernn_model *model, const ernn_op *op, uint32_t *steps,
                             int at_capacity) {
  const ernn_edge *edges = ernn_edges(model);
  const uint32_t *arguments = op->arguments;
  const ernn_edge *input = edges + op->inputs[0];
  uint32_t in = steps[op->inputs[0]];
  ernn_axis axis = {1, in, 1};
  if (ERNN_HAS_AXES && (op->kind == ERNN_OP_POOL || op->kind == ERNN_OP_UPSAMPLE ||
                        op->kind == ERNN_OP_PAD || op->kind == ERNN_OP_SLICE_STEPS)) {
    axis = axis_of(op, in);
    uint64_t whole = (uint64_t)axis.outer * axis.size * axis.rows;
    if (whole != in && !at_capacity) return ERNN_SHAPE;
    if (whole < in) *(arguments[ERNN_AXIS_SIZE] ? &axis.outer : &axis.size) += 1; /* rounded up */
  }
  uint64_t out = in, around = (uint64_t)axis.outer * axis.rows;
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_CONV:
    case ERNN_OP_DEPTHWISE:
    case ERNN_OP_QCONV: {
      if (!ERNN_HAS_WINDOWS) break;
      const uint32_t *window = window_of(op);
      uint32_t padding;
      ernn_padding_left(in, conv_span(op), window[STRIDE], window[PADDING], &padding);
      if (((uint64_t)in + padding) * input->width > ERNN_MAX_ELEMENTS) return ERNN_TOO_LARGE;
      out = window_steps(in, conv_span(op), window[STRIDE], window[PADDING]);
      break;
    }
    case ERNN_OP_POOL:
      if (!ERNN_HAS(POOL)) break;
      out = around * window_steps(axis.size, arguments[ERNN_POOL_WINDOW],
                                  arguments[ERNN_POOL_STRIDE], arguments[ERNN_POOL_PADDING]);
      break;
#ifndef ERNN_WITHOUT_IMAGES
    case ERNN_OP_CONV2D:
    case ERNN_OP_DEPTHWISE2D:
    case ERNN_OP_QCONV2D:
    case ERNN_OP_QDEPTHWISE2D: {
      if (!ERNN_HAS_IMAGES) break;
      ernn_image image;
      if (in == 0 && !at_capacity) break;
      ernn_status status = ernn_image_of(op, input->width, in, at_capacity, &image);
      if (status != ERNN_OK) return status;
      out = (uint64_t)image.images * image.out_rows * image.out_columns;
      break;
    }
    case ERNN_OP_SWAP: {
      if (!ERNN_HAS(SWAP)) break;
      uint64_t total = (uint64_t)in * input->width, width = edges[op->outputs[0]].width;
      uint64_t first = arguments[ERNN_SWAP_FIRST] ? arguments[ERNN_SWAP_FIRST] : 1;
      uint64_t part = first * arguments[ERNN_SWAP_SECOND] * arguments[ERNN_SWAP_INNER];
      out = at_capacity ? (total + width - 1) / width : total / width;
      if (!at_capacity && (out * width != total || total % part != 0)) return ERNN_SHAPE;
      break;
    }
#endif
    case ERNN_OP_GLOBAL_POOL: out = 1; break;
    case ERNN_OP_RESHAPE: {
      if (!ERNN_HAS(RESHAPE)) break;
      uint64_t total = (uint64_t)in * input->width, width = edges[op->outputs[0]].width;
      out = at_capacity ? (total + width - 1) / width : total / width;
      if (!at_capacity && out * width != total) return ERNN_SHAPE;
      break;
    }
    case ERNN_OP_CAST:
    case ERNN_OP_COMPARE: { /* as many elements */
      if (!ERNN_HAS_CHOICES) break;
      uint64_t total = (uint64_t)in * input->width, width = edges[op->outputs[0]].width;
      out = (total + width - 1) / width;
      if (!at_capacity && out * width != total) return ERNN_SHAPE;
      break;
    }
    case ERNN_OP_WHERE: {
      if (!ERNN_HAS(WHERE) || at_capacity) break;
      uint32_t marks = steps[op->inputs[2]];
      uint64_t total = (uint64_t)in * input->width;
      if (steps[op->inputs[1]] != in || marks == 0 || total % marks != 0) return ERNN_SHAPE;
      break;
    }
    case ERNN_OP_TRANSPOSE:
      out = input->width;
      if (in != edges[op->outputs[0]].width) return ERNN_SHAPE;
      break;
    case ERNN_OP_REPEAT: out = arguments[ERNN_REPEAT_TIMES]; break;
    case ERNN_OP_UPSAMPLE: out = (uint64_t)in * arguments[ERNN_REPEAT_TIMES]; break; /* whatever the axis */
    case ERNN_OP_PAD:
      out = around * ((uint64_t)axis.size + arguments[ERNN_PAD_LEFT] + arguments[ERNN_PAD_RIGHT]);
      break;
    case ERNN_OP_SLICE_STEPS: {
      if (!ERNN_HAS(SLICE_STEPS)) break;
      uint32_t first;
      out = around * ernn_slice_steps(op, axis.size, &first);
      break;
    }
    case ERNN_OP_CONCAT_STEPS:
    case ERNN_OP_CONCAT_WIDTH:
    case ERNN_OP_MERGE:
      if (!ERNN_HAS_SHAPING) break;
      for (uint32_t i = 1; i < ERNN_OP_INPUTS && op->inputs[i] != ERNN_NONE; i++) {
        uint32_t other = steps[op->inputs[i]];
        if (op->kind == ERNN_OP_CONCAT_STEPS) {
          out += other;
        } else if (op->kind == ERNN_OP_MERGE || at_capacity) {
          out = other > out ? other : out;
        } else if (other != out) {
          return ERNN_SHAPE;
        }
      }
      for (uint32_t i = 0; i < ERNN_OP_INPUTS && op->inputs[i] != ERNN_NONE; i++) {
        uint32_t other = steps[op->inputs[i]];
        int fits = op->kind != ERNN_OP_MERGE || other == out || other == 1 || at_capacity;
        if (!fits) return ERNN_SHAPE;
      }
      break;
    case ERNN_OP_ATTENTION:
      if (!ERNN_HAS(ATTENTION) || at_capacity) break;
      if (ernn_attention_steps(op, steps) != ERNN_OK) return ERNN_SHAPE;
      break;
    case ERNN_OP_DOT:
      if (!ERNN_HAS(DOT)) break;
      if (ernn_dot_steps(op, edges, steps, at_capacity, &out) != ERNN_OK) return ERNN_SHAPE;
      break;
    case ERNN_OP_APPLY_MASK:
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN:
    case ERNN_OP_QGRU:
    case ERNN_OP_QLSTM:
    case ERNN_OP_QRNN:
      if (op->inputs[1] != ERNN_NONE && steps[op->inputs[1]] != in && !at_capacity) {
        return ERNN_SHAPE;
      }
      break;
    default: break;
  }
  if (op->kind == ERNN_OP_GLOBAL_POOL && op->inputs[1] != ERNN_NONE &&
      steps[op->inputs[1]] != in && !at_capacity) {
    return ERNN_SHAPE;
  }
  /* A slice may leave nothing; what follows it then does nothing. */
  int may_be_empty = op->kind == ERNN_OP_SLICE_STEPS || in == 0;
  if (op->kind == ERNN_OP_GLOBAL_POOL && in == 0) return ERNN_SHAPE;
  if (out == 0 && !at_capacity && !may_be_empty) return ERNN_SHAPE;
  if (out == 0 && at_capacity) out = 1;
  if (out > ERNN_MAX_STEPS) return ERNN_TOO_LARGE;
  for (uint32_t i = 0; i < ERNN_OP_OUTPUTS; i++) {
    if (op->outputs[i] == ERNN_NONE) continue;
    if (out * edges[op->outputs[i]].width > ERNN_MAX_ELEMENTS) return ERNN_TOO_LARGE;
    int is_sequence = edges[op->outputs[i]].is_sequence;
    /* Only a recurrent layer or a pooling sums up a sequence; others must have one row. */
    int sums_up = is_recurrent_op(op) || op->kind == ERNN_OP_GLOBAL_POOL;
    if (!is_sequence && out != 1 && !sums_up && !at_capacity) return ERNN_SHAPE;
    steps[op->outputs[i]] = is_sequence ? (uint32_t)out : 1;
  }
  return ERNN_OK;
}

int ernn_op_is_causal(const ernn_model *model, const ernn_op *op) {
  const ernn_edge *edges = ernn_edges(model);
  const uint32_t *arguments = op->arguments;
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_EMBEDDING:
    case ERNN_OP_DENSE:
    case ERNN_OP_QDENSE:
    case ERNN_OP_AFFINE:
    case ERNN_OP_LAYER_NORM:
    case ERNN_OP_ACTIVATE:
    case ERNN_OP_PRELU:
    case ERNN_OP_SLICE_WIDTH:
    case ERNN_OP_CONCAT_WIDTH:
    case ERNN_OP_NOT_EQUAL:
    case ERNN_OP_ANY_NOT_EQUAL:
    case ERNN_OP_APPLY_MASK: return 1;
    case ERNN_OP_CAST:
    case ERNN_OP_COMPARE: /* one element for each step */
      return edges[op->inputs[0]].is_sequence && edges[op->outputs[0]].is_sequence &&
             edges[op->inputs[0]].width == 1 && edges[op->outputs[0]].width == 1;
    case ERNN_OP_MERGE:
      for (uint32_t i = 0; i < ERNN_OP_INPUTS && op->inputs[i] != ERNN_NONE; i++) {
        if (!edges[op->inputs[i]].is_sequence) return 0;
      }
      return 1;
    case ERNN_OP_CONV:
    case ERNN_OP_DEPTHWISE:
    case ERNN_OP_QCONV:
      return window_of(op)[STRIDE] == 1 &&
             (window_of(op)[PADDING] == ERNN_PADDING_CAUSAL || conv_span(op) == 1);
    case ERNN_OP_GLOBAL_POOL: return !edges[op->outputs[0]].is_sequence;
    case ERNN_OP_SLICE_STEPS:
      return !edges[op->outputs[0]].is_sequence && arguments[ERNN_SLICE_START] == 0xFFFFFFFFu &&
             arguments[ERNN_AXIS_ROWS] == 0;
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN:
    case ERNN_OP_QGRU:
    case ERNN_OP_QLSTM:
    case ERNN_OP_QRNN:
      return !(rnn_flags(op) & ERNN_RNN_BACKWARDS) && op->inputs[2] == ERNN_NONE &&
             op->inputs[3] == ERNN_NONE;
    default: return 0;
  }
}
