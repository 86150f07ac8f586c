/* kernels_portable.c: plain C99.  Defines what the other kernels compute; its loops over the 16
 * columns of a tile are written so that a compiler turns them into whatever vectors there are. */

#include "ernn_kernels.h"
#include "ernn_math.h"

ERNN_INLINE float weight_at(const void *weights, size_t index, uint32_t type) {
  if (type == ERNN_MATRIX_F32) return ((const float *)weights)[index];
  if (type == ERNN_MATRIX_F16) return ernn_half(((const uint16_t *)weights)[index]);
  return (float)((const int8_t *)weights)[index];
}

/* One row times one tile; the tile's rows are `stride` weights apart. */
ERNN_INLINE void f32_tile(const float *x, uint32_t rows, const void *weights, size_t first,
                          size_t stride, uint32_t type, const float *scales, const float *bias,
                          float *out) {
  float sums[ERNN_TILE] = {0};
  for (uint32_t k = 0; k < rows; k++) {
    for (uint32_t i = 0; i < ERNN_TILE; i++) {
      sums[i] += x[k] * weight_at(weights, first + k * stride + i, type);
    }
  }
  for (uint32_t i = 0; i < ERNN_TILE; i++) {
    float sum = scales ? sums[i] * scales[i] : sums[i];
    out[i] = bias ? sum + bias[i] : sum;
  }
}

ERNN_INLINE void f32_gemm_of(const float *x, size_t x_stride, uint32_t rows,
                             const ernn_matrix *matrix, uint32_t type, const float *bias,
                             float *out, size_t out_stride) {
  uint32_t tiles = matrix->columns / ERNN_TILE;
  for (uint32_t tile = 0; tile < tiles; tile++) {
    uint32_t panel = tile / matrix->tiles * matrix->tiles;
    uint32_t in_panel = tiles - panel < matrix->tiles ? tiles - panel : matrix->tiles;
    size_t first = (size_t)panel * ERNN_TILE * matrix->rows + (tile - panel) * ERNN_TILE;
    const float *scales = type == ERNN_MATRIX_S8 ? matrix->scales + tile * ERNN_TILE : NULL;
    for (uint32_t row = 0; row < rows; row++) {
      f32_tile(x + row * x_stride, matrix->rows, matrix->panels, first,
               (size_t)in_panel * ERNN_TILE, type, scales, bias ? bias + tile * ERNN_TILE : NULL,
               out + row * out_stride + tile * ERNN_TILE);
    }
  }
}

static void f32_gemm__portable(const float *x, size_t x_stride, uint32_t rows,
                               const ernn_matrix *matrix, const float *bias, float *out,
                               size_t out_stride) {
  switch (matrix->type) {
    case ERNN_MATRIX_F32:
      f32_gemm_of(x, x_stride, rows, matrix, ERNN_MATRIX_F32, bias, out, out_stride);
      break;
    case ERNN_MATRIX_F16:
      f32_gemm_of(x, x_stride, rows, matrix, ERNN_MATRIX_F16, bias, out, out_stride);
      break;
    default: f32_gemm_of(x, x_stride, rows, matrix, ERNN_MATRIX_S8, bias, out, out_stride);
  }
}

static void f32_gru__portable(const float *x, const float *r, float *h, uint32_t tiles) {
  for (uint32_t tile = 0; tile < tiles; tile++, x += 48, r += 48, h += 16) {
    for (uint32_t i = 0; i < ERNN_TILE; i++) {
      float z = ernn_sigmoid(x[i] + r[i]);
      float reset = ernn_sigmoid(x[16 + i] + r[16 + i]);
      float n = ernn_tanh(x[32 + i] + reset * r[32 + i]);
      h[i] = n + z * (h[i] - n);
    }
  }
}

static void f32_lstm__portable(const float *x, const float *r, float *h, float *c,
                               uint32_t tiles) {
  for (uint32_t tile = 0; tile < tiles; tile++, x += 64, r += 64, h += 16, c += 16) {
    for (uint32_t k = 0; k < ERNN_TILE; k++) {
      float i = ernn_sigmoid(x[k] + r[k]);
      float f = ernn_sigmoid(x[16 + k] + r[16 + k]);
      float n = ernn_tanh(x[32 + k] + r[32 + k]);
      float o = ernn_sigmoid(x[48 + k] + r[48 + k]);
      c[k] = f * c[k] + i * n;
      h[k] = o * ernn_tanh(c[k]);
    }
  }
}

static void f32_sigmoid__portable(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = ernn_sigmoid(x[i]);
}

static void f32_tanh__portable(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = ernn_tanh(x[i]);
}

const ernn_kernels ernn_kernels_portable = {
    .isa = ERNN_ISA_PORTABLE,
    .f32_gemm = f32_gemm__portable,
    .f32_gru = f32_gru__portable,
    .f32_lstm = f32_lstm__portable,
    .f32_sigmoid = f32_sigmoid__portable,
    .f32_tanh = f32_tanh__portable,
};
