/* ernn_layers.h: what a layer's code sees of its inputs, outputs, weights and memory. */
#ifndef ERNN_LAYERS_H
#define ERNN_LAYERS_H

#include "ernn_steps.h"

/* What a layer runs with.  Edges by position among its inputs and outputs. */
typedef struct ernn_context {
  const ernn_model *model;
  const ernn_op *op;
  const ernn_kernels *kernels;
  const ernn_view *views;
  uint8_t *state;
  uint8_t *scratch;
} ernn_context;

static inline const ernn_edge *edge_of(const ernn_context *run, uint32_t index) {
  return ernn_edges(run->model) + index;
}

static inline const float *input_f32(const ernn_context *run, uint32_t position) {
  uint32_t edge = run->op->inputs[position];
  return edge == ERNN_NONE ? NULL : (const float *)(const void *)run->views[edge].data;
}

static inline const uint8_t *input_mask(const ernn_context *run, uint32_t position) {
  uint32_t edge = run->op->inputs[position];
  return edge == ERNN_NONE ? NULL : run->views[edge].data;
}

static inline float *output_f32(const ernn_context *run, uint32_t position) {
  uint32_t edge = run->op->outputs[position];
  return edge == ERNN_NONE ? NULL : (float *)(void *)run->views[edge].data;
}

static inline uint32_t input_steps(const ernn_context *run, uint32_t position) {
  return run->views[run->op->inputs[position]].steps;
}

static inline uint32_t output_steps(const ernn_context *run) { return run->views[run->op->outputs[0]].steps; }

static inline uint32_t input_width(const ernn_context *run, uint32_t position) {
  return edge_of(run, run->op->inputs[position])->width;
}

static inline uint32_t output_width(const ernn_context *run) {
  return edge_of(run, run->op->outputs[0])->width;
}

static inline const float *vector_of(const ernn_context *run, uint32_t argument) {
  return (const float *)ernn_constant_data(run->model, run->op->arguments[argument]);
}

static inline float float_argument(const ernn_context *run, uint32_t argument) {
  return ernn_float_of(run->op->arguments[argument]);
}

static inline float larger(float a, float b) { return a > b ? a : b; }
static inline float smaller(float a, float b) { return a < b ? a : b; }

/* Steps that a window reaches over. */
static inline uint32_t window_span(uint32_t window, uint32_t dilation) {
  return (window - 1) * dilation + 1;
}

/* Where a convolution's geometry begins among its arguments: window, stride, dilation, padding. */
static inline const uint32_t *window_of(const ernn_op *op) {
  return op->arguments + (op->kind == ERNN_OP_QCONV ? ERNN_QCONV_WINDOW : ERNN_CONV_WINDOW);
}

enum { WINDOW = 0, STRIDE = 1, DILATION = 2, PADDING = 3 };

static inline uint32_t conv_span(const ernn_op *op) {
  return window_span(window_of(op)[WINDOW], window_of(op)[DILATION]);
}

/* Output rows that a dense layer or convolution computes at a time when it needs a copy. */
enum { ERNN_BLOCK = 16 };

/* What a recurrent layer keeps, followed by h and c (float32, or int16 in integer layers). */
typedef struct ernn_rnn_state {
  uint32_t seen;    /* a valid step has been */
  uint32_t skipped; /* the last step was masked */
  uint32_t unused[14];
} ernn_rnn_state;

/* The axis that a layer works on: [outer][size][rows] steps.  Without arguments, all of time. */
typedef struct ernn_axis {
  uint32_t outer, size, rows;
} ernn_axis;

static inline ernn_axis axis_of(const ernn_op *op, uint32_t steps) {
  ernn_axis axis = {1, steps, 1};
#ifndef ERNN_WITHOUT_IMAGES
  if (op->arguments[ERNN_AXIS_ROWS] == 0 || steps == 0) return axis;
  axis.rows = op->arguments[ERNN_AXIS_ROWS];
  axis.size = steps / axis.rows;
  if (op->arguments[ERNN_AXIS_SIZE] == 0) return axis;
  axis.outer = axis.size / op->arguments[ERNN_AXIS_SIZE];
  axis.size = op->arguments[ERNN_AXIS_SIZE];
#else
  (void)op;
#endif
  return axis;
}

static inline uint32_t chunk_of(uint32_t steps) {
  return steps < ERNN_CHUNK_STEPS ? steps : ERNN_CHUNK_STEPS;
}

static inline int is_integer_op(const ernn_op *op) {
  if (!ERNN_HAS_FLOAT_KERNELS) return 1;
  return op->kind == ERNN_OP_QDENSE || op->kind == ERNN_OP_QCONV ||
         (op->kind >= ERNN_OP_QGRU && op->kind <= ERNN_OP_QRNN) || op->kind == ERNN_OP_QCONV2D ||
         op->kind == ERNN_OP_QDEPTHWISE2D;
}

static inline int is_recurrent_op(const ernn_op *op) {
  switch ((ernn_op_kind)op->kind) {
    case ERNN_OP_GRU:
    case ERNN_OP_LSTM:
    case ERNN_OP_RNN:
    case ERNN_OP_QGRU:
    case ERNN_OP_QLSTM:
    case ERNN_OP_QRNN: return 1;
    default: return 0;
  }
}

static inline uint32_t rnn_flags(const ernn_op *op) {
  return op->arguments[is_integer_op(op) ? ERNN_QRNN_FLAGS : ERNN_RNN_FLAGS];
}

/* Numbers of a row that integer products read: a multiple of 4. */
static inline uint32_t quad_padded(uint32_t count) { return (count + 3) & ~3u; }

/* ---- Memory that layers need while they run: offsets of its parts, and all of it ---- */

typedef struct ernn_linear_parts {
  size_t integers; /* the padded input as integers; the input itself is at 0 */
  size_t gathered; /* windows of a dilated convolution, ERNN_BLOCK at a time */
  size_t sums;     /* ERNN_BLOCK rows, padded columns included */
  size_t bytes;
} ernn_linear_parts;

/* Of Dense and convolutions over `rows` input rows, padding included. */
ernn_linear_parts ernn_linear_scratch(const ernn_op *op, const ernn_constant *kernel, uint32_t rows,
                                      uint32_t width);

typedef struct ernn_rnn_parts {
  size_t integers;  /* the inputs of a chunk as integers */
  size_t projected; /* their products [chunk][columns] */
  size_t product;   /* the recurrent products [lanes][columns] */
  size_t reset;     /* states as the product takes them, or r * h (GRU without reset_after) */
  size_t candidate; /* the product of r * h */
  size_t fed;       /* what the recurrent product takes, as bytes [lanes][units] */
  size_t quantized; /* of float layers: rows as integers, see ernn_multiply */
  size_t lanes;     /* ernn_lane of each */
  size_t bytes;
} ernn_rnn_parts;

/* `lanes`: sequences side by side. */
ernn_rnn_parts ernn_rnn_scratch(const ernn_op *op, uint32_t steps, uint32_t width, uint32_t units,
                                uint32_t columns, uint32_t lanes);

/* ---- Layers ---- */

/* One layer over `lanes` sequences; `runs` has a context for each, all of the same layer. */
ernn_status ernn_op_run(const ernn_context *runs, uint32_t lanes);

/* In place; `arguments`: kind, alpha, beta, max_value. */
void ernn_activate(const ernn_kernels *kernels, const uint32_t *arguments, float *x, uint32_t rows,
                   uint32_t width);

/* Reads a float row of `width` numbers as integers, of 8 bits (bytes q + 128) or 16, and pads it
 * with zeros to `padded`: docs/integer-arithmetic.md, section 3.  `reading`: four arguments. */
void ernn_read_row(const ernn_kernels *kernels, const uint32_t *reading, const float *x, uint32_t width,
                   uint32_t padded, void *out);

/* At most ERNN_BLOCK rows, `stride` numbers apart, times the layer's kernel: into rows of the output.
 * `sums`: room for padded columns. */
void ernn_multiply_kernel(const ernn_context *run, const void *x, size_t stride, uint32_t rows,
                          float *out, uint8_t *sums);

/* The activation of `rows` rows of the output, where the product did not apply it. */
void ernn_finish_linear(const ernn_context *run, uint32_t rows);

/* The same of 16 bits in two planes of bytes: `padded` high ones at `out`, then the low ones. */
void ernn_read_planes(const ernn_kernels *kernels, const uint32_t *reading, const float *x,
                      uint32_t width, uint32_t padded, uint8_t *out);

static inline void ernn_pad_planes(uint8_t *out, uint32_t width, uint32_t padded) {
  for (uint32_t i = width; i < padded; i++) {
    out[i] = 128; /* zero, in two planes */
    out[padded + i] = 0;
  }
}

/* Rows of floats: of inputs, or of states, which are seldom beyond 1. */
typedef struct ernn_rows_in {
  const float *x;
  size_t stride;
  uint32_t rows;
  uint32_t are_states;
  uint32_t turn; /* of states: the number of the step, see ERNN_PARTS */
} ernn_rows_in;

/* Rows times a matrix of floats, or times an ACCUMULATION in integers: docs/integer-arithmetic.md,
 * section 11.  `room`: ernn_quantized_bytes for the rows; bias may be null. */
void ernn_multiply(const ernn_context *run, uint32_t constant, const ernn_rows_in *from,
                   const float *bias, float *out, size_t out_stride, uint8_t *room);
size_t ernn_quantized_bytes(uint32_t rows, uint32_t width);

/* The same by an ACCUMULATION before it is scaled: row i lacks a factor, number i of the floats that
 * `room` begins with then. */
void ernn_sum(const ernn_context *run, uint32_t constant, const ernn_rows_in *from, float *out,
              size_t out_stride, uint8_t *room);

/* The same of states that are bytes already, in rows of ernn_padded(width): whether the kernels take
 * them; how a state becomes them, with its factor as the result; the sums. */
int ernn_takes_fed(const ernn_context *run, uint32_t constant);
float ernn_feed(const ernn_context *run, const float *h, uint32_t width, uint8_t *fed);
void ernn_sum_fed(const ernn_context *run, uint32_t constant, const uint8_t *fed, uint32_t rows,
                  uint32_t turn, float *out, size_t out_stride);

ernn_status ernn_run_embedding(const ernn_context *run);
void ernn_run_dense(const ernn_context *run);
void ernn_run_conv(const ernn_context *run);
void ernn_run_depthwise(const ernn_context *run);
void ernn_run_elements(const ernn_context *run);
void ernn_run_pool(const ernn_context *run);
void ernn_run_shaping(const ernn_context *run);
void ernn_run_choice(const ernn_context *run);

/* The same layer over `lanes` sequences, which may differ in length; `runs` has one for each. */
void ernn_run_recurrent(const ernn_context *runs, uint32_t lanes);

#endif
