/* ernn_dynamic.c: products of the dynamic scheme.  Weights are bytes, and so become the floats that are
 * multiplied with them, by a scale that is found for each row: docs/integer-arithmetic.md,
 * section 11. */

#include "ernn_layers.h"
#include "ernn_products.h"

/* A smaller row is as good as zero, and its reciprocal would overflow. */
#define SMALLEST_PEAK 1e-30f

size_t ernn_quantized_bytes(uint32_t rows, uint32_t width) {
  return ernn_aligned(rows * sizeof(float)) + ernn_aligned((size_t)rows * 2 * quad_padded(width));
}

typedef struct scaling {
  float reciprocal, limit, scale;
} scaling;

static scaling scaling_of(float peak, float limit) {
  scaling none = {0.0f, limit, 0.0f}, found = {limit / peak, limit, peak / limit};
  return peak < SMALLEST_PEAK ? none : found;
}

/* States keep one scale, so that a step does not depend on how large the others are. */
static scaling state_scaling(float peak) {
  scaling fixed = {ERNN_STATE_STEPS, ERNN_STATE_LIMIT, 1.0f / ERNN_STATE_STEPS};
  return peak <= 1.0f ? fixed : scaling_of(peak, ERNN_STATE_LIMIT);
}

/* As many of 16 bits as keep every sum of `rows` products within 32. */
static float input_limit(uint32_t rows) {
  uint32_t limit = INT32_MAX / 127 / rows;
  return (float)(int32_t)(limit < 32767 ? limit : 32767);
}

void ernn_multiply(const ernn_context *run, uint32_t constant, const ernn_rows_in *from,
                   const float *bias, float *out, size_t out_stride, uint8_t *room) {
  const ernn_constant *weights = ernn_constants(run->model) + constant;
  if (weights->type != ERNN_ACCUMULATION) {
    ernn_matrix matrix = ernn_matrix_of(run->model, constant);
    run->kernels->f32_gemm(from->x, from->stride, from->rows, &matrix, bias, out, out_stride);
    return;
  }
  const float *scales = (const float *)(const void *)room;
  ernn_sum(run, constant, from, out, out_stride, room);
  for (uint32_t i = 0; i < from->rows; i++) {
    run->kernels->rows->scale(out + i * out_stride, weights->columns, scales[i], bias);
  }
}

static int takes_bytes(const ernn_kernels *kernels, uint32_t is_nibbles) {
  return !kernels->pairs_saturate || kernels->any_u8_sums || is_nibbles;
}

/* Weights are made without safe pairs. */
static ernn_product dynamic_product(const ernn_context *run, uint32_t constant) {
  ernn_product product = ernn_product_of(run->model, constant);
  product.is_any = 1;
  return product;
}

void ernn_sum(const ernn_context *run, uint32_t constant, const ernn_rows_in *from, float *out,
              size_t out_stride, uint8_t *room) {
  const ernn_kernels *kernels = run->kernels;
  const ernn_row_kernels *rows = kernels->rows;
  ernn_product product = dynamic_product(run, constant);
  uint32_t width = product.rows, padded = quad_padded(width);
  ernn_nibble_form form = kernels->planes_sums ? ERNN_NIBBLES_OF_PLANES : ERNN_NIBBLES_OF_WORDS;
  if (from->are_states) {
    int in_bytes = takes_bytes(kernels, product.is_nibbles != 0);
    form = in_bytes ? ERNN_NIBBLES_OF_BYTES : ERNN_NIBBLES_OF_WORDS;
  }
  size_t row_bytes = form == ERNN_NIBBLES_OF_BYTES ? padded : 2 * (size_t)padded;
  float *scales = (float *)(void *)room, most = input_limit(width);
  uint8_t *integers = room + ernn_aligned(from->rows * sizeof(float));
  for (uint32_t i = 0; i < from->rows; i++) {
    const float *x = from->x + i * from->stride;
    uint8_t *to = integers + i * row_bytes;
    int16_t *words = (int16_t *)(void *)to;
    float peak = rows->peak(x, width);
    scaling by = from->are_states ? state_scaling(peak) : scaling_of(peak, most);
    scales[i] = by.scale;
    if (form == ERNN_NIBBLES_OF_BYTES) {
      rows->bytes(x, width, by.reciprocal, by.limit, to);
      for (uint32_t k = width; k < padded; k++) to[k] = 128;
    } else if (form == ERNN_NIBBLES_OF_PLANES) {
      rows->planes(x, width, by.reciprocal, by.limit, to, to + padded);
      ernn_pad_planes(to, width, padded);
    } else {
      rows->words(x, width, by.reciprocal, by.limit, words);
      for (uint32_t k = width; k < padded; k++) words[k] = 0;
    }
  }
  ernn_integers rows_in = {integers, row_bytes, row_bytes / 2, from->rows, form};
  uint32_t parts = from->are_states ? ERNN_PARTS : 1;
  ernn_multiply_integers(kernels, &rows_in, &product, parts, from->turn, out, out_stride, 1);
}

int ernn_takes_fed(const ernn_context *run, uint32_t constant) {
  const ernn_constant *weights = ernn_constants(run->model) + constant;
  return weights->type == ERNN_ACCUMULATION &&
         takes_bytes(run->kernels, weights->packing == ERNN_PACKED_NIBBLES);
}

float ernn_feed(const ernn_context *run, const float *h, uint32_t width, uint8_t *fed) {
  scaling by = state_scaling(run->kernels->rows->peak(h, width));
  run->kernels->rows->bytes(h, width, by.reciprocal, by.limit, fed);
  for (uint32_t i = width; i < ernn_padded(width); i++) fed[i] = 128;
  return by.scale;
}

void ernn_sum_fed(const ernn_context *run, uint32_t constant, const uint8_t *fed, uint32_t rows,
                  uint32_t turn, float *out, size_t out_stride) {
  ernn_product product = dynamic_product(run, constant);
  ernn_integers from = {fed, ernn_padded(product.rows), 0, rows, ERNN_NIBBLES_OF_BYTES};
  ernn_multiply_integers(run->kernels, &from, &product, ERNN_PARTS, turn, out, out_stride, 1);
}
