/* ernn_model.c: checks a file and describes it. */

#include "ernn_layers.h"

const char *ernn_status_text(ernn_status status) {
  static const char *const texts[] = {
#define ERNN_STATUS_TEXT(name, text) text,
      ERNN_STATUS_LIST(ERNN_STATUS_TEXT)
#undef ERNN_STATUS_TEXT
  };
  return (uint32_t)status < ERNN_STATUS_COUNT ? texts[status] : "an unknown status";
}

/* A table of `count` records inside the file, aligned to 4. */
static int is_table(const ernn_header *header, uint32_t offset, uint32_t count, size_t record) {
  return count <= ERNN_MAX_RECORDS && offset % 4 == 0 && offset >= sizeof(ernn_header) &&
         offset <= header->file_bytes && count * record <= header->file_bytes - offset;
}

/* Bytes inside the file, aligned as data is. */
static int is_data(const ernn_header *header, uint32_t offset, uint64_t bytes) {
  return offset % ERNN_ALIGNMENT == 0 && offset >= sizeof(ernn_header) &&
         offset <= header->file_bytes && bytes <= header->file_bytes - offset;
}

static int is_text(const ernn_model *model, uint32_t offset, uint32_t bytes) {
  uint32_t end = model->header->file_bytes;
  return offset < end && bytes < end - offset && model->bytes[offset + bytes] == 0;
}

static ernn_status check_header(const ernn_header *header, size_t size) {
  if (header->magic == 0x45524E4Eu) return ERNN_BYTE_ORDER;
  if (header->magic != ERNN_MAGIC) return ERNN_NOT_ERNN;
  if (header->version != ERNN_FORMAT_VERSION) return ERNN_VERSION;
  if (header->file_bytes != size) return ERNN_TRUNCATED;
  if (ernn_crc32((const uint8_t *)header + 16, size - 16) != header->crc32) return ERNN_CHECKSUM;
  if (header->features & ~ERNN_FEATURES_KNOWN) return ERNN_FEATURE;
  for (size_t i = 0; i < sizeof header->reserved / sizeof *header->reserved; i++) {
    if (header->reserved[i] != 0) return ERNN_FEATURE;
  }
  if (header->input_count > ERNN_MAX_RECORDS || header->output_count > ERNN_MAX_RECORDS ||
      !is_table(header, header->edge_offset, header->edge_count, sizeof(ernn_edge)) ||
      !is_table(header, header->op_offset, header->op_count, sizeof(ernn_op)) ||
      !is_table(header, header->constant_offset, header->constant_count, sizeof(ernn_constant)) ||
      !is_table(header, header->port_offset, header->input_count, sizeof(ernn_port_record)) ||
      !is_table(header, header->port_offset, header->input_count + header->output_count,
                sizeof(ernn_port_record)) ||
      !is_table(header, header->text_offset, header->text_count, sizeof(ernn_text))) {
    return ERNN_BAD_OFFSET;
  }
  int has_ports = header->input_count > 0 && header->output_count > 0;
  return has_ports && header->slot_count <= header->edge_count ? ERNN_OK : ERNN_BAD_MODEL;
}

static ernn_status check_constant(const ernn_header *header, const ernn_constant *constant) {
  uint64_t elements = (uint64_t)constant->rows * constant->columns;
  uint64_t scale_bytes = 0;
  uint32_t element_bytes = 4;
  int is_matrix = 0;
  switch (constant->type) {
    case ERNN_VECTOR_F32:
    case ERNN_TABLE_F32: break;
    case ERNN_TABLE_F16: element_bytes = 2; break;
    case ERNN_TABLE_S8:
      element_bytes = 1;
      scale_bytes = 4ull * constant->rows;
      break;
    case ERNN_MATRIX_F32: is_matrix = 1; break;
    case ERNN_MATRIX_F16:
      is_matrix = 1;
      element_bytes = 2;
      break;
    case ERNN_MATRIX_S8:
      is_matrix = 1;
      element_bytes = 1;
      scale_bytes = 4ull * constant->columns;
      break;
    case ERNN_PRODUCT:
    case ERNN_ACCUMULATION:
      is_matrix = 1;
      element_bytes = 1;
      elements = ((uint64_t)constant->rows + 3) / 4 * 4 * constant->columns;
      scale_bytes = (constant->type == ERNN_PRODUCT ? 14ull : 12ull) * constant->columns;
      break;
    case ERNN_CELL:
      elements = constant->columns / ERNN_TILE;
      element_bytes = sizeof(ernn_cell);
      break;
    default: return ERNN_FEATURE;
  }
  if (constant->rows == 0 || constant->rows > ERNN_MAX_WIDTH || constant->columns == 0 ||
      constant->columns > ERNN_MAX_WIDTH || constant->reserved != 0) {
    return ERNN_BAD_MODEL;
  }
  int is_row = constant->type == ERNN_VECTOR_F32 || constant->type == ERNN_CELL;
  if (is_row && constant->rows != 1) return ERNN_BAD_MODEL;
  if (constant->type == ERNN_CELL && constant->columns % ERNN_TILE != 0) return ERNN_BAD_MODEL;
  if (is_matrix ? constant->columns % ERNN_TILE != 0 || constant->tiles < 1 || constant->tiles > 4
                : constant->tiles != 0) {
    return ERNN_BAD_MODEL;
  }
  if (constant->bytes != elements * element_bytes || (scale_bytes == 0) != (constant->scales == 0)) {
    return ERNN_BAD_MODEL;
  }
  if (!is_data(header, constant->offset, constant->bytes)) return ERNN_BAD_OFFSET;
  if (scale_bytes > 0 && !is_data(header, constant->scales, scale_bytes)) return ERNN_BAD_OFFSET;
  return ERNN_OK;
}

/* Numbers that shifts and multiplications of the integer layers rely on. */
static ernn_status check_numbers(const ernn_model *model, uint32_t index) {
  const ernn_constant *constant = ernn_constants(model) + index;
  if (constant->type == ERNN_PRODUCT) {
    ernn_product product = ernn_product_of(model, index);
    for (uint32_t i = 0; i < constant->columns; i++) {
      if (product.shift[i] < 0 || product.shift[i] > 24 || product.multiplier[i] < 0) {
        return ERNN_BAD_MODEL;
      }
    }
  }
  if (constant->type == ERNN_CELL) {
    const ernn_cell *cells = (const ernn_cell *)ernn_constant_data(model, index);
    for (uint32_t i = 0; i < constant->columns; i++) {
      const ernn_cell *cell = cells + i / ERNN_TILE;
      uint32_t unit = i % ERNN_TILE;
      int32_t exponent = cell->exponent[ERNN_LANE(unit)];
      if (exponent < 3 || exponent > 12) return ERNN_BAD_MODEL;
      if (cell->factor[unit] != 1 << (exponent - 3)) return ERNN_BAD_MODEL;
      if (cell->limit[unit] != 24575 >> (exponent - 3)) return ERNN_BAD_MODEL;
    }
  }
  return ERNN_OK;
}

/* ---- Layers ----------------------------------------------------------------------------------
 *
 * A check is a conjunction; each of these says whether one condition holds. */

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
  return is_matrix(model, arguments[ERNN_RNN_KERNEL], features, (uint64_t)gates * padded) &&
         is_matrix(model, arguments[ERNN_RNN_RECURRENT], units,
                   (uint64_t)recurrent_gates * padded) &&
         (recurrent_gates == gates ||
          is_matrix(model, arguments[ERNN_RNN_CANDIDATE], units, padded)) &&
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
    return is_matrix(model, arguments[ERNN_DENSE_KERNEL], rows, padded) &&
           is_optional_vector(model, arguments[ERNN_DENSE_BIAS], padded);
  }
  const ernn_constant *kernel = constant_at(model, arguments[ERNN_DENSE_KERNEL]);
  int is_open = *activation == ERNN_ACTIVATION_TANH || *activation == ERNN_ACTIVATION_SIGMOID;
  return kernel && kernel->type == (is_open ? ERNN_PRODUCT : ERNN_ACCUMULATION) &&
         kernel->rows == rows && kernel->columns == padded &&
         arguments[ERNN_DENSE_BIAS] == ERNN_NONE &&
         is_reading(model, arguments + ERNN_LINEAR_READING);
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

static int is_op(const ernn_model *model, const ernn_op *op) {
  const uint32_t *arguments = op->arguments;
  uint32_t input = op->inputs[0], output = op->outputs[0];
  if (input == ERNN_NONE) return 0;
  if (op->kind < ERNN_OP_GRU && output == ERNN_NONE) return 0;
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_EMBEDDING: {
      const ernn_constant *table = constant_at(model, arguments[ERNN_EMBEDDING_TABLE]);
      return table && edge_at(model, input)->dtype == ERNN_INT32 &&
             edge_at(model, input)->width == 1 && is_f32(model, output) &&
             edge_at(model, input)->is_sequence == edge_at(model, output)->is_sequence &&
             table->columns == edge_at(model, output)->width &&
             (table->type == ERNN_TABLE_F32 || table->type == ERNN_TABLE_F16 ||
              table->type == ERNN_TABLE_S8);
    }
    case ERNN_OP_DENSE:
    case ERNN_OP_QDENSE: return is_linear(model, op, 1);
    case ERNN_OP_CONV:
    case ERNN_OP_QCONV:
      return is_conv_window(model, op) && is_f32_sequence(model, input) &&
             is_linear(model, op, window_of(op)[WINDOW]);
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
             arguments[ERNN_POOL_KIND] <= ERNN_POOL_AVERAGE && is_f32_sequence(model, input) &&
             is_like(model, input, output);
    case ERNN_OP_GLOBAL_POOL:
      return arguments[ERNN_POOL_KIND] <= ERNN_POOL_AVERAGE && is_f32_sequence(model, input) &&
             is_f32(model, output) &&
             edge_at(model, input)->width == edge_at(model, output)->width &&
             (op->inputs[1] == ERNN_NONE || is_mask(model, op->inputs[1]));
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
    case ERNN_OP_RESHAPE: return edge_at(model, input)->dtype == edge_at(model, output)->dtype;
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
      return is_f32_sequence(model, input) && is_like(model, input, output) &&
             arguments[ERNN_REPEAT_TIMES] > 0 && arguments[ERNN_REPEAT_TIMES] <= ERNN_MAX_STEPS;
    case ERNN_OP_PAD:
      return is_f32_sequence(model, input) && is_like(model, input, output) &&
             arguments[ERNN_PAD_LEFT] <= ERNN_MAX_STEPS &&
             arguments[ERNN_PAD_RIGHT] <= ERNN_MAX_STEPS;
    case ERNN_OP_SLICE_STEPS:
      return edge_at(model, input)->is_sequence &&
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
    case ERNN_OP_GRU:
    case ERNN_OP_QGRU: return is_recurrent(model, op, 3);
    case ERNN_OP_LSTM:
    case ERNN_OP_QLSTM: return is_recurrent(model, op, 4);
    case ERNN_OP_RNN:
    case ERNN_OP_QRNN: return is_recurrent(model, op, 1);
    case ERNN_OP_COUNT: break;
  }
  return 0;
}

static int reads(const ernn_op *op, uint32_t edge) {
  for (uint32_t i = 0; i < ERNN_OP_INPUTS; i++) {
    if (op->inputs[i] == edge) return 1;
  }
  return 0;
}

/* Edges are numbered in the order in which they are written, the model's inputs first. */
static ernn_status check_ops(const ernn_model *model) {
  const ernn_header *header = model->header;
  uint32_t written = header->input_count;
  for (uint32_t i = 0; i < header->op_count; i++) {
    const ernn_op *op = ernn_ops(model) + i;
    if (op->kind >= ERNN_OP_COUNT) return ERNN_UNKNOWN_LAYER;
    if (!is_text(model, op->name, op->name_bytes)) return ERNN_BAD_OFFSET;
    for (uint32_t k = 0; k < ERNN_OP_INPUTS; k++) {
      if (op->inputs[k] != ERNN_NONE && op->inputs[k] >= written) return ERNN_BAD_MODEL;
    }
    uint32_t before = written;
    for (uint32_t k = 0; k < ERNN_OP_OUTPUTS; k++) {
      if (op->outputs[k] == ERNN_NONE) continue;
      if (op->outputs[k] != written || written >= header->edge_count) return ERNN_BAD_MODEL;
      if (ernn_edges(model)[written].slot >= header->slot_count) return ERNN_BAD_MODEL;
      written++;
    }
    if (written == before || !is_op(model, op)) return ERNN_BAD_MODEL;
  }
  return written == header->edge_count ? ERNN_OK : ERNN_BAD_MODEL;
}

/* Two edges may share a buffer when the first is done with before the second is written. */
static ernn_status check_slots(const ernn_model *model) {
  const ernn_header *header = model->header;
  const ernn_edge *edges = ernn_edges(model);
  uint32_t end_of_use[ERNN_MAX_RECORDS]; /* of a slot: the last op that reads its edge */
  for (uint32_t slot = 0; slot < header->slot_count; slot++) end_of_use[slot] = ERNN_NONE;
  for (uint32_t i = 0; i < header->op_count; i++) {
    const ernn_op *op = ernn_ops(model) + i;
    for (uint32_t k = 0; k < ERNN_OP_OUTPUTS; k++) {
      uint32_t edge = op->outputs[k];
      if (edge == ERNN_NONE) continue;
      uint32_t slot = edges[edge].slot, last = i;
      if (end_of_use[slot] != ERNN_NONE && end_of_use[slot] >= i) return ERNN_BAD_MODEL;
      for (uint32_t later = i + 1; later < header->op_count; later++) {
        if (reads(ernn_ops(model) + later, edge)) last = later;
      }
      for (uint32_t port = 0; port < header->output_count; port++) {
        if (ernn_ports(model)[header->input_count + port].edge == edge) last = header->op_count;
      }
      end_of_use[slot] = last;
    }
  }
  return ERNN_OK;
}

static ernn_status check_ports(const ernn_model *model) {
  const ernn_header *header = model->header;
  for (uint32_t i = 0; i < header->input_count + header->output_count; i++) {
    const ernn_port_record *port = ernn_ports(model) + i;
    int is_input = i < header->input_count;
    if (!is_text(model, port->name, port->name_bytes)) return ERNN_BAD_OFFSET;
    if (port->edge >= header->edge_count || (is_input && port->edge != i)) return ERNN_BAD_MODEL;
    if (port->state == 0) continue;
    if (!is_input || port->state > header->output_count) return ERNN_BAD_MODEL;
    /* A state is handed on as it is, so it must have a fixed size. */
    const ernn_edge *from =
        ernn_edges(model) + ernn_ports(model)[header->input_count + port->state - 1].edge;
    const ernn_edge *to = ernn_edges(model) + port->edge;
    int fits = from->dtype == to->dtype && from->width == to->width &&
               from->is_sequence == to->is_sequence && (!to->is_sequence || to->steps > 0);
    if (!fits) return ERNN_BAD_MODEL;
  }
  return ERNN_OK;
}

static ernn_status check_content(const ernn_model *model) {
  const ernn_header *header = model->header;
  for (uint32_t i = 0; i < header->edge_count; i++) {
    const ernn_edge *edge = ernn_edges(model) + i;
    int is_input = i < header->input_count;
    if (edge->dtype > ERNN_BOOL || edge->is_sequence > 1 || edge->reserved != 0 ||
        edge->width == 0 || edge->width > ERNN_MAX_WIDTH || edge->steps > ERNN_MAX_STEPS ||
        (edge->steps != 0 && !(is_input && edge->is_sequence)) ||
        (edge->slot == ERNN_NONE) != is_input) {
      return ERNN_BAD_MODEL;
    }
  }
  for (uint32_t i = 0; i < header->constant_count; i++) {
    ernn_status status = check_constant(header, ernn_constants(model) + i);
    if (status == ERNN_OK) status = check_numbers(model, i);
    if (status != ERNN_OK) return status;
  }
  for (uint32_t i = 0; i < header->text_count; i++) {
    const ernn_text *text = ernn_texts(model) + i;
    if (!is_text(model, text->key, text->key_bytes) ||
        !is_text(model, text->value, text->value_bytes)) {
      return ERNN_BAD_OFFSET;
    }
  }
  ernn_status status = check_ports(model);
  if (status == ERNN_OK) status = check_ops(model);
  if (status == ERNN_OK) status = check_slots(model);
  return status;
}

/* A model is causal when each layer takes a sequence in parts, every sequence has the same steps,
 * and all that is done once a sequence (the head) comes after what is done at each step. */
static uint32_t is_causal(const ernn_model *model) {
  const ernn_header *header = model->header;
  int in_head = 0, has_sequence = 0;
  for (uint32_t i = 0; i < header->input_count; i++) {
    if (ernn_ports(model)[i].state != 0 || !ernn_edges(model)[i].is_sequence) return 0;
  }
  for (uint32_t i = 0; i < header->op_count; i++) {
    const ernn_op *op = ernn_ops(model) + i;
    int takes_sequence = 0;
    for (uint32_t k = 0; k < ERNN_OP_INPUTS; k++) {
      if (op->inputs[k] == ERNN_NONE) continue;
      takes_sequence |= ernn_edges(model)[op->inputs[k]].is_sequence;
    }
    if (!takes_sequence) {
      in_head = 1;
      if (ernn_edges(model)[op->outputs[0]].is_sequence) return 0;
    } else if (in_head || !ernn_op_is_causal(model, op)) {
      return 0;
    }
    has_sequence |= takes_sequence;
  }
  return has_sequence != 0;
}

ernn_status ernn_open(ernn_model *model, const void *bytes, size_t size) {
  if (!model || !bytes) return ERNN_ARGUMENT;
  if ((uintptr_t)bytes % ERNN_ALIGNMENT != 0) return ERNN_MISALIGNED;
  if (size < sizeof(ernn_header)) return ERNN_TRUNCATED;
  ernn_model opened = {(const uint8_t *)bytes, (const ernn_header *)bytes, 0};
  ernn_status status = check_header(opened.header, size);
  if (status == ERNN_OK) status = check_content(&opened);
  if (status != ERNN_OK) return status;
  opened.causal = is_causal(&opened);
  *model = opened;
  return ERNN_OK;
}

/* ---- Descriptions ---------------------------------------------------------------------------- */

uint32_t ernn_input_count(const ernn_model *model) { return model->header->input_count; }

uint32_t ernn_output_count(const ernn_model *model) { return model->header->output_count; }

static ernn_status describe(const ernn_model *model, uint32_t index, ernn_port *port) {
  const ernn_port_record *record = ernn_ports(model) + index;
  const ernn_edge *edge = ernn_edges(model) + record->edge;
  port->name = (const char *)model->bytes + record->name;
  port->dtype = (ernn_dtype)edge->dtype;
  port->is_sequence = edge->is_sequence;
  port->steps = edge->steps;
  port->width = edge->width;
  port->state = record->state;
  return ERNN_OK;
}

ernn_status ernn_input(const ernn_model *model, uint32_t index, ernn_port *port) {
  if (!model || !port || index >= ernn_input_count(model)) return ERNN_ARGUMENT;
  return describe(model, index, port);
}

ernn_status ernn_output(const ernn_model *model, uint32_t index, ernn_port *port) {
  if (!model || !port || index >= ernn_output_count(model)) return ERNN_ARGUMENT;
  return describe(model, ernn_input_count(model) + index, port);
}

/* By explicit states: the file computes one step and hands its states on. */
static int is_step_model(const ernn_model *model) {
  int has_state = 0;
  for (uint32_t i = 0; i < ernn_input_count(model); i++) {
    const ernn_edge *edge = ernn_edges(model) + i;
    if (ernn_ports(model)[i].state != 0) {
      has_state = 1;
    } else if (edge->is_sequence && edge->steps != 1) {
      return 0;
    }
  }
  return has_state;
}

int ernn_is_streaming(const ernn_model *model) {
  return model->causal != 0 || is_step_model(model);
}

static int same_text(const char *left, const char *right) {
  while (*left && *left == *right) {
    left++;
    right++;
  }
  return *left == *right;
}

const char *ernn_label(const ernn_model *model, uint32_t index) {
  for (uint32_t i = 0; i < model->header->text_count; i++) {
    const ernn_text *text = ernn_texts(model) + i;
    if (text->key_bytes == 0 && index-- == 0) return (const char *)model->bytes + text->value;
  }
  return NULL;
}

ernn_status ernn_metadata_at(const ernn_model *model, uint32_t index, const char **key,
                             const char **value) {
  for (uint32_t i = 0; i < model->header->text_count; i++) {
    const ernn_text *text = ernn_texts(model) + i;
    if (text->key_bytes > 0 && index-- == 0) {
      *key = (const char *)model->bytes + text->key;
      *value = (const char *)model->bytes + text->value;
      return ERNN_OK;
    }
  }
  return ERNN_ARGUMENT;
}

const char *ernn_metadata(const ernn_model *model, const char *wanted) {
  const char *key, *value;
  for (uint32_t i = 0; ernn_metadata_at(model, i, &key, &value) == ERNN_OK; i++) {
    if (same_text(key, wanted)) return value;
  }
  return NULL;
}
