/* ernn_check_layers.c: checks that what a layer reads, writes and is made of fits together. */

#include "ernn_check_edges.h"
#include "ernn_images.h"

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

/* Between numbers and masks.  ernn_infer_steps checks how many there are. */
static int is_choice(const ernn_model *model, const ernn_op *op) {
  uint32_t input = op->inputs[0], output = op->outputs[0];
  switch (op->kind) {
    case ERNN_OP_CAST: {
      const ernn_edge *from = edge_at(model, input), *to = edge_at(model, output);
      return from->dtype != ERNN_FLOAT32 && to->dtype == ERNN_FLOAT32 &&
             (from->is_sequence || to->is_sequence || from->width == to->width);
    }
    case ERNN_OP_COMPARE:
      return is_f32(model, input) && is_mask(model, output) &&
             op->arguments[ERNN_COMPARE_KIND] < ERNN_COMPARE_COUNT;
    case ERNN_OP_WHERE:
      return is_f32(model, input) && is_like(model, input, op->inputs[1]) &&
             is_like(model, input, output) && op->inputs[2] != ERNN_NONE &&
             is_mask(model, op->inputs[2]);
    default: return 0;
  }
}

int ernn_is_op(const ernn_model *model, const ernn_op *op) {
  uint32_t input = op->inputs[0], output = op->outputs[0];
  if (input == ERNN_NONE) return 0;
  if (!is_recurrent_op(op) && output == ERNN_NONE) return 0;
  /* One function for each group, so that a library of few layers leaves the others out. */
  if (ERNN_HAS_SHAPING && ernn_is_shaping(model, op)) return 1;
  if (ERNN_HAS_ELEMENTS && is_elements(model, op)) return 1;
  if (ERNN_HAS_OTHERS && is_other(model, op)) return 1;
  if (ERNN_HAS_CHOICES && is_choice(model, op)) return 1;
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
    case ERNN_OP_QGRU: return ernn_is_recurrent(model, op, 3);
    case ERNN_OP_LSTM:
    case ERNN_OP_QLSTM: return ernn_is_recurrent(model, op, 4);
    case ERNN_OP_RNN:
    case ERNN_OP_QRNN: return ernn_is_recurrent(model, op, 1);
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
