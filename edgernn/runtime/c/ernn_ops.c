/* ernn_ops.c: the memory that a layer needs, and the code that runs it. */

#include "ernn_attention.h"
#include "ernn_images.h"

static uint32_t rnn_units(const ernn_model *model, const ernn_op *op) {
  return ernn_constants(model)[op->arguments[ERNN_RNN_RECURRENT]].rows;
}

size_t ernn_op_state_bytes(const ernn_model *model, const ernn_op *op) {
  uint32_t width = ernn_edges(model)[op->inputs[0]].width;
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_CONV:
    case ERNN_OP_DEPTHWISE:
    case ERNN_OP_QCONV: /* the steps before, as many as a window reaches back */
      return ernn_op_is_causal(model, op) ? (size_t)(conv_span(op) - 1) * width * sizeof(float) : 0;
    case ERNN_OP_GLOBAL_POOL: /* sums or maxima, then how many */ return (width + 1) * sizeof(float);
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN:
    case ERNN_OP_QGRU:
    case ERNN_OP_QLSTM:
    case ERNN_OP_QRNN: {
      size_t element = is_integer_op(op) ? sizeof(int16_t) : sizeof(float);
      size_t vectors = op->kind == ERNN_OP_LSTM || op->kind == ERNN_OP_QLSTM ? 2 : 1;
      return sizeof(ernn_rnn_state) + vectors * ernn_padded(rnn_units(model, op)) * element;
    }
    default: return 0;
  }
}

size_t ernn_op_scratch_bytes(const ernn_model *model, const ernn_op *op, const uint32_t *steps,
                             uint32_t lanes) {
  const ernn_constant *constants = ernn_constants(model);
  uint32_t in = steps[op->inputs[0]], width = ernn_edges(model)[op->inputs[0]].width, padding = 0;
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_DENSE:
    case ERNN_OP_CONV:
    case ERNN_OP_DEPTHWISE:
    case ERNN_OP_QDENSE:
    case ERNN_OP_QCONV: {
      if (!ERNN_HAS_LINEAR && !ERNN_HAS(DEPTHWISE)) return 0;
      int is_dense = op->kind == ERNN_OP_DENSE || op->kind == ERNN_OP_QDENSE;
      if (ERNN_HAS_WINDOWS && !is_dense) {
        const uint32_t *window = window_of(op);
        ernn_padding_left(in, conv_span(op), window[STRIDE], window[PADDING], &padding);
      }
      return ernn_linear_scratch(op, constants + op->arguments[ERNN_DENSE_KERNEL], in + padding,
                                 width)
          .bytes;
    }
#ifndef ERNN_WITHOUT_IMAGES
    case ERNN_OP_CONV2D:
    case ERNN_OP_DEPTHWISE2D:
    case ERNN_OP_QCONV2D:
    case ERNN_OP_QDEPTHWISE2D: {
      if (!ERNN_HAS_IMAGES) return 0;
      ernn_image image; /* at capacity: larger than any that fits, or what ernn_infer_steps refused */
      if (ernn_image_of(op, width, in, 1, &image) != ERNN_OK) return 0;
      return ernn_image_scratch(op, constants + op->arguments[ERNN_DENSE_KERNEL], &image, width)
          .bytes;
    }
#endif
    case ERNN_OP_ATTENTION: return ERNN_HAS(ATTENTION) ? ernn_attention_scratch(op, steps) : 0;
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN:
    case ERNN_OP_QGRU:
    case ERNN_OP_QLSTM:
    case ERNN_OP_QRNN:
      return ernn_rnn_scratch(op, in, width, rnn_units(model, op),
                              constants[op->arguments[ERNN_RNN_KERNEL]].columns, lanes)
          .bytes;
    default: return 0;
  }
}

static ernn_status run_one(const ernn_context *run) {
  switch ((ernn_op_kind)run->op->kind) {
    case ERNN_OP_EMBEDDING: return ERNN_HAS(EMBEDDING) ? ernn_run_embedding(run) : ERNN_OK;
    case ERNN_OP_DENSE:
    case ERNN_OP_QDENSE:
      if (ERNN_HAS_EITHER(DENSE, QDENSE)) ernn_run_dense(run);
      break;
    case ERNN_OP_CONV:
    case ERNN_OP_QCONV:
      if (ERNN_HAS_EITHER(CONV, QCONV)) ernn_run_conv(run);
      break;
    case ERNN_OP_DEPTHWISE:
      if (ERNN_HAS(DEPTHWISE)) ernn_run_depthwise(run);
      break;
#ifndef ERNN_WITHOUT_IMAGES
    case ERNN_OP_CONV2D:
    case ERNN_OP_DEPTHWISE2D:
    case ERNN_OP_QCONV2D:
    case ERNN_OP_QDEPTHWISE2D:
      if (ERNN_HAS_IMAGES) ernn_run_conv2d(run);
      break;
    case ERNN_OP_SWAP:
      if (ERNN_HAS(SWAP)) ernn_run_swap(run);
      break;
#endif
    case ERNN_OP_POOL:
    case ERNN_OP_GLOBAL_POOL:
      if (ERNN_HAS_EITHER(POOL, GLOBAL_POOL)) ernn_run_pool(run);
      break;
    case ERNN_OP_ATTENTION:
      if (ERNN_HAS(ATTENTION)) ernn_run_attention(run);
      break;
    case ERNN_OP_DOT:
      if (ERNN_HAS(DOT)) ernn_run_dot(run);
      break;
    case ERNN_OP_CAST:
    case ERNN_OP_COMPARE:
    case ERNN_OP_WHERE:
      if (ERNN_HAS_CHOICES) ernn_run_choice(run);
      break;
    case ERNN_OP_AFFINE:
    case ERNN_OP_LAYER_NORM:
    case ERNN_OP_ACTIVATE:
    case ERNN_OP_PRELU:
      if (ERNN_HAS_ELEMENTS) ernn_run_elements(run);
      break;
    default:
      if (ERNN_HAS_SHAPING) ernn_run_shaping(run);
  }
  return ERNN_OK;
}

ernn_status ernn_op_run(const ernn_context *runs, uint32_t lanes) {
  if (ERNN_HAS_CELLS && is_recurrent_op(runs->op)) {
    ernn_run_recurrent(runs, lanes);
    return ERNN_OK;
  }
  for (uint32_t i = 0; i < lanes; i++) {
    ernn_status status = run_one(runs + i);
    if (status != ERNN_OK) return status;
  }
  return ERNN_OK;
}
