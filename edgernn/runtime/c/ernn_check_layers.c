/* ernn_check_layers.c: checks that what a layer reads, writes and is made of fits together.
 *
 * A check is a conjunction; each of these says whether one condition holds. */

#include "ernn_check.h"
#include "ernn_images.h"

static const ernn_edge *edge_at(const ernn_model *model, uint32_t index) {
  return ernn_edges(model) + index;
}

static int is_f32(const ernn_model *model, uint32_t edge) {
  return edge != ERNN_NONE && edge_at(model, edge)->dtype == ERNN_FLOAT32;
}

static int is_f32_sequence(const ernn_model *model, uint32_t edge) {
  return is_f32(model, edge) && edge_at(model, edge)->is_sequence;
}

static int is_mask(const ernn_model *model, uint32_t edge) {
  const ernn_edge *mask = edge_at(model, edge);
  return mask->dtype == ERNN_BOOL && mask->is_sequence && mask->width == 1;
}

/* Absent, or float32 of one row and `width` elements. */
static int is_optional_row(const ernn_model *model, uint32_t edge, uint32_t width) {
  return edge == ERNN_NONE || (is_f32(model, edge) && !edge_at(model, edge)->is_sequence &&
                               edge_at(model, edge)->width == width);
}

static int is_same_form(const ernn_model *model, uint32_t left, uint32_t right) {
  return left != ERNN_NONE && right != ERNN_NONE &&
         edge_at(model, left)->dtype == edge_at(model, right)->dtype &&
         edge_at(model, left)->is_sequence == edge_at(model, right)->is_sequence;
}

static int is_like(const ernn_model *model, uint32_t left, uint32_t right) {
  return is_same_form(model, left, right) &&
         edge_at(model, left)->width == edge_at(model, right)->width;
}

static const ernn_constant *constant_at(const ernn_model *model, uint32_t index) {
  return index < model->header->constant_count ? ernn_constants(model) + index : NULL;
}

static int is_vector(const ernn_model *model, uint32_t index, uint32_t count) {
  const ernn_constant *constant = constant_at(model, index);
  return constant && constant->type == ERNN_VECTOR_F32 && constant->columns == count;
}

static int is_optional_vector(const ernn_model *model, uint32_t index, uint32_t count) {
  return index == ERNN_NONE || is_vector(model, index, count);
}

static int is_matrix(const ernn_model *model, uint32_t index, uint64_t rows, uint64_t columns) {
  const ernn_constant *constant = constant_at(model, index);
  return constant && constant->rows == rows && constant->columns == columns &&
         (constant->type == ERNN_MATRIX_F32 || constant->type == ERNN_MATRIX_F16 ||
          constant->type == ERNN_MATRIX_S8);
}

/* The same, or bytes that are multiplied with bytes. */
static int is_matrix_or_sums(const ernn_model *model, uint32_t index, uint64_t rows,
                             uint64_t columns) {
  const ernn_constant *constant = constant_at(model, index);
  int is_sums = constant && constant->type == ERNN_ACCUMULATION && constant->rows == rows &&
                constant->columns == columns;
  return is_sums ? (model->header->features & ERNN_FEATURE_DYNAMIC) != 0
                 : is_matrix(model, index, rows, columns);
}

static int is_activation(const uint32_t *arguments) {
  return arguments[0] < ERNN_ACTIVATION_COUNT;
}

/* window, stride, dilation, padding */
static int is_window(uint32_t window, uint32_t stride, uint32_t dilation, uint32_t padding,
                     uint32_t width) {
  uint64_t span = (uint64_t)(window - 1) * dilation + 1;
  return window > 0 && dilation > 0 && span <= ERNN_MAX_WIDTH &&
         (span + ERNN_CHUNK_STEPS) * width <= ERNN_MAX_ELEMENTS && stride > 0 &&
         stride <= ERNN_MAX_STEPS && padding <= ERNN_PADDING_CAUSAL;
}

static int is_conv_window(const ernn_model *model, const ernn_op *op) {
  const uint32_t *window = window_of(op);
  return is_window(window[WINDOW], window[STRIDE], window[DILATION], window[PADDING],
                   edge_at(model, op->inputs[0])->width);
}

static int is_product(const ernn_model *model, uint32_t index, uint64_t rows, uint64_t columns) {
  const ernn_constant *constant = constant_at(model, index);
  return constant && constant->type == ERNN_PRODUCT && constant->rows == rows &&
         constant->columns == columns;
}

/* Eight bits are multiplied as unsigned bytes, which AVX2 can do only with safe pairs. */
static int is_reading(const ernn_model *model, const uint32_t *reading) {
  uint32_t bits = reading[ERNN_READING_BITS], limit = reading[ERNN_READING_LIMIT];
  int is_safe = (model->header->features & ERNN_FEATURE_PAIRS_SAFE) != 0;
  return reading[ERNN_READING_FROM_STATE] <= 1 &&
         ((bits == 8 && limit <= 127 && is_safe) || (bits == 16 && limit <= 32767));
}

/* An activation that works on single numbers. */
static int is_map(const uint32_t *arguments) {
  return is_activation(arguments) && arguments[0] != ERNN_ACTIVATION_SOFTMAX &&
         arguments[0] != ERNN_ACTIVATION_LOG_SOFTMAX;
}

static int is_float_cell(const ernn_model *model, const ernn_op *op, uint32_t features,
                         uint32_t units, uint32_t gates, uint32_t recurrent_gates) {
  const uint32_t *arguments = op->arguments;
  uint32_t padded = ernn_padded(units);
  return is_matrix_or_sums(model, arguments[ERNN_RNN_KERNEL], features,
                           (uint64_t)gates * padded) &&
         is_matrix_or_sums(model, arguments[ERNN_RNN_RECURRENT], units,
                   (uint64_t)recurrent_gates * padded) &&
         (recurrent_gates == gates ||
          is_matrix_or_sums(model, arguments[ERNN_RNN_CANDIDATE], units, padded)) &&
         is_optional_vector(model, arguments[ERNN_RNN_BIAS], gates * padded) &&
         is_optional_vector(model, arguments[ERNN_RNN_RECURRENT_BIAS], recurrent_gates * padded) &&
         is_map(arguments + ERNN_RNN_ACTIVATION) && is_map(arguments + ERNN_RNN_GATE_ACTIVATION);
}

static int is_integer_cell(const ernn_model *model, const ernn_op *op, uint32_t features,
                           uint32_t units, uint32_t gates, uint32_t recurrent_gates) {
  const uint32_t *arguments = op->arguments;
  uint32_t padded = ernn_padded(units), bits = arguments[ERNN_QRNN_STATE_BITS];
  const ernn_constant *cells = constant_at(model, arguments[ERNN_QRNN_CELL]);
  int is_lstm = op->kind == ERNN_OP_QLSTM;
  int is_safe = (model->header->features & ERNN_FEATURE_PAIRS_SAFE) != 0;
  return is_product(model, arguments[ERNN_RNN_KERNEL], features, (uint64_t)gates * padded) &&
         is_product(model, arguments[ERNN_RNN_RECURRENT], units,
                    (uint64_t)recurrent_gates * padded) &&
         (recurrent_gates == gates ||
          is_product(model, arguments[ERNN_RNN_CANDIDATE], units, padded)) &&
         is_reading(model, arguments + ERNN_QRNN_READING) &&
         (bits == 16 || (bits == 8 && is_safe)) &&
         arguments[ERNN_QRNN_HARD_LIMIT] <= 8191 && arguments[ERNN_QRNN_HARD_FACTOR] <= 32767 &&
         (is_lstm ? cells && cells->type == ERNN_CELL && cells->columns == padded
                  : arguments[ERNN_QRNN_CELL] == ERNN_NONE);
}

static int is_recurrent(const ernn_model *model, const ernn_op *op, uint32_t gates) {
  const uint32_t *arguments = op->arguments;
  const ernn_constant *recurrent = constant_at(model, arguments[ERNN_RNN_RECURRENT]);
  if (!recurrent || !is_f32_sequence(model, op->inputs[0])) return 0;
  uint32_t units = recurrent->rows, features = edge_at(model, op->inputs[0])->width;
  uint32_t output = op->outputs[0], flags = rnn_flags(op);
  int is_gru = op->kind == ERNN_OP_GRU || op->kind == ERNN_OP_QGRU;
  int is_lstm = op->kind == ERNN_OP_LSTM || op->kind == ERNN_OP_QLSTM;
  int has_candidate = is_gru && arguments[ERNN_RNN_CANDIDATE] != ERNN_NONE;
  int sequences = (flags & ERNN_RNN_SEQUENCES) != 0;
  uint32_t recurrent_gates = has_candidate ? gates - 1 : gates;
  return units <= ERNN_MAX_WIDTH / 4 - ERNN_TILE && flags <= 7 &&
         (has_candidate || arguments[ERNN_RNN_CANDIDATE] == ERNN_NONE) &&
         (is_integer_op(op) ? is_integer_cell : is_float_cell)(model, op, features, units, gates,
                                                               recurrent_gates) &&
         (op->inputs[1] == ERNN_NONE || is_mask(model, op->inputs[1])) &&
         is_optional_row(model, op->inputs[2], units) &&
         (is_lstm ? is_optional_row(model, op->inputs[3], units) : op->inputs[3] == ERNN_NONE) &&
         (output == ERNN_NONE || (is_f32(model, output) && edge_at(model, output)->width == units &&
                                  edge_at(model, output)->is_sequence == sequences)) &&
         is_optional_row(model, op->outputs[1], units) &&
         (is_lstm ? is_optional_row(model, op->outputs[2], units)
                  : op->outputs[2] == ERNN_NONE);
}

static int is_linear(const ernn_model *model, const ernn_op *op, uint32_t window) {
  const uint32_t *arguments = op->arguments;
  if (!is_f32(model, op->inputs[0]) || !is_same_form(model, op->inputs[0], op->outputs[0])) {
    return 0;
  }
  uint32_t padded = ernn_padded(edge_at(model, op->outputs[0])->width);
  uint64_t rows = (uint64_t)edge_at(model, op->inputs[0])->width * window;
  const uint32_t *activation = arguments + ERNN_DENSE_ACTIVATION;
  if (!is_activation(activation)) return 0;
  if (!is_integer_op(op)) {
    int is_dense = op->kind == ERNN_OP_DENSE;
    return (is_dense ? is_matrix_or_sums : is_matrix)(model, arguments[ERNN_DENSE_KERNEL], rows,
                                                      padded) &&
           is_optional_vector(model, arguments[ERNN_DENSE_BIAS], padded);
  }
  const ernn_constant *kernel = constant_at(model, arguments[ERNN_DENSE_KERNEL]);
  int is_open = *activation == ERNN_ACTIVATION_TANH || *activation == ERNN_ACTIVATION_SIGMOID;
  return kernel && kernel->type == (is_open ? ERNN_PRODUCT : ERNN_ACCUMULATION) &&
         kernel->rows == rows && kernel->columns == padded &&
         arguments[ERNN_DENSE_BIAS] == ERNN_NONE &&
         is_reading(model, arguments + ERNN_LINEAR_READING);
}

/* Layers that work on an axis: how many steps it has and where. */
static int is_axis(const ernn_model *model, const ernn_op *op) {
  uint32_t size = op->arguments[ERNN_AXIS_SIZE], rows = op->arguments[ERNN_AXIS_ROWS];
  return (rows > 0 || size == 0) && size <= ERNN_MAX_STEPS && rows <= ERNN_MAX_STEPS &&
         (uint64_t)rows * edge_at(model, op->inputs[0])->width <= ERNN_MAX_ELEMENTS;
}

#ifndef ERNN_WITHOUT_IMAGES
static int is_conv2d(const ernn_model *model, const ernn_op *op) {
  const uint32_t *arguments = op->arguments;
  if (!is_f32_sequence(model, op->inputs[0]) || !is_f32_sequence(model, op->outputs[0])) return 0;
  uint32_t channels = edge_at(model, op->inputs[0])->width;
  if (!ernn_is_image_window(op, channels)) return 0;
  if (!is_depthwise_2d(op)) return is_linear(model, op, image_taps(op));
  if (!is_like(model, op->inputs[0], op->outputs[0])) return 0;
  if (!is_activation(arguments + ERNN_DENSE_ACTIVATION)) return 0;
  if (is_integer_op(op)) {
    const ernn_constant *kernel = constant_at(model, arguments[ERNN_DENSE_KERNEL]);
    uint32_t activation = arguments[ERNN_DENSE_ACTIVATION];
    int is_open = activation == ERNN_ACTIVATION_TANH || activation == ERNN_ACTIVATION_SIGMOID;
    return kernel && kernel->type == (is_open ? ERNN_PRODUCT : ERNN_ACCUMULATION) &&
           kernel->packing == 0 && kernel->rows == image_taps(op) && kernel->columns == ernn_padded(channels) &&
           is_reading(model, arguments + ERNN_LINEAR_READING);
  }
  return is_vector(model, arguments[ERNN_DENSE_KERNEL], image_taps(op) * channels) &&
         is_optional_vector(model, arguments[ERNN_DENSE_BIAS], channels);
}

static int is_swap(const ernn_model *model, const ernn_op *op) {
  uint64_t part = 1;
  for (uint32_t i = ERNN_SWAP_FIRST; i <= ERNN_SWAP_INNER; i++) {
    uint32_t size = op->arguments[i];
    if (size == 0 && i != ERNN_SWAP_FIRST) return 0;
    part *= size ? size : 1;
    if (size > ERNN_MAX_ELEMENTS || part > ERNN_MAX_ELEMENTS) return 0;
  }
  return is_f32_sequence(model, op->inputs[0]) && is_f32_sequence(model, op->outputs[0]);
}
#endif

static int is_attention(const ernn_model *model, const ernn_op *op) {
  for (uint32_t i = 0; i < 5; i++) {
    uint32_t edge = op->inputs[i];
    int fits = i < 3 ? is_f32_sequence(model, edge) : edge == ERNN_NONE || is_mask(model, edge);
    if (!fits) return 0;
  }
  uint32_t width = edge_at(model, op->inputs[0])->width;
  return is_f32_sequence(model, op->outputs[0]) &&
         edge_at(model, op->inputs[1])->width == width &&
         edge_at(model, op->inputs[2])->width == edge_at(model, op->outputs[0])->width &&
         op->arguments[ERNN_ATTENTION_FLAGS] <= 7 &&
         is_optional_vector(model, op->arguments[ERNN_ATTENTION_ENERGY], width);
}

static int is_dot(const ernn_model *model, const ernn_op *op) {
  for (uint32_t i = 0; i < 2; i++) {
    if (!is_f32(model, op->inputs[i]) || op->arguments[ERNN_DOT_LEFT_STEPS + i] > 1) return 0;
  }
  const ernn_edge *left = edge_at(model, op->inputs[0]), *right = edge_at(model, op->inputs[1]);
  /* Of sequences, ernn_infer_steps checks the sizes. */
  int fits = left->is_sequence || right->is_sequence ||
             (left->width == right->width && edge_at(model, op->outputs[0])->width == 1);
  return is_f32(model, op->outputs[0]) && fits;
}

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

/* Layers that move numbers. */
static int is_shaping(const ernn_model *model, const ernn_op *op) {
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

/* Layers of single numbers or rows. */
static int is_elements(const ernn_model *model, const ernn_op *op) {
  const uint32_t *arguments = op->arguments;
  uint32_t input = op->inputs[0], output = op->outputs[0];
  switch (op->kind) {
    case ERNN_OP_AFFINE: {
      uint32_t width = edge_at(model, output)->width;
      return is_f32(model, input) && is_like(model, input, output) &&
             is_vector(model, arguments[ERNN_AFFINE_SCALE], width) &&
             is_vector(model, arguments[ERNN_AFFINE_OFFSET], width);
    }
    case ERNN_OP_LAYER_NORM: {
      uint32_t width = edge_at(model, output)->width;
      return is_f32(model, input) && is_like(model, input, output) &&
             is_optional_vector(model, arguments[ERNN_NORM_GAMMA], width) &&
             is_optional_vector(model, arguments[ERNN_NORM_BETA], width);
    }
    case ERNN_OP_ACTIVATE:
      return is_f32(model, input) && is_like(model, input, output) &&
             is_activation(arguments + ERNN_ACTIVATE_ACTIVATION);
    case ERNN_OP_PRELU:
      return is_f32(model, input) && is_like(model, input, output) &&
             is_vector(model, arguments[ERNN_PRELU_ALPHA], edge_at(model, output)->width);
    default: return 0;
  }
}

/* Lookups, pools, and windows over each channel by itself. */
static int is_other(const ernn_model *model, const ernn_op *op) {
  const uint32_t *arguments = op->arguments;
  uint32_t input = op->inputs[0], output = op->outputs[0];
  switch (op->kind) {
    case ERNN_OP_EMBEDDING: {
      const ernn_constant *table = constant_at(model, arguments[ERNN_EMBEDDING_TABLE]);
      return table && edge_at(model, input)->dtype == ERNN_INT32 &&
             edge_at(model, input)->width == 1 && is_f32(model, output) &&
             edge_at(model, input)->is_sequence == edge_at(model, output)->is_sequence &&
             table->columns == edge_at(model, output)->width &&
             (table->type == ERNN_TABLE_F32 || table->type == ERNN_TABLE_F16 ||
              table->type == ERNN_TABLE_S8);
    }
    case ERNN_OP_DEPTHWISE: {
      uint32_t width = edge_at(model, input)->width;
      uint64_t count = (uint64_t)width * window_of(op)[WINDOW];
      return is_conv_window(model, op) && count <= ERNN_MAX_WIDTH &&
             is_f32_sequence(model, input) && is_like(model, input, output) &&
             is_vector(model, arguments[ERNN_DENSE_KERNEL], (uint32_t)count) &&
             is_optional_vector(model, arguments[ERNN_DENSE_BIAS], width) &&
             is_activation(arguments + ERNN_DENSE_ACTIVATION);
    }
    case ERNN_OP_POOL:
      return is_window(arguments[ERNN_POOL_WINDOW], arguments[ERNN_POOL_STRIDE], 1,
                       arguments[ERNN_POOL_PADDING], edge_at(model, input)->width) &&
             is_axis(model, op) &&
             arguments[ERNN_POOL_KIND] <= ERNN_POOL_AVERAGE && is_f32_sequence(model, input) &&
             is_like(model, input, output);
    case ERNN_OP_GLOBAL_POOL:
      return arguments[ERNN_POOL_KIND] <= ERNN_POOL_AVERAGE && is_f32_sequence(model, input) &&
             is_f32(model, output) &&
             edge_at(model, input)->width == edge_at(model, output)->width &&
             (op->inputs[1] == ERNN_NONE || is_mask(model, op->inputs[1]));
    default: return 0;
  }
}

int ernn_is_op(const ernn_model *model, const ernn_op *op) {
  uint32_t input = op->inputs[0], output = op->outputs[0];
  if (input == ERNN_NONE) return 0;
  if (!is_recurrent_op(op) && output == ERNN_NONE) return 0;
  /* One function for each group, so that a library of few layers leaves the others out. */
  if (ERNN_HAS_SHAPING && is_shaping(model, op)) return 1;
  if (ERNN_HAS_ELEMENTS && is_elements(model, op)) return 1;
  if (ERNN_HAS_OTHERS && is_other(model, op)) return 1;
  switch (op->kind) {
    case ERNN_OP_DENSE:
    case ERNN_OP_QDENSE: return is_linear(model, op, 1);
    case ERNN_OP_CONV:
    case ERNN_OP_QCONV:
      if (!ERNN_HAS(CONV) && !ERNN_HAS(QCONV)) return 0;
      return is_conv_window(model, op) && is_f32_sequence(model, input) &&
             is_linear(model, op, window_of(op)[WINDOW]);
    case ERNN_OP_ATTENTION: return ERNN_HAS(ATTENTION) && is_attention(model, op);
    case ERNN_OP_DOT: return ERNN_HAS(DOT) && is_dot(model, op);
    case ERNN_OP_GRU:
    case ERNN_OP_QGRU: return is_recurrent(model, op, 3);
    case ERNN_OP_LSTM:
    case ERNN_OP_QLSTM: return is_recurrent(model, op, 4);
    case ERNN_OP_RNN:
    case ERNN_OP_QRNN: return is_recurrent(model, op, 1);
#ifndef ERNN_WITHOUT_IMAGES
    case ERNN_OP_CONV2D:
    case ERNN_OP_DEPTHWISE2D:
    case ERNN_OP_QCONV2D:
    case ERNN_OP_QDEPTHWISE2D: return is_conv2d(model, op);
    case ERNN_OP_SWAP: return is_swap(model, op);
#endif
    default: return 0;
  }
}
