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
  scaling fixed = {128.0f, 127.0f, 1.0f / 128.0f};
  return peak <= 1.0f ? fixed : scaling_of(peak, 127.0f);
}

/* As many of 16 bits as keep every sum of `rows` products within 32. */
static float input_limit(uint32_t rows) {
  uint32_t limit = INT32_MAX / 127 / rows;
  return (float)(int32_t)(limit < 32767 ? limit : 32767);
}

void ernn_multiply(const ernn_context *run, uint32_t constant, const ernn_rows_in *from,
                   const float *bias, float *out, size_t out_stride, uint8_t *room) {
  const ernn_kernels *kernels = run->kernels;
  const ernn_row_kernels *rows = kernels->rows;
  if (ernn_constants(run->model)[constant].type != ERNN_ACCUMULATION) {
    ernn_matrix matrix = ernn_matrix_of(run->model, constant);
    kernels->f32_gemm(from->x, from->stride, from->rows, &matrix, bias, out, out_stride);
    return;
  }
  ernn_product product = ernn_product_of(run->model, constant);
  uint32_t width = product.rows, padded = quad_padded(width);
  int in_bytes = from->are_states && (!kernels->pairs_saturate || product.is_nibbles);
  int in_planes = !from->are_states && kernels->planes_sums != NULL;
  size_t row_bytes = in_bytes ? padded : 2 * (size_t)padded;
  float *scales = (float *)(void *)room, most = input_limit(width);
  uint8_t *integers = room + ernn_aligned(from->rows * sizeof(float));
  for (uint32_t i = 0; i < from->rows; i++) {
    const float *x = from->x + i * from->stride;
    uint8_t *to = integers + i * row_bytes;
    int16_t *words = (int16_t *)(void *)to;
    float peak = rows->peak(x, width);
    scaling by = from->are_states ? state_scaling(peak) : scaling_of(peak, most);
    scales[i] = by.scale;
    if (in_bytes) {
      rows->bytes(x, width, by.reciprocal, by.limit, to);
      for (uint32_t k = width; k < padded; k++) to[k] = 128;
    } else if (in_planes) {
      rows->planes(x, width, by.reciprocal, by.limit, to, to + padded);
      ernn_pad_planes(to, width, padded);
    } else {
      rows->words(x, width, by.reciprocal, by.limit, words);
      for (uint32_t k = width; k < padded; k++) words[k] = 0;
    }
  }
  if (in_bytes) {
    ernn_sum_u8(kernels, integers, row_bytes, from->rows, &product, out, out_stride);
  } else if (in_planes) {
    ernn_sum_planes(kernels, integers, row_bytes, padded, from->rows, &product, out, out_stride);
  } else {
    const int16_t *words = (const int16_t *)(const void *)integers;
    ernn_sum_s16(kernels, words, padded, from->rows, &product, out, out_stride);
  }
  for (uint32_t i = 0; i < from->rows; i++) {
    rows->scale(out + i * out_stride, product.columns, scales[i], bias);
  }
}
