/* ernn_linear.c: Embedding, Dense and convolutions, in float32 and in integers. */

#include "ernn_fixed_point.h"
#include "ernn_layers.h"
#include "ernn_math.h"
#include "ernn_products.h"
#include "kernels_rows.h"

ernn_status ernn_run_embedding(const ernn_context *run) {
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

/* ---- Reading floats as integers ---- */

/* A state's 16 bits; what is not a state's float would not fit and is cut. */
static int32_t read_state(float x) { return ernn_rounded(x, 32768.0f, 32767.0f); }

void ernn_read_row(const ernn_kernels *kernels, const uint32_t *reading, const float *x, uint32_t width,
                   uint32_t padded, void *out) {
  float reciprocal = ernn_float_of(reading[ERNN_READING_RECIPROCAL]);
  float limit = (float)(int32_t)reading[ERNN_READING_LIMIT];
  int from_state = reading[ERNN_READING_FROM_STATE] != 0;
  if (reading[ERNN_READING_BITS] == 8) {
    uint8_t *bytes = (uint8_t *)out;
    if (!from_state) kernels->rows->bytes(x, width, reciprocal, limit, bytes);
    for (uint32_t i = 0; i < width && from_state; i++) bytes[i] = ernn_fed(read_state(x[i]));
    for (uint32_t i = width; i < padded; i++) bytes[i] = 128;
  } else {
    int16_t *words = (int16_t *)out;
    if (from_state) {
      reciprocal = 32768.0f;
      limit = 32767.0f;
    }
    kernels->rows->words(x, width, reciprocal, limit, words);
    for (uint32_t i = width; i < padded; i++) words[i] = 0;
  }
}

void ernn_read_planes(const ernn_kernels *kernels, const uint32_t *reading, const float *x,
                      uint32_t width, uint32_t padded, uint8_t *out) {
  float reciprocal = ernn_float_of(reading[ERNN_READING_RECIPROCAL]);
  float limit = (float)(int32_t)reading[ERNN_READING_LIMIT];
  if (reading[ERNN_READING_FROM_STATE] != 0) {
    reciprocal = 32768.0f;
    limit = 32767.0f;
  }
  kernels->rows->planes(x, width, reciprocal, limit, out, out + padded);
  ernn_pad_planes(out, width, padded);
}

static uint32_t reading_bytes(const ernn_op *op) {
  return op->arguments[ERNN_LINEAR_READING + ERNN_READING_BITS] / 8;
}

/* ---- Products of rows ---- */

ernn_linear_parts ernn_linear_scratch(const ernn_op *op, const ernn_constant *kernel, uint32_t rows,
                                      uint32_t width) {
  ernn_linear_parts parts = {0, 0, 0, 0};
  int is_dense = op->kind == ERNN_OP_DENSE || op->kind == ERNN_OP_QDENSE;
  size_t columns = kernel->columns, element = is_integer_op(op) ? 2 : sizeof(float);
  if (!is_dense) parts.integers = ernn_aligned((size_t)rows * width * sizeof(float));
  parts.gathered = parts.integers;
  if (kernel->type == ERNN_ACCUMULATION && !is_integer_op(op)) {
    parts.gathered += ernn_quantized_bytes(ERNN_BLOCK, width);
  }
  if (is_integer_op(op)) {
    /* A dense layer pads each row, in blocks; a convolution's rows overlap and end in slack. */
    size_t numbers = is_dense ? (size_t)ERNN_BLOCK * quad_padded(width) : (size_t)rows * width + 4;
    parts.gathered += ernn_aligned(numbers * element);
  }
  parts.sums = parts.gathered;
  if (!is_dense && op->kind != ERNN_OP_DEPTHWISE) {
    parts.sums += ernn_aligned((size_t)ERNN_BLOCK * quad_padded(kernel->rows) * element);
  }
  parts.bytes = parts.sums;
  if (op->kind != ERNN_OP_DEPTHWISE) parts.bytes += ERNN_BLOCK * columns * sizeof(float);
  return parts;
}

/* tanh or sigmoid of Q4.11 as float32. */
static void open_fixed(const ernn_op *op, const int16_t *p, float *out, uint32_t width) {
  int is_tanh = op->arguments[ERNN_DENSE_ACTIVATION] == ERNN_ACTIVATION_TANH;
  for (uint32_t i = 0; i < width; i++) {
    int32_t opened = is_tanh ? ernn_fixed_tanh(p[i]) : ernn_fixed_sigmoid(p[i]);
    out[i] = (float)opened * (1.0f / 32768.0f);
  }
}

/* A constant in a library that has only one of the two kinds. */
static int is_of_integers(const ernn_op *op) {
  return !ERNN_HAS_FLOAT_LINEAR || (ERNN_HAS_INTEGER_LINEAR && is_integer_op(op));
}

/* Whether 16-bit numbers are read as two planes of bytes, which some processors multiply faster. */
static int linear_in_planes(const ernn_context *run) {
  return is_of_integers(run->op) && reading_bytes(run->op) == 2 && run->kernels->planes_product;
}

/* At most ERNN_BLOCK rows of integers: with `sums` as room for padded columns.  plane: bytes from the
 * high bytes of x to the low ones, 0 where the numbers are whole.  stride is in numbers. */
static void multiply_integers(const ernn_context *run, const uint8_t *x, size_t stride,
                              size_t plane, uint32_t rows, float *out, uint8_t *sums) {
  uint32_t constant = run->op->arguments[ERNN_DENSE_KERNEL], width = output_width(run);
  ernn_product product = ernn_product_of(run->model, constant);
  ernn_integers from = {x, stride, plane, rows, ERNN_NIBBLES_OF_BYTES};
  if (plane) {
    from.form = ERNN_NIBBLES_OF_PLANES;
  } else if (reading_bytes(run->op) == 2) {
    from.form = ERNN_NIBBLES_OF_WORDS;
    from.stride = 2 * stride;
  }
  if (ernn_constants(run->model)[constant].type == ERNN_PRODUCT) {
    int16_t *opened = (int16_t *)(void *)sums;
    ernn_multiply_integers(run->kernels, &from, &product, 1, 0, opened, product.columns, 0);
    for (uint32_t i = 0; i < rows; i++) {
      open_fixed(run->op, opened + (size_t)i * product.columns, out + (size_t)i * width, width);
    }
    return;
  }
  float *to = product.columns == width ? out : (float *)(void *)sums;
  ernn_multiply_integers(run->kernels, &from, &product, 1, 0, to, product.columns, 1);
  for (uint32_t i = 0; i < rows && to != out; i++) {
    ernn_copy(out + (size_t)i * width, to + (size_t)i * product.columns, width * sizeof(float));
  }
}

/* The same in float32. */
static void multiply_floats(const ernn_context *run, const float *x, size_t stride, uint32_t rows,
                            float *out, uint8_t *sums) {
  uint32_t constant = run->op->arguments[ERNN_DENSE_KERNEL], width = output_width(run);
  uint32_t columns = ernn_constants(run->model)[constant].columns;
  const float *bias = vector_of(run, ERNN_DENSE_BIAS);
  float *to = columns == width ? out : (float *)(void *)sums;
  ernn_rows_in from = {x, stride, rows, 0, 0};
  ernn_multiply(run, constant, &from, bias, to, columns, run->scratch);
  for (uint32_t i = 0; i < rows && to != out; i++) {
    ernn_copy(out + (size_t)i * width, to + (size_t)i * columns, width * sizeof(float));
  }
}

void ernn_multiply_kernel(const ernn_context *run, const void *x, size_t stride, uint32_t rows,
                          float *out, uint8_t *sums) {
  if (is_of_integers(run->op)) {
    multiply_integers(run, (const uint8_t *)x, stride, 0, rows, out, sums);
  } else {
    multiply_floats(run, (const float *)x, stride, rows, out, sums);
  }
}

void ernn_finish_linear(const ernn_context *run, uint32_t rows) {
  uint32_t constant = run->op->arguments[ERNN_DENSE_KERNEL];
  int is_open = is_integer_op(run->op) && ernn_constants(run->model)[constant].type == ERNN_PRODUCT;
  if (is_open) return; /* the integers went through the activation already */
  ernn_activate(run->kernels, run->op->arguments + ERNN_DENSE_ACTIVATION, output_f32(run, 0), rows,
                output_width(run));
}

static ernn_linear_parts parts_of(const ernn_context *run, uint32_t rows) {
  const ernn_constant *kernel =
      ernn_constants(run->model) + run->op->arguments[ERNN_DENSE_KERNEL];
  return ernn_linear_scratch(run->op, kernel, rows, input_width(run, 0));
}

void ernn_run_dense(const ernn_context *run) {
  const uint32_t *reading = run->op->arguments + ERNN_LINEAR_READING;
  uint32_t rows = input_steps(run, 0), width = input_width(run, 0), padded = quad_padded(width);
  ernn_linear_parts parts = parts_of(run, rows);
  uint8_t *integers = run->scratch + parts.integers, *sums = run->scratch + parts.sums;
  int in_planes = linear_in_planes(run);
  for (uint32_t row = 0; row < rows; row += ERNN_BLOCK) {
    uint32_t taken = rows - row < ERNN_BLOCK ? rows - row : ERNN_BLOCK;
    const float *x = input_f32(run, 0) + (size_t)row * width;
    float *out = output_f32(run, 0) + (size_t)row * output_width(run);
    if (is_of_integers(run->op)) {
      size_t row_bytes = (size_t)padded * reading_bytes(run->op);
      for (uint32_t i = 0; i < taken; i++) {
        const float *from = x + (size_t)i * width;
        uint8_t *to = integers + i * row_bytes;
        if (in_planes) {
          ernn_read_planes(run->kernels, reading, from, width, padded, to);
        } else {
          ernn_read_row(run->kernels, reading, from, width, padded, to);
        }
      }
      multiply_integers(run, integers, in_planes ? row_bytes : padded, in_planes ? padded : 0,
                        taken, out, sums);
    } else {
      multiply_floats(run, x, width, taken, out, sums);
    }
  }
  ernn_finish_linear(run, rows);
}

/* ---- Convolutions ---- */

/* The input between its padding, in scratch; a causal convolution's padding is its past. */
static const float *padded_input(const ernn_context *run, uint32_t *total) {
  const uint32_t *window = window_of(run->op);
  uint32_t steps = input_steps(run, 0);
  uint32_t left =
      ernn_padding_left(steps, conv_span(run->op), window[STRIDE], window[PADDING], total);
  size_t row = input_width(run, 0) * sizeof(float);
  uint8_t *padded = run->scratch;
  if (*total == 0) return input_f32(run, 0);
  if (ernn_op_is_causal(run->model, run->op)) {
    ernn_copy(padded, run->state, left * row);
    ernn_copy(padded + left * row, input_f32(run, 0), steps * row);
    ernn_copy(run->state, padded + steps * row, left * row);
  } else {
    ernn_clear(padded, left * row);
    ernn_copy(padded + left * row, input_f32(run, 0), steps * row);
    ernn_clear(padded + (left + steps) * row, (*total - left) * row);
  }
  return (const float *)(const void *)padded;
}

void ernn_run_conv(const ernn_context *run) {
  const uint32_t *window = window_of(run->op);
  uint32_t width = input_width(run, 0), rows = output_steps(run), padding;
  int is_integer = is_of_integers(run->op);
  const uint8_t *x = (const uint8_t *)padded_input(run, &padding);
  uint32_t in_rows = input_steps(run, 0) + padding;
  ernn_linear_parts parts = parts_of(run, in_rows);
  int in_planes = linear_in_planes(run);
  size_t element = is_integer ? reading_bytes(run->op) : sizeof(float), plane = 0;
  uint32_t kernel_rows = window[WINDOW] * width;
  if (is_integer) {
    const uint32_t *reading = run->op->arguments + ERNN_LINEAR_READING;
    const float *floats = (const float *)(const void *)x;
    uint32_t numbers = in_rows * width;
    uint8_t *integers = run->scratch + parts.integers;
    if (in_planes) {
      element = 1;
      plane = (size_t)numbers + 4;
      ernn_read_planes(run->kernels, reading, floats, numbers, numbers + 4, integers);
    } else {
      ernn_read_row(run->kernels, reading, floats, numbers, numbers + 4, integers);
    }
    x = integers;
  }
  /* Without dilation a window is already one row of window * width numbers. */
  int is_dilated = window[DILATION] > 1;
  size_t row_stride = (size_t)window[STRIDE] * width, stride = row_stride;
  if (is_dilated) stride = quad_padded(kernel_rows);
  uint8_t *gathered = run->scratch + parts.gathered, *sums = run->scratch + parts.sums;
  for (uint32_t row = 0; row < rows; row += ERNN_BLOCK) {
    uint32_t taken = rows - row < ERNN_BLOCK ? rows - row : ERNN_BLOCK;
    const uint8_t *from = x + row * row_stride * element;
    float *out = output_f32(run, 0) + (size_t)row * output_width(run);
    for (uint32_t i = 0; i < taken && is_dilated; i++) {
      for (uint32_t tap = 0; tap < window[WINDOW]; tap++) {
        size_t step = i * row_stride + (size_t)tap * window[DILATION] * width;
        uint8_t *to = gathered + (i * stride + (size_t)tap * width) * element;
        ernn_copy(to, from + step * element, width * element);
        if (in_planes) ernn_copy(to + ERNN_BLOCK * stride, from + plane + step, width);
      }
    }
    if (is_dilated) from = gathered;
    if (is_integer) {
      size_t apart = is_dilated && in_planes ? ERNN_BLOCK * stride : plane;
      multiply_integers(run, from, stride, apart, taken, out, sums);
    } else {
      multiply_floats(run, (const float *)(const void *)from, stride, taken, out, sums);
    }
  }
  ernn_finish_linear(run, rows);
}

void ernn_run_depthwise(const ernn_context *run) {
  const uint32_t *window = window_of(run->op);
  uint32_t width = input_width(run, 0), rows = output_steps(run), padding;
  const float *padded = padded_input(run, &padding);
  const float *kernel = vector_of(run, ERNN_DENSE_KERNEL); /* [window, width] */
  const float *bias = vector_of(run, ERNN_DENSE_BIAS);
  for (uint32_t row = 0; row < rows; row++) {
    float *sums = output_f32(run, 0) + (size_t)row * width;
    for (uint32_t i = 0; i < width; i++) sums[i] = bias ? bias[i] : 0.0f;
    for (uint32_t tap = 0; tap < window[WINDOW]; tap++) {
      size_t step = (size_t)row * window[STRIDE] + (size_t)tap * window[DILATION];
      const float *x = padded + step * width, *w = kernel + (size_t)tap * width;
      for (uint32_t i = 0; i < width; i++) sums[i] += x[i] * w[i];
    }
  }
  ernn_finish_linear(run, rows);
}
