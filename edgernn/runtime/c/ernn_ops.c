/* ernn_ops.c: every layer, in float32.  Shapes in comments are [steps, width]. */

#include "ernn_internal.h"
#include "ernn_math.h"

/* ---- Steps ----------------------------------------------------------------------------------- */

static uint32_t conv_span(const ernn_op *op) {
  return (op->arguments[ERNN_CONV_WINDOW] - 1) * op->arguments[ERNN_CONV_DILATION] + 1;
}

/* Zero steps that a window adds in front; all of them in `total`. */
static uint32_t padding_left(uint32_t steps, uint32_t span, uint32_t stride, uint32_t padding,
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
static uint32_t slice_steps(const ernn_op *op, uint32_t steps, uint32_t *first) {
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
  uint64_t out = in;
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_CONV:
    case ERNN_OP_DEPTHWISE: {
      uint32_t padding;
      padding_left(in, conv_span(op), arguments[ERNN_CONV_STRIDE], arguments[ERNN_CONV_PADDING],
                   &padding);
      if (((uint64_t)in + padding) * input->width > ERNN_MAX_ELEMENTS) return ERNN_TOO_LARGE;
      out = window_steps(in, conv_span(op), arguments[ERNN_CONV_STRIDE],
                         arguments[ERNN_CONV_PADDING]);
      break;
    }
    case ERNN_OP_POOL:
      out = window_steps(in, arguments[ERNN_POOL_WINDOW], arguments[ERNN_POOL_STRIDE],
                         arguments[ERNN_POOL_PADDING]);
      break;
    case ERNN_OP_GLOBAL_POOL: out = 1; break;
    case ERNN_OP_RESHAPE: {
      uint64_t total = (uint64_t)in * input->width, width = edges[op->outputs[0]].width;
      out = at_capacity ? (total + width - 1) / width : total / width;
      if (!at_capacity && out * width != total) return ERNN_SHAPE;
      break;
    }
    case ERNN_OP_TRANSPOSE:
      out = input->width;
      if (in != edges[op->outputs[0]].width) return ERNN_SHAPE;
      break;
    case ERNN_OP_REPEAT: out = arguments[ERNN_REPEAT_TIMES]; break;
    case ERNN_OP_UPSAMPLE: out = (uint64_t)in * arguments[ERNN_REPEAT_TIMES]; break;
    case ERNN_OP_PAD:
      out = (uint64_t)in + arguments[ERNN_PAD_LEFT] + arguments[ERNN_PAD_RIGHT];
      break;
    case ERNN_OP_SLICE_STEPS: {
      uint32_t first;
      out = slice_steps(op, in, &first);
      break;
    }
    case ERNN_OP_CONCAT_STEPS:
    case ERNN_OP_CONCAT_WIDTH:
    case ERNN_OP_MERGE:
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
    case ERNN_OP_APPLY_MASK:
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN:
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
    int sums_up = op->kind >= ERNN_OP_GRU || op->kind == ERNN_OP_GLOBAL_POOL;
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
    case ERNN_OP_AFFINE:
    case ERNN_OP_LAYER_NORM:
    case ERNN_OP_ACTIVATE:
    case ERNN_OP_PRELU:
    case ERNN_OP_SLICE_WIDTH:
    case ERNN_OP_CONCAT_WIDTH:
    case ERNN_OP_NOT_EQUAL:
    case ERNN_OP_ANY_NOT_EQUAL:
    case ERNN_OP_APPLY_MASK: return 1;
    case ERNN_OP_MERGE:
      for (uint32_t i = 0; i < ERNN_OP_INPUTS && op->inputs[i] != ERNN_NONE; i++) {
        if (!edges[op->inputs[i]].is_sequence) return 0;
      }
      return 1;
    case ERNN_OP_CONV:
    case ERNN_OP_DEPTHWISE:
      return arguments[ERNN_CONV_STRIDE] == 1 &&
             (arguments[ERNN_CONV_PADDING] == ERNN_PADDING_CAUSAL || conv_span(op) == 1);
    case ERNN_OP_GLOBAL_POOL: return !edges[op->outputs[0]].is_sequence;
    case ERNN_OP_SLICE_STEPS:
      return !edges[op->outputs[0]].is_sequence && arguments[ERNN_SLICE_START] == 0xFFFFFFFFu;
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN:
      return !(arguments[ERNN_RNN_FLAGS] & ERNN_RNN_BACKWARDS) && op->inputs[2] == ERNN_NONE &&
             op->inputs[3] == ERNN_NONE;
    default: return 0;
  }
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Output rows that a dense layer or convolution computes at a time when it needs a copy. */
enum { BLOCK = 16 };

/* What a recurrent layer keeps. */
typedef struct rnn_state {
  uint32_t seen;    /* a valid step has been */
  uint32_t skipped; /* the last step was masked */
  uint32_t unused[14];
} rnn_state;

static uint32_t rnn_units(const ernn_model *model, const ernn_op *op) {
  return ernn_constants(model)[op->arguments[ERNN_RNN_RECURRENT]].rows;
}

/* [span - 1 steps of the past, width] of a causal convolution */
static size_t history_bytes(const ernn_model *model, const ernn_op *op) {
  uint32_t width = ernn_edges(model)[op->inputs[0]].width;
  return (size_t)(conv_span(op) - 1) * width * sizeof(float);
}

size_t ernn_op_state_bytes(const ernn_model *model, const ernn_op *op) {
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_CONV:
    case ERNN_OP_DEPTHWISE: return ernn_op_is_causal(model, op) ? history_bytes(model, op) : 0;
    case ERNN_OP_GLOBAL_POOL: /* sums or maxima, then how many */
      return (ernn_edges(model)[op->inputs[0]].width + 1) * sizeof(float);
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN: {
      size_t vector = ernn_padded(rnn_units(model, op)) * sizeof(float);
      return sizeof(rnn_state) + vector * (op->kind == ERNN_OP_LSTM ? 2 : 1);
    }
    default: return 0;
  }
}

static uint32_t chunk_of(uint32_t steps) {
  return steps < ERNN_CHUNK_STEPS ? steps : ERNN_CHUNK_STEPS;
}

size_t ernn_op_scratch_bytes(const ernn_model *model, const ernn_op *op, const uint32_t *steps) {
  const ernn_constant *constants = ernn_constants(model);
  uint32_t in = steps[op->inputs[0]];
  size_t width = ernn_edges(model)[op->inputs[0]].width;
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_DENSE:
      return (size_t)BLOCK * constants[op->arguments[ERNN_DENSE_KERNEL]].columns * sizeof(float);
    case ERNN_OP_CONV:
    case ERNN_OP_DEPTHWISE: {
      uint32_t padding;
      padding_left(in, conv_span(op), op->arguments[ERNN_CONV_STRIDE],
                   op->arguments[ERNN_CONV_PADDING], &padding);
      size_t padded = ernn_aligned(((size_t)in + padding) * width * sizeof(float));
      if (op->kind == ERNN_OP_DEPTHWISE) return padded;
      const ernn_constant *kernel = constants + op->arguments[ERNN_DENSE_KERNEL];
      size_t gathered = ernn_aligned((size_t)BLOCK * kernel->rows * sizeof(float));
      return padded + gathered + (size_t)BLOCK * kernel->columns * sizeof(float);
    }
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN: {
      size_t columns = constants[op->arguments[ERNN_RNN_KERNEL]].columns;
      size_t vector = ernn_padded(rnn_units(model, op));
      return ((chunk_of(in) + 1) * columns + 2 * vector) * sizeof(float);
    }
    default: return 0;
  }
}

/* ---- Running --------------------------------------------------------------------------------- */

/* What a layer runs with.  Edges by position among its inputs and outputs. */
typedef struct context {
  const ernn_model *model;
  const ernn_op *op;
  const ernn_kernels *kernels;
  const ernn_view *views;
  uint8_t *state;
  uint8_t *scratch;
} context;

static const ernn_edge *edge_of(const context *run, uint32_t index) {
  return ernn_edges(run->model) + index;
}

static const float *input_f32(const context *run, uint32_t position) {
  uint32_t edge = run->op->inputs[position];
  return edge == ERNN_NONE ? NULL : (const float *)(const void *)run->views[edge].data;
}

static const uint8_t *input_mask(const context *run, uint32_t position) {
  uint32_t edge = run->op->inputs[position];
  return edge == ERNN_NONE ? NULL : run->views[edge].data;
}

static float *output_f32(const context *run, uint32_t position) {
  uint32_t edge = run->op->outputs[position];
  return edge == ERNN_NONE ? NULL : (float *)(void *)run->views[edge].data;
}

static uint32_t input_steps(const context *run, uint32_t position) {
  return run->views[run->op->inputs[position]].steps;
}

static uint32_t output_steps(const context *run) { return run->views[run->op->outputs[0]].steps; }

static uint32_t input_width(const context *run, uint32_t position) {
  return edge_of(run, run->op->inputs[position])->width;
}

static uint32_t output_width(const context *run) {
  return edge_of(run, run->op->outputs[0])->width;
}

static const float *vector_of(const context *run, uint32_t argument) {
  return (const float *)ernn_constant_data(run->model, run->op->arguments[argument]);
}

static float float_argument(const context *run, uint32_t argument) {
  return ernn_float_of(run->op->arguments[argument]);
}

static float larger(float a, float b) { return a > b ? a : b; }
static float smaller(float a, float b) { return a < b ? a : b; }

static float activated(uint32_t kind, float alpha, float beta, float most, float x) {
  switch (kind) {
    case ERNN_ACTIVATION_RELU: {
      float below = alpha * smaller(x - beta, 0.0f);
      return smaller(x > beta ? x : below, most);
    }
    case ERNN_ACTIVATION_SIGMOID: return ernn_sigmoid(x);
    case ERNN_ACTIVATION_HARD_SIGMOID: return smaller(larger(alpha * x + beta, 0.0f), 1.0f);
    case ERNN_ACTIVATION_TANH: return ernn_tanh(x);
    case ERNN_ACTIVATION_SOFTPLUS: return ernn_softplus(x);
    case ERNN_ACTIVATION_SOFTSIGN: return x / (1.0f + (x < 0.0f ? -x : x));
    case ERNN_ACTIVATION_ELU: return x > 0.0f ? x : alpha * (ernn_exp(x) - 1.0f);
    case ERNN_ACTIVATION_SELU:
      return 1.0507009873554805f * (x > 0.0f ? x : 1.6732632423543772f * (ernn_exp(x) - 1.0f));
    case ERNN_ACTIVATION_GELU: return x * (0.5f * (1.0f + ernn_erf(x * 0.70710678f)));
    case ERNN_ACTIVATION_GELU_TANH:
      return 0.5f * x * (1.0f + ernn_tanh(0.79788456f * (x + 0.044715f * x * x * x)));
    case ERNN_ACTIVATION_SILU: return x * ernn_sigmoid(x);
    case ERNN_ACTIVATION_HARD_SILU: return x * smaller(larger(x + 3.0f, 0.0f), 6.0f) / 6.0f;
    case ERNN_ACTIVATION_MISH: return x * ernn_tanh(ernn_softplus(x));
    case ERNN_ACTIVATION_EXPONENTIAL: { /* overflows to infinity, which ernn_exp does not */
      float half = ernn_exp(0.5f * x);
      return half * half;
    }
    default: return x;
  }
}

static void softmax_row(float *x, uint32_t width, int logarithm) {
  float most = x[0], sum = 0.0f;
  for (uint32_t i = 1; i < width; i++) most = larger(x[i], most);
  for (uint32_t i = 0; i < width; i++) {
    x[i] -= most;
    sum += ernn_exp(x[i]);
  }
  float offset = logarithm ? ernn_log(sum) : 0.0f, scale = 1.0f / sum;
  for (uint32_t i = 0; i < width; i++) x[i] = logarithm ? x[i] - offset : ernn_exp(x[i]) * scale;
}

/* In place; `arguments`: kind, alpha, beta, max_value. */
static void activate(const ernn_kernels *kernels, const uint32_t *arguments, float *x,
                     uint32_t rows, uint32_t width) {
  uint32_t kind = arguments[0];
  size_t count = (size_t)rows * width;
  if (kind == ERNN_ACTIVATION_LINEAR) return;
  if (kind == ERNN_ACTIVATION_SIGMOID) {
    kernels->f32_sigmoid(x, count);
  } else if (kind == ERNN_ACTIVATION_TANH) {
    kernels->f32_tanh(x, count);
  } else if (kind == ERNN_ACTIVATION_SOFTMAX || kind == ERNN_ACTIVATION_LOG_SOFTMAX) {
    for (uint32_t row = 0; row < rows; row++) {
      softmax_row(x + (size_t)row * width, width, kind == ERNN_ACTIVATION_LOG_SOFTMAX);
    }
  } else {
    float alpha = ernn_float_of(arguments[1]), beta = ernn_float_of(arguments[2]);
    float most = ernn_float_of(arguments[3]);
    for (size_t i = 0; i < count; i++) x[i] = activated(kind, alpha, beta, most, x[i]);
  }
}

/* ---- Embedding, Dense, convolutions ---- */

static ernn_status run_embedding(const context *run) {
  const ernn_constant *table =
      ernn_constants(run->model) + run->op->arguments[ERNN_EMBEDDING_TABLE];
  const uint8_t *data = run->model->bytes + table->offset;
  const float *scales = (const float *)(const void *)(run->model->bytes + table->scales);
  const int32_t *tokens = (const int32_t *)(const void *)run->views[run->op->inputs[0]].data;
  float *out = output_f32(run, 0);
  for (uint32_t step = 0; step < input_steps(run, 0); step++, out += table->columns) {
    uint32_t token = (uint32_t)tokens[step];
    if (token >= table->rows) return ERNN_TOKEN;
    size_t first = (size_t)token * table->columns;
    for (uint32_t i = 0; i < table->columns; i++) {
      if (table->type == ERNN_TABLE_F32) {
        out[i] = ((const float *)(const void *)data)[first + i];
      } else if (table->type == ERNN_TABLE_F16) {
        out[i] = ernn_half(((const uint16_t *)(const void *)data)[first + i]);
      } else {
        out[i] = (float)(int8_t)data[first + i] * scales[token];
      }
    }
  }
  return ERNN_OK;
}

/* Products whose rows may be wider than the output: padded columns stay in `scratch`. */
static void multiply_rows(const context *run, const float *x, size_t stride, uint32_t rows,
                          float *out, float *scratch) {
  ernn_matrix kernel = ernn_matrix_of(run->model, run->op->arguments[ERNN_DENSE_KERNEL]);
  const float *bias = vector_of(run, ERNN_DENSE_BIAS);
  uint32_t width = output_width(run);
  if (kernel.columns == width) {
    run->kernels->f32_gemm(x, stride, rows, &kernel, bias, out, width);
    return;
  }
  for (uint32_t row = 0; row < rows; row += BLOCK) {
    uint32_t taken = rows - row < BLOCK ? rows - row : BLOCK;
    run->kernels->f32_gemm(x + row * stride, stride, taken, &kernel, bias, scratch,
                           kernel.columns);
    for (uint32_t i = 0; i < taken; i++) {
      ernn_copy(out + (size_t)(row + i) * width, scratch + (size_t)i * kernel.columns,
                width * sizeof(float));
    }
  }
}

static void run_dense(const context *run) {
  uint32_t rows = input_steps(run, 0);
  float *out = output_f32(run, 0);
  multiply_rows(run, input_f32(run, 0), input_width(run, 0), rows, out,
                (float *)(void *)run->scratch);
  activate(run->kernels, run->op->arguments + ERNN_DENSE_ACTIVATION, out, rows, output_width(run));
}

/* The input between its padding, in scratch; a causal convolution's padding is its past. */
static const float *padded_input(const context *run) {
  const uint32_t *arguments = run->op->arguments;
  uint32_t steps = input_steps(run, 0), total;
  uint32_t left = padding_left(steps, conv_span(run->op), arguments[ERNN_CONV_STRIDE],
                               arguments[ERNN_CONV_PADDING], &total);
  size_t row = input_width(run, 0) * sizeof(float);
  uint8_t *padded = run->scratch;
  if (total == 0) return input_f32(run, 0);
  if (ernn_op_is_causal(run->model, run->op)) {
    ernn_copy(padded, run->state, left * row);
    ernn_copy(padded + left * row, input_f32(run, 0), steps * row);
    ernn_copy(run->state, padded + steps * row, left * row);
  } else {
    ernn_clear(padded, left * row);
    ernn_copy(padded + left * row, input_f32(run, 0), steps * row);
    ernn_clear(padded + (left + steps) * row, (total - left) * row);
  }
  return (const float *)(const void *)padded;
}

static void run_conv(const context *run) {
  const uint32_t *arguments = run->op->arguments;
  const ernn_constant *kernel = ernn_constants(run->model) + arguments[ERNN_DENSE_KERNEL];
  uint32_t width = input_width(run, 0), rows = output_steps(run);
  uint32_t dilation = arguments[ERNN_CONV_DILATION], window = arguments[ERNN_CONV_WINDOW];
  size_t stride = (size_t)arguments[ERNN_CONV_STRIDE] * width;
  const float *padded = padded_input(run);
  uint32_t padding;
  padding_left(input_steps(run, 0), conv_span(run->op), arguments[ERNN_CONV_STRIDE],
               arguments[ERNN_CONV_PADDING], &padding);
  uint8_t *scratch =
      run->scratch + ernn_aligned(((size_t)input_steps(run, 0) + padding) * width * sizeof(float));
  float *gathered = (float *)(void *)scratch;
  scratch += ernn_aligned((size_t)BLOCK * kernel->rows * sizeof(float));
  float *out = output_f32(run, 0);
  if (dilation == 1) { /* a window is already one row of window * width numbers */
    multiply_rows(run, padded, stride, rows, out, (float *)(void *)scratch);
  } else {
    for (uint32_t row = 0; row < rows; row += BLOCK) {
      uint32_t taken = rows - row < BLOCK ? rows - row : BLOCK;
      for (uint32_t i = 0; i < taken; i++) {
        for (uint32_t tap = 0; tap < window; tap++) {
          ernn_copy(gathered + (size_t)i * kernel->rows + (size_t)tap * width,
                    padded + (row + i) * stride + (size_t)tap * dilation * width,
                    width * sizeof(float));
        }
      }
      multiply_rows(run, gathered, kernel->rows, taken, out + (size_t)row * output_width(run),
                    (float *)(void *)scratch);
    }
  }
  activate(run->kernels, arguments + ERNN_DENSE_ACTIVATION, out, rows, output_width(run));
}

static void run_depthwise(const context *run) {
  const uint32_t *arguments = run->op->arguments;
  uint32_t width = input_width(run, 0), rows = output_steps(run);
  const float *padded = padded_input(run);
  const float *kernel = vector_of(run, ERNN_DENSE_KERNEL); /* [window, width] */
  const float *bias = vector_of(run, ERNN_DENSE_BIAS);
  float *out = output_f32(run, 0);
  for (uint32_t row = 0; row < rows; row++) {
    float *sums = out + (size_t)row * width;
    for (uint32_t i = 0; i < width; i++) sums[i] = bias ? bias[i] : 0.0f;
    for (uint32_t tap = 0; tap < arguments[ERNN_CONV_WINDOW]; tap++) {
      size_t step = (size_t)row * arguments[ERNN_CONV_STRIDE] +
                    (size_t)tap * arguments[ERNN_CONV_DILATION];
      const float *x = padded + step * width, *w = kernel + (size_t)tap * width;
      for (uint32_t i = 0; i < width; i++) sums[i] += x[i] * w[i];
    }
  }
  activate(run->kernels, arguments + ERNN_DENSE_ACTIVATION, out, rows, width);
}

/* ---- Pooling and normalization ---- */

static void run_pool(const context *run) {
  const uint32_t *arguments = run->op->arguments;
  uint32_t width = input_width(run, 0), steps = input_steps(run, 0), total;
  uint32_t window = arguments[ERNN_POOL_WINDOW], stride = arguments[ERNN_POOL_STRIDE];
  int64_t left = padding_left(steps, window, stride, arguments[ERNN_POOL_PADDING], &total);
  int is_max = arguments[ERNN_POOL_KIND] == ERNN_POOL_MAX;
  const float *x = input_f32(run, 0);
  for (uint32_t row = 0; row < output_steps(run); row++) {
    int64_t first = (int64_t)row * stride - left, last = first + window;
    if (first < 0) first = 0;
    if (last > (int64_t)steps) last = steps;
    float *out = output_f32(run, 0) + (size_t)row * width;
    for (uint32_t i = 0; i < width; i++) {
      float pooled = x[(size_t)first * width + i];
      for (int64_t step = first + 1; step < last; step++) {
        float value = x[(size_t)step * width + i];
        pooled = is_max ? larger(value, pooled) : pooled + value;
      }
      out[i] = is_max ? pooled : pooled / (float)(last - first);
    }
  }
}

static void run_global_pool(const context *run) {
  uint32_t width = input_width(run, 0);
  int is_max = run->op->arguments[ERNN_POOL_KIND] == ERNN_POOL_MAX;
  const uint8_t *mask = is_max ? NULL : input_mask(run, 1);
  const float *x = input_f32(run, 0);
  float *pooled = (float *)(void *)run->state, *out = output_f32(run, 0);
  uint32_t *count = (uint32_t *)(void *)(pooled + width); /* zero at first */
  uint32_t seen = *count;
  for (uint32_t step = 0; step < input_steps(run, 0); step++, x += width) {
    if (mask && !mask[step]) continue;
    for (uint32_t i = 0; i < width; i++) {
      pooled[i] = seen == 0 ? x[i] : is_max ? larger(x[i], pooled[i]) : pooled[i] + x[i];
    }
    seen++;
  }
  *count = seen;
  for (uint32_t i = 0; i < width; i++) out[i] = is_max ? pooled[i] : pooled[i] / (float)seen;
}

static void run_affine(const context *run) {
  const float *scale = vector_of(run, ERNN_AFFINE_SCALE);
  const float *offset = vector_of(run, ERNN_AFFINE_OFFSET);
  const float *x = input_f32(run, 0);
  float *out = output_f32(run, 0);
  uint32_t width = output_width(run);
  for (uint32_t step = 0; step < input_steps(run, 0); step++, x += width, out += width) {
    for (uint32_t i = 0; i < width; i++) out[i] = x[i] * scale[i] + offset[i];
  }
}

static void run_layer_norm(const context *run) {
  const float *gamma = vector_of(run, ERNN_NORM_GAMMA), *beta = vector_of(run, ERNN_NORM_BETA);
  const float *x = input_f32(run, 0);
  float *out = output_f32(run, 0), epsilon = float_argument(run, ERNN_NORM_EPSILON);
  int rms = run->op->arguments[ERNN_NORM_RMS] != 0;
  uint32_t width = output_width(run);
  for (uint32_t step = 0; step < input_steps(run, 0); step++, x += width, out += width) {
    float mean = 0.0f, variance = 0.0f;
    for (uint32_t i = 0; i < width && !rms; i++) mean += x[i];
    mean /= (float)width;
    for (uint32_t i = 0; i < width; i++) variance += (x[i] - mean) * (x[i] - mean);
    float scale = 1.0f / ernn_sqrt(variance / (float)width + epsilon);
    for (uint32_t i = 0; i < width; i++) {
      out[i] = (x[i] - mean) * scale * (gamma ? gamma[i] : 1.0f) + (beta ? beta[i] : 0.0f);
    }
  }
}

static void run_prelu(const context *run) {
  const float *alpha = vector_of(run, ERNN_PRELU_ALPHA), *x = input_f32(run, 0);
  float *out = output_f32(run, 0);
  uint32_t width = output_width(run);
  for (uint32_t step = 0; step < input_steps(run, 0); step++, x += width, out += width) {
    for (uint32_t i = 0; i < width; i++) out[i] = x[i] >= 0.0f ? x[i] : alpha[i] * x[i];
  }
}

static void run_activate(const context *run) {
  uint32_t steps = input_steps(run, 0), width = output_width(run);
  ernn_copy(output_f32(run, 0), input_f32(run, 0), (size_t)steps * width * sizeof(float));
  activate(run->kernels, run->op->arguments + ERNN_ACTIVATE_ACTIVATION, output_f32(run, 0), steps,
           width);
}

/* ---- Layers that move rows, of any element type ---- */

static void run_movement(const context *run) {
  const uint32_t *arguments = run->op->arguments;
  const ernn_edge *edge = edge_of(run, run->op->inputs[0]);
  const uint8_t *in = run->views[run->op->inputs[0]].data;
  uint8_t *out = run->views[run->op->outputs[0]].data;
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
      for (uint32_t i = 0; i < rows; i++) {
        ernn_copy(out + i * row, in + i / arguments[ERNN_REPEAT_TIMES] * row, row);
      }
      break;
    case ERNN_OP_PAD:
      ernn_clear(out, arguments[ERNN_PAD_LEFT] * row);
      ernn_copy(out + arguments[ERNN_PAD_LEFT] * row, in, steps * row);
      ernn_clear(out + (arguments[ERNN_PAD_LEFT] + steps) * row, arguments[ERNN_PAD_RIGHT] * row);
      break;
    case ERNN_OP_SLICE_STEPS:
      slice_steps(run->op, steps, &first);
      for (uint32_t i = 0; i < rows; i++) {
        ernn_copy(out + i * row, in + (first + (size_t)i * arguments[ERNN_SLICE_STEP]) * row, row);
      }
      break;
    default: break;
  }
}

static void run_transpose(const context *run) {
  uint32_t steps = input_steps(run, 0), width = input_width(run, 0);
  const float *x = input_f32(run, 0);
  float *out = output_f32(run, 0);
  for (uint32_t step = 0; step < steps; step++) {
    for (uint32_t i = 0; i < width; i++) out[(size_t)i * steps + step] = *x++;
  }
}

static void run_slice_width(const context *run) {
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

static void run_concatenate(const context *run) {
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

static void run_merge(const context *run) {
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

static void run_not_equal(const context *run) {
  const int32_t *tokens = (const int32_t *)(const void *)run->views[run->op->inputs[0]].data;
  uint8_t *out = run->views[run->op->outputs[0]].data;
  int32_t value = (int32_t)run->op->arguments[ERNN_NOT_EQUAL_VALUE];
  for (uint32_t step = 0; step < input_steps(run, 0); step++) out[step] = tokens[step] != value;
}

static void run_any_not_equal(const context *run) {
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

static void run_apply_mask(const context *run) {
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

/* ---- Recurrent layers ---- */

/* One step with any activations.  x and r are [tile][gate][16] and overwritten. */
static void step_with_activations(const context *run, float *x, float *r, float *h, float *c,
                                  uint32_t padded, float *scratch) {
  const uint32_t *arguments = run->op->arguments;
  const uint32_t *on_gates = arguments + ERNN_RNN_GATE_ACTIVATION;
  const uint32_t *on_candidate = arguments + ERNN_RNN_ACTIVATION;
  const ernn_kernels *kernels = run->kernels;
  int resets_before = arguments[ERNN_RNN_CANDIDATE] != ERNN_NONE;
  uint32_t tiles = padded / ERNN_TILE;
  if (run->op->kind == ERNN_OP_RNN) {
    for (uint32_t i = 0; i < padded; i++) h[i] = x[i] + r[i];
    activate(kernels, on_candidate, h, 1, padded);
  } else if (run->op->kind == ERNN_OP_LSTM) {
    for (uint32_t tile = 0; tile < tiles; tile++) {
      float *gates = x + tile * 4 * ERNN_TILE, *i = gates, *f = gates + 16, *n = gates + 32,
            *o = gates + 48;
      for (uint32_t k = 0; k < 4 * ERNN_TILE; k++) gates[k] += r[tile * 4 * ERNN_TILE + k];
      activate(kernels, on_gates, i, 1, 2 * ERNN_TILE);
      activate(kernels, on_candidate, n, 1, ERNN_TILE);
      activate(kernels, on_gates, o, 1, ERNN_TILE);
      float *cell = c + tile * ERNN_TILE, *hidden = h + tile * ERNN_TILE;
      for (uint32_t k = 0; k < ERNN_TILE; k++) {
        cell[k] = f[k] * cell[k] + i[k] * n[k];
        hidden[k] = cell[k];
      }
      activate(kernels, on_candidate, hidden, 1, ERNN_TILE);
      for (uint32_t k = 0; k < ERNN_TILE; k++) hidden[k] *= o[k];
    }
  } else {
    uint32_t recurrent_gates = resets_before ? 2 : 3;
    float *reset = scratch, *candidate = scratch + padded;
    for (uint32_t tile = 0; tile < tiles; tile++) {
      float *gates = x + tile * 3 * ERNN_TILE;
      const float *recurrent = r + tile * recurrent_gates * ERNN_TILE;
      for (uint32_t k = 0; k < 2 * ERNN_TILE; k++) gates[k] += recurrent[k];
      activate(kernels, on_gates, gates, 1, 2 * ERNN_TILE);
      for (uint32_t k = 0; k < ERNN_TILE; k++) {
        reset[tile * ERNN_TILE + k] =
            gates[ERNN_TILE + k] *
            (resets_before ? h[tile * ERNN_TILE + k] : recurrent[2 * ERNN_TILE + k]);
      }
    }
    if (resets_before) {
      ernn_matrix matrix = ernn_matrix_of(run->model, arguments[ERNN_RNN_CANDIDATE]);
      kernels->f32_gemm(reset, padded, 1, &matrix, NULL, candidate, padded);
    } else {
      candidate = reset;
    }
    for (uint32_t tile = 0; tile < tiles; tile++) {
      float *z = x + tile * 3 * ERNN_TILE, *n = z + 2 * ERNN_TILE, *hidden = h + tile * ERNN_TILE;
      for (uint32_t k = 0; k < ERNN_TILE; k++) n[k] += candidate[tile * ERNN_TILE + k];
      activate(kernels, on_candidate, n, 1, ERNN_TILE);
      for (uint32_t k = 0; k < ERNN_TILE; k++) hidden[k] = z[k] * hidden[k] + (1.0f - z[k]) * n[k];
    }
  }
}

static void run_recurrent(const context *run) {
  const uint32_t *arguments = run->op->arguments;
  ernn_matrix kernel = ernn_matrix_of(run->model, arguments[ERNN_RNN_KERNEL]);
  ernn_matrix recurrent = ernn_matrix_of(run->model, arguments[ERNN_RNN_RECURRENT]);
  const float *bias = vector_of(run, ERNN_RNN_BIAS);
  const float *recurrent_bias = vector_of(run, ERNN_RNN_RECURRENT_BIAS);
  uint32_t units = recurrent.rows, padded = ernn_padded(units), columns = kernel.columns;
  uint32_t steps = input_steps(run, 0), width = kernel.rows, flags = arguments[ERNN_RNN_FLAGS];
  const float *x = input_f32(run, 0);
  const uint8_t *mask = input_mask(run, 1);
  rnn_state *state = (rnn_state *)(void *)run->state;
  float *h = (float *)(void *)(run->state + sizeof(rnn_state)), *c = h + padded;
  float *projected = (float *)(void *)run->scratch;
  float *product = projected + (size_t)chunk_of(steps) * columns, *rest = product + columns;
  size_t vector = units * sizeof(float);
  int is_lstm = run->op->kind == ERNN_OP_LSTM;
  int is_default = arguments[ERNN_RNN_ACTIVATION] == ERNN_ACTIVATION_TANH &&
                   arguments[ERNN_RNN_GATE_ACTIVATION] == ERNN_ACTIVATION_SIGMOID &&
                   arguments[ERNN_RNN_CANDIDATE] == ERNN_NONE && run->op->kind != ERNN_OP_RNN;
  if (input_f32(run, 2)) ernn_copy(h, input_f32(run, 2), vector);
  if (is_lstm && input_f32(run, 3)) ernn_copy(c, input_f32(run, 3), vector);
  float *out = output_f32(run, 0);
  for (uint32_t start = 0; start < steps; start += ERNN_CHUNK_STEPS) {
    uint32_t rows = chunk_of(steps - start);
    uint32_t first = flags & ERNN_RNN_BACKWARDS ? steps - start - rows : start;
    run->kernels->f32_gemm(x + (size_t)first * width, width, rows, &kernel, bias, projected,
                           columns);
    for (uint32_t i = 0; i < rows; i++) {
      uint32_t row = flags & ERNN_RNN_BACKWARDS ? rows - 1 - i : i;
      int valid = !mask || mask[first + row];
      if (valid) {
        float *part = projected + (size_t)row * columns;
        run->kernels->f32_gemm(h, padded, 1, &recurrent, recurrent_bias, product,
                               recurrent.columns);
        if (!is_default) {
          step_with_activations(run, part, product, h, c, padded, rest);
        } else if (is_lstm) {
          run->kernels->f32_lstm(part, product, h, c, padded / ERNN_TILE);
        } else {
          run->kernels->f32_gru(part, product, h, padded / ERNN_TILE);
        }
        state->seen = 1;
      }
      state->skipped = !valid;
      if (out && flags & ERNN_RNN_SEQUENCES) {
        if (valid || (state->seen && !(flags & ERNN_RNN_ZERO_MASKED))) {
          ernn_copy(out, h, vector);
        } else {
          ernn_clear(out, vector);
        }
        out += units;
      }
    }
  }
  if (out && !(flags & ERNN_RNN_SEQUENCES)) {
    if (state->seen && !(state->skipped && flags & ERNN_RNN_ZERO_MASKED)) {
      ernn_copy(out, h, vector);
    } else {
      ernn_clear(out, vector);
    }
  }
  if (output_f32(run, 1)) ernn_copy(output_f32(run, 1), h, vector);
  if (output_f32(run, 2)) ernn_copy(output_f32(run, 2), c, vector);
}

ernn_status ernn_op_run(const ernn_model *model, const ernn_op *op, const ernn_kernels *kernels,
                        const ernn_view *views, uint8_t *state, uint8_t *scratch) {
  context context_of_run = {model, op, kernels, views, state, scratch};
  const context *run = &context_of_run;
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_EMBEDDING: return run_embedding(run);
    case ERNN_OP_DENSE: run_dense(run); break;
    case ERNN_OP_CONV: run_conv(run); break;
    case ERNN_OP_DEPTHWISE: run_depthwise(run); break;
    case ERNN_OP_POOL: run_pool(run); break;
    case ERNN_OP_GLOBAL_POOL: run_global_pool(run); break;
    case ERNN_OP_AFFINE: run_affine(run); break;
    case ERNN_OP_LAYER_NORM: run_layer_norm(run); break;
    case ERNN_OP_ACTIVATE: run_activate(run); break;
    case ERNN_OP_PRELU: run_prelu(run); break;
    case ERNN_OP_TRANSPOSE: run_transpose(run); break;
    case ERNN_OP_RESHAPE:
    case ERNN_OP_REVERSE:
    case ERNN_OP_REPEAT:
    case ERNN_OP_UPSAMPLE:
    case ERNN_OP_PAD:
    case ERNN_OP_SLICE_STEPS: run_movement(run); break;
    case ERNN_OP_SLICE_WIDTH: run_slice_width(run); break;
    case ERNN_OP_CONCAT_STEPS:
    case ERNN_OP_CONCAT_WIDTH: run_concatenate(run); break;
    case ERNN_OP_MERGE: run_merge(run); break;
    case ERNN_OP_NOT_EQUAL: run_not_equal(run); break;
    case ERNN_OP_ANY_NOT_EQUAL: run_any_not_equal(run); break;
    case ERNN_OP_APPLY_MASK: run_apply_mask(run); break;
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN: run_recurrent(run); break;
    case ERNN_OP_COUNT: break;
  }
  return ERNN_OK;
}
