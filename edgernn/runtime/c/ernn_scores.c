/* ernn_scores.c: what the numbers of an output are, by the layers that make them. */

#include "ernn_scores.h"

#include "ernn_layers.h"

static int is_bounded(const uint32_t *activation) {
  return *activation == ERNN_ACTIVATION_SOFTMAX || *activation == ERNN_ACTIVATION_SIGMOID ||
         *activation == ERNN_ACTIVATION_HARD_SIGMOID;
}

/* Whether a layer gives numbers in 0 to 1 where all that it reads is in there (`inside`). */
static int gives_shares(const ernn_op *op, int inside) {
  const uint32_t *arguments = op->arguments;
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_ACTIVATE: return is_bounded(arguments + ERNN_ACTIVATE_ACTIVATION);
    case ERNN_OP_DENSE:
    case ERNN_OP_CONV:
    case ERNN_OP_DEPTHWISE:
    case ERNN_OP_CONV2D:
    case ERNN_OP_DEPTHWISE2D:
    case ERNN_OP_QDENSE:
    case ERNN_OP_QCONV:
    case ERNN_OP_QCONV2D:
    case ERNN_OP_QDEPTHWISE2D: return is_bounded(arguments + ERNN_DENSE_ACTIVATION);
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN: return is_bounded(arguments + ERNN_RNN_ACTIVATION);
    case ERNN_OP_MERGE:
      return inside && arguments[ERNN_MERGE_KIND] != ERNN_MERGE_ADD &&
             arguments[ERNN_MERGE_KIND] != ERNN_MERGE_SUBTRACT;
    case ERNN_OP_POOL:
    case ERNN_OP_GLOBAL_POOL:
    case ERNN_OP_RESHAPE:
    case ERNN_OP_TRANSPOSE:
    case ERNN_OP_REVERSE:
    case ERNN_OP_REPEAT:
    case ERNN_OP_UPSAMPLE:
    case ERNN_OP_PAD:
    case ERNN_OP_SLICE_STEPS:
    case ERNN_OP_SLICE_WIDTH:
    case ERNN_OP_CONCAT_STEPS:
    case ERNN_OP_CONCAT_WIDTH:
    case ERNN_OP_APPLY_MASK:
    case ERNN_OP_SWAP: return inside;
    default: return 0;
  }
}

/* A bit for each edge: bytes would be half of a small stack. */
static int is_set(const uint32_t *bits, uint32_t edge) { return bits[edge / 32] >> (edge % 32) & 1u; }

int ernn_are_shares(const ernn_model *model, uint32_t index) {
  const ernn_header *header = model->header;
  uint32_t shares[ERNN_MAX_RECORDS / 32];
  for (uint32_t i = 0; i < ERNN_MAX_RECORDS / 32; i++) shares[i] = 0;
  for (uint32_t i = 0; i < header->op_count; i++) {
    const ernn_op *op = ernn_ops(model) + i;
    int inside = 1;
    for (uint32_t k = 0; k < ERNN_OP_INPUTS; k++) {
      if (op->inputs[k] == ERNN_NONE) continue;
      int is_mask = ernn_edges(model)[op->inputs[k]].dtype == ERNN_BOOL;
      if (!is_mask && !is_set(shares, op->inputs[k])) inside = 0;
    }
    uint32_t bit = (uint32_t)gives_shares(op, inside);
    for (uint32_t k = 0; k < ERNN_OP_OUTPUTS; k++) {
      uint32_t edge = op->outputs[k];
      if (edge != ERNN_NONE) shares[edge / 32] |= bit << (edge % 32);
    }
  }
  return index < header->output_count &&
         is_set(shares, ernn_ports(model)[header->input_count + index].edge);
}
