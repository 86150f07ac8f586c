/* ernn_images.c: convolutions over rows and columns, and axes that change places. */

#include "ernn_images.h"
#include "ernn_fixed_point.h"

#ifndef ERNN_WITHOUT_IMAGES

enum { IMAGE_COLUMNS = 8, IMAGE_ROWS = 9 }; /* behind the windows */

/* ---- Sizes ---- */

/* One axis: its size with padding, the zeros in front, and how many windows fit. */
static uint64_t windows_of(const uint32_t *window, uint32_t size, uint32_t *before,
                           uint64_t *padded) {
  uint32_t span = window_span(window[WINDOW], window[DILATION]), total;
  *before = ernn_padding_left(size, span, window[STRIDE], window[PADDING], &total);
  *padded = (uint64_t)size + total;
  return *padded < span ? 0 : (*padded - span) / window[STRIDE] + 1;
}

ernn_status ernn_image_of(const ernn_op *op, uint32_t channels, uint32_t steps, int at_capacity,
                          ernn_image *image) {
  const uint32_t *arguments = image_arguments(op);
  uint64_t columns = arguments[IMAGE_COLUMNS], rows = arguments[IMAGE_ROWS];
  uint64_t padded_rows, padded_columns;
  uint64_t size = columns * (rows ? rows : 1);
  if (steps % size != 0 && !at_capacity) return ERNN_SHAPE;
  uint64_t count = (steps + size - 1) / size; /* images of a known height, else rows */
  if (rows == 0) rows = count;
  uint64_t images = arguments[IMAGE_ROWS] ? count : 1;
  if (rows > ERNN_MAX_STEPS || images > ERNN_MAX_STEPS) return ERNN_TOO_LARGE;
  image->images = (uint32_t)images;
  image->rows = (uint32_t)rows;
  image->columns = (uint32_t)columns;
  uint64_t out_rows = windows_of(arguments, image->rows, &image->top, &padded_rows);
  uint64_t out_columns = windows_of(arguments + 4, image->columns, &image->left, &padded_columns);
  if (out_rows == 0 && at_capacity) out_rows = 1;
  if (out_rows == 0 || out_columns == 0) return ERNN_SHAPE;
  if (padded_rows * padded_columns > ERNN_MAX_ELEMENTS / channels ||
      out_rows * out_columns > ERNN_MAX_STEPS) {
    return ERNN_TOO_LARGE;
  }
  image->padded_rows = (uint32_t)padded_rows;
  image->padded_columns = (uint32_t)padded_columns;
  image->out_rows = (uint32_t)out_rows;
  image->out_columns = (uint32_t)out_columns;
  return ERNN_OK;
}

static int is_axis_window(const uint32_t *window) {
  uint64_t span = (uint64_t)(window[WINDOW] - 1) * window[DILATION] + 1;
  return window[WINDOW] > 0 && window[DILATION] > 0 && span <= ERNN_MAX_WIDTH &&
         window[STRIDE] > 0 && window[STRIDE] <= ERNN_MAX_STEPS &&
         window[PADDING] <= ERNN_PADDING_CAUSAL;
}

int ernn_is_image_window(const ernn_op *op, uint32_t channels) {
  const uint32_t *arguments = image_arguments(op);
  return is_axis_window(arguments) && is_axis_window(arguments + 4) &&
         arguments[IMAGE_COLUMNS] > 0 && arguments[IMAGE_COLUMNS] <= ERNN_MAX_STEPS && arguments[IMAGE_ROWS] <= ERNN_MAX_STEPS &&
         (uint64_t)arguments[WINDOW] * arguments[4 + WINDOW] <= ERNN_MAX_WIDTH / channels;
}

static size_t element_bytes(const ernn_op *op) {
  return is_integer_op(op) ? op->arguments[ERNN_LINEAR_READING + ERNN_READING_BITS] / 8
                           : sizeof(float);
}

/* A window of one row, its columns side by side, already lies in memory as the product reads it. */
static int is_gathered(const ernn_op *op) {
  const uint32_t *arguments = image_arguments(op);
  return arguments[WINDOW] > 1 || arguments[4 + DILATION] > 1;
}

ernn_image_parts ernn_image_scratch(const ernn_op *op, const ernn_constant *kernel,
                                    const ernn_image *image, uint32_t channels) {
  ernn_image_parts parts = {0, 0, 0, 0};
  size_t element = element_bytes(op), taps = image_taps(op);
  size_t numbers = (size_t)image->padded_rows * image->padded_columns * channels;
  parts.gathered = ernn_aligned((numbers + 4) * element); /* products read a multiple of 4 */
  parts.sums = parts.gathered;
  if (!is_depthwise_2d(op) && is_gathered(op)) {
    parts.sums += ernn_aligned(ERNN_BLOCK * (size_t)quad_padded((uint32_t)taps * channels) * element);
  }
  size_t columns = is_depthwise_2d(op) ? ernn_padded(channels) : kernel->columns;
  size_t rows = is_depthwise_2d(op) ? 1 : ERNN_BLOCK;
  parts.weights = parts.sums + ernn_aligned(rows * columns * sizeof(float));
  parts.bytes = parts.weights;
  if (op->kind == ERNN_OP_QDEPTHWISE2D) parts.bytes += taps * columns * sizeof(int16_t);
  return parts;
}

/* ---- Convolutions ---- */

/* One image between its padding, as the layer computes with it. */
static void read_image(const ernn_context *run, const ernn_image *image, const float *x) {
  uint32_t channels = input_width(run, 0), wide = image->padded_columns * channels;
  uint32_t row = image->columns * channels, left = image->left * channels;
  size_t element = element_bytes(run->op);
  /* Zero is 128 where bytes hold q + 128. */
  uint8_t zero = is_integer_op(run->op) && element == 1 ? 128 : 0;
  uint8_t *to = run->scratch;
  size_t bytes = ((size_t)image->padded_rows * wide + 4) * element;
  int is_padded = image->padded_rows > image->rows || image->padded_columns > image->columns;
  for (size_t i = is_padded ? 0 : bytes - 4 * element; i < bytes; i++) to[i] = zero;
  to += ((size_t)image->top * wide + left) * element;
  for (uint32_t i = 0; i < image->rows; i++, x += row, to += wide * element) {
    if (is_integer_op(run->op)) {
      ernn_read_row(run->op->arguments + ERNN_LINEAR_READING, x, row, row, to);
    } else {
      ernn_copy(to, x, row * sizeof(float));
    }
  }
}

/* Windows from `first` on, in the order in which they are answered, one behind the other. */
static void gather(const ernn_context *run, const ernn_image *image, uint32_t first, uint32_t count,
                   uint8_t *to) {
  const uint32_t *rows = image_arguments(run->op), *columns = rows + 4;
  size_t element = element_bytes(run->op), channels = input_width(run, 0);
  size_t stride = quad_padded(image_taps(run->op) * (uint32_t)channels) * element;
  size_t wide = image->padded_columns * channels * element;
  int is_dense = columns[DILATION] == 1;
  size_t part = channels * element * (is_dense ? columns[WINDOW] : 1);
  for (uint32_t i = 0; i < count; i++, to += stride) {
    size_t row = (size_t)((first + i) / image->out_columns) * rows[STRIDE];
    size_t column = (size_t)((first + i) % image->out_columns) * columns[STRIDE];
    uint8_t *target = to;
    for (uint32_t down = 0; down < rows[WINDOW]; down++) {
      const uint8_t *from = run->scratch + (row + (size_t)down * rows[DILATION]) * wide +
                            column * channels * element;
      for (uint32_t across = 0; across < (is_dense ? 1 : columns[WINDOW]); across++) {
        ernn_copy(target, from + (size_t)across * columns[DILATION] * channels * element, part);
        target += part;
      }
    }
  }
}

/* One image, whose padded numbers are in scratch. */
static void convolve(const ernn_context *run, const ernn_image *image,
                     const ernn_image_parts *parts, float *out) {
  const uint32_t *rows = image_arguments(run->op), *columns = rows + 4;
  size_t element = element_bytes(run->op), channels = input_width(run, 0);
  uint8_t *sums = run->scratch + parts->sums, *gathered = run->scratch + parts->gathered;
  uint32_t lines = image->out_rows, count = image->out_columns;
  int is_copied = is_gathered(run->op);
  /* Where windows do not overlap rows they can be taken across the ends of lines. */
  if (is_copied || (columns[STRIDE] == 1 && rows[STRIDE] == 1 && columns[WINDOW] == 1)) {
    count *= lines;
    lines = 1;
  }
  size_t stride = is_copied ? quad_padded(image_taps(run->op) * (uint32_t)channels)
                            : columns[STRIDE] * channels;
  if (is_copied) ernn_clear(gathered, ERNN_BLOCK * stride * element);
  for (uint32_t line = 0; line < lines; line++) {
    size_t start = (size_t)line * rows[STRIDE] * image->padded_columns * channels;
    for (uint32_t first = 0; first < count; first += ERNN_BLOCK) {
      uint32_t taken = count - first < ERNN_BLOCK ? count - first : ERNN_BLOCK;
      const uint8_t *from = run->scratch + (start + first * stride) * element;
      if (is_copied) {
        gather(run, image, first, taken, gathered);
        from = gathered;
      }
      ernn_multiply_kernel(run, from, stride, taken, out, sums);
      out += (size_t)taken * output_width(run);
    }
  }
}

/* ---- Each channel by itself ---- */

/* A PRODUCT's or ACCUMULATION's weights, one tap after the other. */
static void unpack(const ernn_product *product, uint32_t taps, int16_t *weights) {
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t tile = 0; tile < tiles; tile++) {
    uint32_t panel = tile / product->tiles * product->tiles;
    uint32_t in_panel = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *packed = product->panels + (size_t)panel * ERNN_TILE * 4 * quads +
                           (size_t)(tile - panel) * 4 * ERNN_TILE;
    for (uint32_t tap = 0; tap < taps; tap++) {
      const int8_t *quad = packed + (size_t)(tap / 4) * in_panel * 4 * ERNN_TILE;
      for (uint32_t i = 0; i < ERNN_TILE; i++) {
        weights[(size_t)tap * product->columns + tile * ERNN_TILE + i] =
            (int16_t)quad[4 * ERNN_LANE(i) + tap % 4];
      }
    }
  }
}

/* Sums of one window, exact, so that their order does not matter; they wrap in a hostile file. */
static void sum_integers(const ernn_context *run, size_t at, size_t wide, const int16_t *weights,
                         const ernn_product *product, uint32_t *sums) {
  const uint32_t *rows = image_arguments(run->op), *columns = rows + 4;
  uint32_t channels = input_width(run, 0);
  const uint8_t *x8 = run->scratch;
  const int16_t *x16 = (const int16_t *)(const void *)run->scratch;
  int is_wide = element_bytes(run->op) == 2;
  for (uint32_t i = 0; i < channels; i++) {
    sums[i] = (uint32_t)product->bias[i / ERNN_TILE * ERNN_TILE + ERNN_LANE(i % ERNN_TILE)];
  }
  for (uint32_t down = 0; down < rows[WINDOW]; down++) {
    for (uint32_t across = 0; across < columns[WINDOW]; across++, weights += product->columns) {
      size_t from = at + (size_t)down * rows[DILATION] * wide +
                    (size_t)across * columns[DILATION] * channels;
      for (uint32_t i = 0; i < channels && is_wide; i++) {
        sums[i] += (uint32_t)((int32_t)x16[from + i] * weights[i]);
      }
      for (uint32_t i = 0; i < channels && !is_wide; i++) {
        sums[i] += (uint32_t)(((int32_t)x8[from + i] - 128) * weights[i]);
      }
    }
  }
}

static void open_integers(const ernn_context *run, const ernn_product *product,
                          const uint32_t *sums, float *out) {
  uint32_t type = ernn_constants(run->model)[run->op->arguments[ERNN_DENSE_KERNEL]].type;
  int is_tanh = run->op->arguments[ERNN_DENSE_ACTIVATION] == ERNN_ACTIVATION_TANH;
  for (uint32_t i = 0; i < input_width(run, 0); i++) {
    uint32_t lane = i / ERNN_TILE * ERNN_TILE + ERNN_LANE(i % ERNN_TILE);
    int32_t sum = (int32_t)sums[i];
    if (type == ERNN_PRODUCT) {
      int32_t p = ernn_mulr(ernn_sat16(sum >> product->shift[lane]), product->multiplier[i]);
      int32_t opened = is_tanh ? ernn_fixed_tanh(p) : ernn_fixed_sigmoid(p);
      out[i] = (float)opened * (1.0f / 32768.0f);
    } else {
      out[i] = (float)sum * product->output_scale[lane];
    }
  }
}

static void sum_floats(const ernn_context *run, size_t at, size_t wide, float *sums) {
  const uint32_t *rows = image_arguments(run->op), *columns = rows + 4;
  const float *x = (const float *)(const void *)run->scratch + at;
  const float *w = vector_of(run, ERNN_DENSE_KERNEL), *bias = vector_of(run, ERNN_DENSE_BIAS);
  uint32_t channels = input_width(run, 0);
  for (uint32_t i = 0; i < channels; i++) sums[i] = bias ? bias[i] : 0.0f;
  for (uint32_t down = 0; down < rows[WINDOW]; down++) {
    for (uint32_t across = 0; across < columns[WINDOW]; across++, w += channels) {
      const float *from = x + (size_t)down * rows[DILATION] * wide +
                          (size_t)across * columns[DILATION] * channels;
      for (uint32_t i = 0; i < channels; i++) sums[i] += from[i] * w[i];
    }
  }
}

static void convolve_channels(const ernn_context *run, const ernn_image *image,
                              const ernn_image_parts *parts, float *out) {
  const uint32_t *rows = image_arguments(run->op), *columns = rows + 4;
  size_t channels = input_width(run, 0), wide = image->padded_columns * channels;
  int16_t *weights = (int16_t *)(void *)(run->scratch + parts->weights);
  uint32_t *sums = (uint32_t *)(void *)(run->scratch + parts->sums);
  int is_integer = is_integer_op(run->op);
  ernn_product product = {0};
  if (is_integer) {
    product = ernn_product_of(run->model, run->op->arguments[ERNN_DENSE_KERNEL]);
    unpack(&product, image_taps(run->op), weights);
  }
  for (uint32_t row = 0; row < image->out_rows; row++) {
    for (uint32_t column = 0; column < image->out_columns; column++, out += channels) {
      size_t at = (size_t)row * rows[STRIDE] * wide + (size_t)column * columns[STRIDE] * channels;
      if (is_integer) {
        sum_integers(run, at, wide, weights, &product, sums);
        open_integers(run, &product, sums, out);
      } else {
        sum_floats(run, at, wide, out);
      }
    }
  }
}

void ernn_run_conv2d(const ernn_context *run) {
  uint32_t channels = input_width(run, 0), steps = input_steps(run, 0);
  ernn_image image;
  if (steps == 0 || ernn_image_of(run->op, channels, steps, 0, &image) != ERNN_OK) return;
  const ernn_constant *kernel =
      ernn_constants(run->model) + run->op->arguments[ERNN_DENSE_KERNEL];
  ernn_image_parts parts = ernn_image_scratch(run->op, kernel, &image, channels);
  const float *x = input_f32(run, 0);
  float *out = output_f32(run, 0);
  for (uint32_t i = 0; i < image.images; i++) {
    read_image(run, &image, x);
    (is_depthwise_2d(run->op) ? convolve_channels : convolve)(run, &image, &parts, out);
    x += (size_t)image.rows * image.columns * channels;
    out += (size_t)image.out_rows * image.out_columns * output_width(run);
  }
  ernn_finish_linear(run, output_steps(run));
}

/* ---- Axes ---- */

/* [outer][a][b][inner] -> [outer][b][a][inner] */
void ernn_run_swap(const ernn_context *run) {
  const uint32_t *arguments = run->op->arguments;
  size_t total = (size_t)input_steps(run, 0) * input_width(run, 0);
  size_t b = arguments[ERNN_SWAP_SECOND], inner = arguments[ERNN_SWAP_INNER];
  size_t a = arguments[ERNN_SWAP_FIRST] ? arguments[ERNN_SWAP_FIRST] : total / (b * inner);
  const float *x = input_f32(run, 0);
  float *out = output_f32(run, 0);
  for (size_t done = 0; done < total; done += a * b * inner, out += a * b * inner) {
    for (size_t i = 0; i < a; i++) {
      for (size_t k = 0; k < b; k++, x += inner) {
        ernn_copy(out + (k * a + i) * inner, x, inner * sizeof(float));
      }
    }
  }
}

#else

typedef int ernn_images_are_left_out; /* a file may not be empty */

#endif
