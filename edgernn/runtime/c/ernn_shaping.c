/* ernn_shaping.c: layers that move rows, join several inputs, or make and apply masks. */

#include "ernn_layers.h"

/* ---- Layers that move rows, of any element type ---- */

static void run_movement(const ernn_context *run) {
  const uint32_t *arguments = run->op->arguments;
  const ernn_edge *edge = edge_of(run, run->op->inputs[0]);
  const uint8_t *in = run->views[run->op->inputs[0]].data;
  uint8_t *out = run->views[run->op->outputs[0]].data;
  ernn_axis axis = axis_of(run->op, input_steps(run, 0));
  uint32_t steps = input_steps(run, 0), rows = output_steps(run);
  size_t row = edge->width * ernn_dtype_bytes(edge->dtype);
  uint32_t first = 0;
  switch ((ernn_op_kind)run->op->kind) {
    case ERNN_OP_RESHAPE: ernn_copy(out, in, steps * row); break;
    case ERNN_OP_REVERSE:
      for (uint32_t i = 0; i < steps; i++) ernn_copy(out + i * row, in + (steps - 1 - i) * row, row);
      break;
    case ERNN_OP_REPEAT:
      for (uint32_t i = 0; i < rows; i++) ernn_copy(out + i * row, in, row);
      break;
    case ERNN_OP_UPSAMPLE:
      row *= axis.rows;
      for (uint32_t i = 0; i < rows / axis.rows; i++) {
        ernn_copy(out + i * row, in + i / arguments[ERNN_REPEAT_TIMES] * row, row);
      }
      break;
    case ERNN_OP_PAD: {
      row *= axis.rows;
      size_t left = arguments[ERNN_PAD_LEFT] * row, right = arguments[ERNN_PAD_RIGHT] * row;
      for (uint32_t i = 0; i < axis.outer; i++, in += axis.size * row) {
        ernn_clear(out, left);
        ernn_copy(out + left, in, axis.size * row);
        ernn_clear(out + left + axis.size * row, right);
        out += left + axis.size * row + right;
      }
      break;
    }
    case ERNN_OP_SLICE_STEPS: {
      row *= axis.rows;
      uint32_t taken = ernn_slice_steps(run->op, axis.size, &first);
      for (uint32_t i = 0; i < axis.outer; i++, in += axis.size * row) {
        for (uint32_t k = 0; k < taken; k++, out += row) {
          ernn_copy(out, in + (first + (size_t)k * arguments[ERNN_SLICE_STEP]) * row, row);
        }
      }
      break;
    }
    default: break;
  }
}

static void run_transpose(const ernn_context *run) {
  uint32_t steps = input_steps(run, 0), width = input_width(run, 0);
  const float *x = input_f32(run, 0);
  float *out = output_f32(run, 0);
  for (uint32_t step = 0; step < steps; step++) {
    for (uint32_t i = 0; i < width; i++) out[(size_t)i * steps + step] = *x++;
  }
}

static void run_slice_width(const ernn_context *run) {
  const ernn_edge *edge = edge_of(run, run->op->inputs[0]);
  size_t element = ernn_dtype_bytes(edge->dtype);
  const uint8_t *in = run->views[run->op->inputs[0]].data;
  uint8_t *out = run->views[run->op->outputs[0]].data;
  for (uint32_t step = 0; step < input_steps(run, 0); step++, in += edge->width * element) {
    size_t from = run->op->arguments[ERNN_SLICE_START];
    for (uint32_t i = 0; i < output_width(run); i++, out += element) {
      ernn_copy(out, in + from * element, element);
      from += run->op->arguments[ERNN_SLICE_STEP];
    }
  }
}

/* ---- Several inputs ---- */

static void run_concatenate(const ernn_context *run) {
  size_t element = ernn_dtype_bytes(edge_of(run, run->op->outputs[0])->dtype);
  size_t out_row = output_width(run) * element;
  uint8_t *out = run->views[run->op->outputs[0]].data;
  for (uint32_t k = 0; k < ERNN_OP_INPUTS && run->op->inputs[k] != ERNN_NONE; k++) {
    const uint8_t *in = run->views[run->op->inputs[k]].data;
    size_t row = input_width(run, k) * element;
    if (run->op->kind == ERNN_OP_CONCAT_STEPS) {
      ernn_copy(out, in, row * input_steps(run, k));
      out += row * input_steps(run, k);
    } else {
      for (uint32_t step = 0; step < output_steps(run); step++) {
        ernn_copy(out + step * out_row, in + step * row, row);
      }
      out += row;
    }
  }
}

static float merged(uint32_t kind, float left, float right) {
  switch (kind) {
    case ERNN_MERGE_SUBTRACT: return left - right;
    case ERNN_MERGE_MULTIPLY: return left * right;
    case ERNN_MERGE_MAXIMUM: return larger(left, right);
    case ERNN_MERGE_MINIMUM: return smaller(left, right);
    default: return left + right;
  }
}

static void run_merge(const ernn_context *run) {
  uint32_t kind = run->op->arguments[ERNN_MERGE_KIND], width = output_width(run), count = 0;
  int logical = kind == ERNN_MERGE_AND || kind == ERNN_MERGE_OR;
  for (; count < ERNN_OP_INPUTS && run->op->inputs[count] != ERNN_NONE; count++) {
    size_t step_stride = input_steps(run, count) == 1 ? 0 : input_width(run, count);
    size_t stride = input_width(run, count) == 1 ? 0 : 1;
    for (uint32_t step = 0; step < output_steps(run); step++) {
      size_t in_row = step * step_stride, out_row = (size_t)step * width;
      for (uint32_t i = 0; i < width; i++) {
        if (logical) {
          uint8_t *out = run->views[run->op->outputs[0]].data + out_row + i;
          uint8_t value = run->views[run->op->inputs[count]].data[in_row + i * stride] != 0;
          *out = count == 0 ? value : kind == ERNN_MERGE_AND ? (*out & value) : (*out | value);
        } else {
          float *out = output_f32(run, 0) + out_row + i;
          float value = input_f32(run, count)[in_row + i * stride];
          *out = count == 0 ? value : merged(kind, *out, value);
        }
      }
    }
  }
  if (kind == ERNN_MERGE_AVERAGE) {
    float *out = output_f32(run, 0);
    for (size_t i = 0; i < (size_t)output_steps(run) * width; i++) out[i] /= (float)count;
  }
}

/* ---- Masks ---- */

static void run_not_equal(const ernn_context *run) {
  const int32_t *tokens = (const int32_t *)(const void *)run->views[run->op->inputs[0]].data;
  uint8_t *out = run->views[run->op->outputs[0]].data;
  int32_t value = (int32_t)run->op->arguments[ERNN_NOT_EQUAL_VALUE];
  for (uint32_t step = 0; step < input_steps(run, 0); step++) out[step] = tokens[step] != value;
}

static void run_any_not_equal(const ernn_context *run) {
  const float *x = input_f32(run, 0);
  uint8_t *out = run->views[run->op->outputs[0]].data;
  float value = float_argument(run, ERNN_NOT_EQUAL_VALUE);
  uint32_t width = input_width(run, 0);
  for (uint32_t step = 0; step < input_steps(run, 0); step++, x += width) {
    int any = 0;
    for (uint32_t i = 0; i < width; i++) any |= x[i] != value;
    out[step] = (uint8_t)any;
  }
}

static void run_apply_mask(const ernn_context *run) {
  const uint8_t *mask = input_mask(run, 1);
  size_t row = input_width(run, 0) * sizeof(float);
  uint8_t *out = run->views[run->op->outputs[0]].data;
  const uint8_t *in = run->views[run->op->inputs[0]].data;
  for (uint32_t step = 0; step < input_steps(run, 0); step++, in += row, out += row) {
    if (mask[step]) {
      ernn_copy(out, in, row);
    } else {
      ernn_clear(out, row);
    }
  }
}

/* ---- Between numbers and masks: element by element, whatever the rows ---- */

static size_t elements_of(const ernn_context *run, uint32_t edge) {
  return (size_t)run->views[edge].steps * edge_of(run, edge)->width;
}

static void run_cast(const ernn_context *run) {
  uint32_t input = run->op->inputs[0];
  const int32_t *tokens = (const int32_t *)(const void *)run->views[input].data;
  const uint8_t *marks = run->views[input].data;
  int is_mask = edge_of(run, input)->dtype == ERNN_BOOL;
  float *out = output_f32(run, 0);
  size_t count = elements_of(run, input);
  for (size_t i = 0; i < count; i++) out[i] = (float)(is_mask ? marks[i] != 0 : tokens[i]);
}

static int holds(uint32_t kind, float x, float value) {
  switch (kind) {
    case ERNN_COMPARE_GREATER: return x > value;
    case ERNN_COMPARE_GREATER_EQUAL: return x >= value;
    case ERNN_COMPARE_LESS: return x < value;
    default: return x <= value;
  }
}

static void run_compare(const ernn_context *run) {
  const float *x = input_f32(run, 0);
  uint8_t *out = run->views[run->op->outputs[0]].data;
  uint32_t kind = run->op->arguments[ERNN_COMPARE_KIND];
  float value = float_argument(run, ERNN_COMPARE_VALUE);
  size_t count = elements_of(run, run->op->inputs[0]);
  for (size_t i = 0; i < count; i++) out[i] = (uint8_t)holds(kind, x[i], value);
}

/* Each mark chooses as many numbers as there are for one. */
static void run_where(const ernn_context *run) {
  const float *then = input_f32(run, 0), *otherwise = input_f32(run, 1);
  const uint8_t *marks = input_mask(run, 2);
  float *out = output_f32(run, 0);
  size_t count = elements_of(run, run->op->inputs[0]);
  size_t many = elements_of(run, run->op->inputs[2]), each = many ? count / many : 0;
  for (size_t i = 0; i < many; i++) {
    const float *chosen = (marks[i] ? then : otherwise) + i * each;
    ernn_copy(out + i * each, chosen, each * sizeof(float));
  }
}

void ernn_run_choice(const ernn_context *run) {
  switch (run->op->kind) {
    case ERNN_OP_CAST: run_cast(run); break;
    case ERNN_OP_COMPARE: run_compare(run); break;
    default: run_where(run);
  }
}

void ernn_run_shaping(const ernn_context *run) {
  switch ((ernn_op_kind)run->op->kind) {
    case ERNN_OP_TRANSPOSE: run_transpose(run); break;
    case ERNN_OP_SLICE_WIDTH: run_slice_width(run); break;
    case ERNN_OP_CONCAT_STEPS:
    case ERNN_OP_CONCAT_WIDTH: run_concatenate(run); break;
    case ERNN_OP_MERGE: run_merge(run); break;
    case ERNN_OP_NOT_EQUAL: run_not_equal(run); break;
    case ERNN_OP_ANY_NOT_EQUAL: run_any_not_equal(run); break;
    case ERNN_OP_APPLY_MASK: run_apply_mask(run); break;
    default: run_movement(run);
  }
}
