/* ernn_check_recurrent.c: checks that edges and weights of GRU, LSTM and simple RNN fit together. */

#include "ernn_check_edges.h"

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

int ernn_is_recurrent(const ernn_model *model, const ernn_op *op, uint32_t gates) {
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
