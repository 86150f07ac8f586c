/* ernn_images.c: convolutions over rows and columns, and axes that change places. */

#include "ernn_images.h"
#include "ernn_fixed_point.h"

#ifndef ERNN_WITHOUT_IMAGES

enum { IMAGE_COLUMNS = 8, IMAGE_ROWS = 9 }; /* behind the windows */

/* Numbers that may be read behind an image: products read a multiple of 4, channels a tile. */
enum { BEHIND_IMAGE = ERNN_TILE };

/* Compilers copy it with one instruction. */
typedef struct ernn_chunk {
  uint8_t bytes[16];
} ernn_chunk;

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
  ernn_image_parts parts = {0, 0, 0, 0, 0};
  size_t element = element_bytes(op), taps = image_taps(op);
  size_t numbers = (size_t)image->padded_rows * image->padded_columns * channels;
  parts.gathered = ernn_aligned((numbers + BEHIND_IMAGE) * element);
  parts.sums = parts.gathered;
  if (!is_depthwise_2d(op) && is_gathered(op)) {
    size_t window = (size_t)quad_padded((uint32_t)taps * channels) * element;
    parts.sums += ernn_aligned(ERNN_BLOCK * window + sizeof(ernn_chunk));
  }
  size_t columns = is_depthwise_2d(op) ? ernn_padded(channels) : kernel->columns;
  size_t rows = is_depthwise_2d(op) ? 1 : ERNN_BLOCK;
  parts.weights = parts.sums + ernn_aligned(rows * columns * sizeof(float));
  parts.ends = parts.weights;
  if (op->kind == ERNN_OP_QDEPTHWISE2D) parts.ends += ernn_aligned(taps * columns * sizeof(int16_t));
  parts.bytes = parts.ends;
  if (op->kind == ERNN_OP_QDEPTHWISE2D) parts.bytes += columns * (sizeof(int32_t) + sizeof(float));
  return parts;
}

/* ---- Convolutions ---- */

static void read_integers(const ernn_context *run, const float *x, uint32_t count, uint8_t *to) {
  ernn_read_row(run->kernels, run->op->arguments + ERNN_LINEAR_READING, x, count, count, to);
}

/* One image between its padding, as the layer computes with it. */
static void read_image(const ernn_context *run, const ernn_image *image, const float *x) {
  uint32_t channels = input_width(run, 0), wide = image->padded_columns * channels;
  uint32_t row = image->columns * channels, left = image->left * channels;
  size_t element = element_bytes(run->op);
  /* Zero is 128 where bytes hold q + 128. */
  uint8_t zero = is_integer_op(run->op) && element == 1 ? 128 : 0;
  uint8_t *to = run->scratch;
  size_t bytes = ((size_t)image->padded_rows * wide + BEHIND_IMAGE) * element;
  int is_padded = image->padded_rows > image->rows || image->padded_columns > image->columns;
  for (size_t i = is_padded ? 0 : bytes - BEHIND_IMAGE * element; i < bytes; i++) to[i] = zero;
  to += ((size_t)image->top * wide + left) * element;
  for (uint32_t i = 0; i < image->rows; i++, x += row, to += wide * element) {
    if (is_integer_op(run->op)) {
      read_integers(run, x, row, to);
    } else {
      ernn_copy(to, x, row * sizeof(float));
    }
  }
}

/* Copies in whole chunks: up to 15 bytes more than asked for, which the next copy writes over. */
static void copy_chunks(uint8_t *to, const uint8_t *from, size_t bytes) {
  for (size_t i = 0; i < bytes; i += sizeof(ernn_chunk)) {
    *(ernn_chunk *)(void *)(to + i) = *(const ernn_chunk *)(const void *)(from + i);
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
        copy_chunks(target, from + (size_t)across * columns[DILATION] * channels * element, part);
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

/* A PRODUCT's or ACCUMULATION's weights, one tap after the other, and what its sums begin and end
 * with: in the order of channels. */
static void unpack(const ernn_product *product, uint32_t taps, int is_rounded, int16_t *weights,
                   int32_t *bias, float *scale) {
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  for (uint32_t tile = 0; tile < tiles; tile++) {
    uint32_t panel = tile / product->tiles * product->tiles;
    uint32_t in_panel = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    const int8_t *packed = product->panels + (size_t)panel * ERNN_TILE * 4 * quads +
                           (size_t)(tile - panel) * 4 * ERNN_TILE;
    for (uint32_t i = 0; i < ERNN_TILE; i++) {
      uint32_t column = tile * ERNN_TILE + i, lane = tile * ERNN_TILE + ERNN_LANE(i);
      bias[column] = product->bias[lane];
      if (!is_rounded) scale[column] = product->output_scale[lane];
      for (uint32_t tap = 0; tap < taps; tap++) {
        const int8_t *quad = packed + (size_t)(tap / 4) * in_panel * 4 * ERNN_TILE;
        weights[(size_t)tap * product->columns + column] = (int16_t)quad[4 * ERNN_LANE(i) + tap % 4];
      }
    }
  }
}

/* One window of an integer layer: all channels. */
static void answer_integers(const ernn_context *run, size_t at, size_t wide,
                            const ernn_product *product, const ernn_image_parts *parts, float *out) {
  uint32_t channels = input_width(run, 0);
  const int16_t *weights = (const int16_t *)(const void *)(run->scratch + parts->weights);
  const int32_t *bias = (const int32_t *)(const void *)(run->scratch + parts->ends);
  const float *scale = (const float *)(const void *)(bias + product->columns);
  const int16_t *words = (const int16_t *)(const void *)run->scratch;
  const uint32_t *down = image_arguments(run->op), *across = down + 4;
  ernn_taps taps = {down[WINDOW], across[WINDOW], down[DILATION] * wide,
                    (size_t)across[DILATION] * channels, product->columns};
  int is_rounded = product->multiplier != NULL, is_wide = element_bytes(run->op) == 2;
  int is_tanh = run->op->arguments[ERNN_DENSE_ACTIVATION] == ERNN_ACTIVATION_TANH;
  for (uint32_t first = 0; first < channels; first += ERNN_TILE) {
    uint32_t count = channels - first < ERNN_TILE ? channels - first : ERNN_TILE;
    uint32_t sums[ERNN_TILE];
    for (uint32_t i = 0; i < ERNN_TILE; i++) sums[i] = (uint32_t)bias[first + i];
    if (is_wide) {
      run->kernels->rows->word_taps(words + at + first, weights + first, &taps, sums);
    } else {
      run->kernels->rows->byte_taps(run->scratch + at + first, weights + first, &taps, sums);
    }
    for (uint32_t i = 0; i < count && !is_rounded; i++) {
      out[first + i] = (float)(int32_t)sums[i] * scale[first + i];
    }
    for (uint32_t i = 0; i < count && is_rounded; i++) {
      int32_t sum = ernn_sat16((int32_t)sums[i] >> product->shift[first + ERNN_LANE(i)]);
      int32_t p = ernn_mulr(sum, product->multiplier[first + i]);
      int32_t opened = is_tanh ? ernn_fixed_tanh(p) : ernn_fixed_sigmoid(p);
      out[first + i] = (float)opened * (1.0f / 32768.0f);
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
  int is_integer = is_integer_op(run->op);
  ernn_product product = {0};
  if (is_integer) {
    int16_t *weights = (int16_t *)(void *)(run->scratch + parts->weights);
    int32_t *bias = (int32_t *)(void *)(run->scratch + parts->ends);
    uint32_t kernel = run->op->arguments[ERNN_DENSE_KERNEL];
    product = ernn_product_of(run->model, kernel);
    if (ernn_constants(run->model)[kernel].type != ERNN_PRODUCT) product.multiplier = NULL;
    unpack(&product, image_taps(run->op), product.multiplier != NULL, weights, bias,
           (float *)(void *)(bias + product.columns));
  }
  for (uint32_t row = 0; row < image->out_rows; row++) {
    for (uint32_t column = 0; column < image->out_columns; column++, out += channels) {
      size_t at = (size_t)row * rows[STRIDE] * wide + (size_t)column * columns[STRIDE] * channels;
      if (is_integer) {
        answer_integers(run, at, wide, &product, parts, out);
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
