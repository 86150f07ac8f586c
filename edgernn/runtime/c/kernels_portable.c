/* kernels_portable.c: plain C99.  Defines what the other kernels compute; its loops over the 16
 * columns of a tile are written so that a compiler turns them into whatever vectors there are. */

#include "ernn_kernels.h"
#include "ernn_fixed_point.h"
#include "ernn_math.h"
#include "kernels_portable.h"
#include "kernels_rows.h"

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

ERNN_INLINE void f32_gemm_of__portable(const float *x, size_t x_stride, uint32_t rows,
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

void ernn_f32_gemm__portable(const float *x, size_t x_stride, uint32_t rows,
                               const ernn_matrix *matrix, const float *bias, float *out,
                               size_t out_stride) {
  switch (matrix->type) {
    case ERNN_MATRIX_F32:
      f32_gemm_of__portable(x, x_stride, rows, matrix, ERNN_MATRIX_F32, bias, out, out_stride);
      break;
    case ERNN_MATRIX_F16:
      f32_gemm_of__portable(x, x_stride, rows, matrix, ERNN_MATRIX_F16, bias, out, out_stride);
      break;
    default: f32_gemm_of__portable(x, x_stride, rows, matrix, ERNN_MATRIX_S8, bias, out, out_stride);
  }
}

void ernn_f32_gru__portable(const float *x, const float *r, float *h, uint32_t tiles) {
  for (uint32_t tile = 0; tile < tiles; tile++, x += 48, r += 48, h += 16) {
    for (uint32_t i = 0; i < ERNN_TILE; i++) {
      float z = ernn_sigmoid(x[i] + r[i]);
      float reset = ernn_sigmoid(x[16 + i] + r[16 + i]);
      float n = ernn_tanh(x[32 + i] + reset * r[32 + i]);
      h[i] = n + z * (h[i] - n);
    }
  }
}

void ernn_f32_lstm__portable(const float *x, const float *r, float *h, float *c,
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

/* Whole tiles at a time, which compilers turn into vectors. */
ERNN_INLINE void scale_tile(const ernn_scaled *from, uint32_t first, uint32_t count, float *to) {
  for (uint32_t i = 0; i < count; i++) to[i] = from->of[first + i] * from->scale;
  for (uint32_t i = 0; i < count && from->bias; i++) to[i] += from->bias[first + i];
}

/* The bytes of a tile's states; nonzero where one is beyond 1. */
ERNN_INLINE uint32_t feed_tile(const float *h, uint8_t *fed) {
  uint32_t beyond = 0;
  for (uint32_t i = 0; i < ERNN_TILE; i++) beyond |= h[i] > 1.0f || h[i] < -1.0f;
  bytes_of(h, ERNN_TILE, ERNN_STATE_STEPS, ERNN_STATE_LIMIT, fed);
  return beyond;
}

uint32_t ernn_dynamic_gru__portable(const ernn_scaled *x, const ernn_scaled *r, float *h,
                                    uint8_t *fed, uint32_t tiles) {
  uint32_t beyond = 0;
  for (uint32_t tile = 0; tile < tiles; tile++, h += ERNN_TILE, fed += ERNN_TILE) {
    float scaled[2][3 * ERNN_TILE];
    scale_tile(x, tile * 3 * ERNN_TILE, 3 * ERNN_TILE, scaled[0]);
    scale_tile(r, tile * 3 * ERNN_TILE, 3 * ERNN_TILE, scaled[1]);
    ernn_f32_gru__portable(scaled[0], scaled[1], h, 1);
    beyond |= feed_tile(h, fed);
  }
  return beyond;
}

uint32_t ernn_dynamic_lstm__portable(const ernn_scaled *x, const ernn_scaled *r, float *h, float *c,
                                     uint8_t *fed, uint32_t tiles) {
  uint32_t beyond = 0;
  for (uint32_t tile = 0; tile < tiles; tile++, h += ERNN_TILE, c += ERNN_TILE, fed += ERNN_TILE) {
    float scaled[2][4 * ERNN_TILE];
    scale_tile(x, tile * 4 * ERNN_TILE, 4 * ERNN_TILE, scaled[0]);
    scale_tile(r, tile * 4 * ERNN_TILE, 4 * ERNN_TILE, scaled[1]);
    ernn_f32_lstm__portable(scaled[0], scaled[1], h, c, 1);
    beyond |= feed_tile(h, fed);
  }
  return beyond;
}

void ernn_f32_sigmoid__portable(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = ernn_sigmoid(x[i]);
}

void ernn_f32_tanh__portable(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = ernn_tanh(x[i]);
}

/* ---- Integers ---- */

/* One row of 16-bit numbers times one tile.  Sums are unsigned, so that a hostile file only wraps
 * them. */
ERNN_INLINE void s32_tile(const int16_t *x, uint32_t quads, const int8_t *weights, size_t stride,
                          const int32_t *begin, int32_t *sums) {
  uint32_t totals[ERNN_TILE];
  for (uint32_t i = 0; i < ERNN_TILE; i++) totals[i] = (uint32_t)begin[i];
  for (uint32_t quad = 0; quad < quads; quad++, weights += stride, x += 4) {
    int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    for (uint32_t i = 0; i < ERNN_TILE; i++) {
      const int8_t *w = weights + 4 * i;
      totals[i] += (uint32_t)(x0 * w[0] + x1 * w[1] + x2 * w[2] + x3 * w[3]);
    }
  }
  for (uint32_t i = 0; i < ERNN_TILE; i++) sums[i] = (int32_t)totals[i];
}

/* How many numbers of a row are widened to 16 bits at a time. */
enum { PART = 256 };

/* Sums of one row and one tile, in the order of lanes. */
ERNN_ONE_COPY void s32_sums(const uint8_t *x8, const int16_t *x16, uint32_t quads,
                            const int8_t *weights, size_t stride, const int32_t *bias,
                            int32_t *sums) {
  if (x16) {
    s32_tile(x16, quads, weights, stride, bias, sums);
    return;
  }
  int32_t begin[ERNN_TILE];
  for (uint32_t i = 0; i < ERNN_TILE; i++) sums[i] = bias[i];
  for (uint32_t first = 0; first < quads; first += PART / 4) {
    uint32_t taken = quads - first < PART / 4 ? quads - first : PART / 4;
    int16_t wide[PART];
    for (uint32_t i = 0; i < 4 * taken; i++) wide[i] = (int16_t)(x8[4 * first + i] - 128);
    for (uint32_t i = 0; i < ERNN_TILE; i++) begin[i] = sums[i];
    s32_tile(wide, taken, weights + first * stride, stride, begin, sums);
  }
}

/* Rows of bytes or of words, the other is null; to 16 bits or to float32, the other is null.  One function:
 * small processors have these kernels only, and little room. */
ERNN_NOINLINE static void gemm__portable(const uint8_t *x8, const int16_t *x16, size_t x_stride,
                                         uint32_t rows, const ernn_product *product, int16_t *words,
                                         float *floats, size_t out_stride) {
  uint32_t tiles = product->columns / ERNN_TILE, quads = (product->rows + 3) / 4;
  const int8_t *weights = product->panels;
  for (uint32_t panel = 0; panel < tiles; panel += product->tiles) {
    uint32_t in_panel = tiles - panel < product->tiles ? tiles - panel : product->tiles;
    size_t stride = (size_t)in_panel * 4 * ERNN_TILE;
    for (uint32_t i = 0; i < in_panel; i++) {
      uint32_t tile = panel + i;
      for (uint32_t row = 0; row < rows; row++) {
        int32_t sums[ERNN_TILE];
        size_t at = row * out_stride + tile * ERNN_TILE;
        s32_sums(x8 ? x8 + row * x_stride : NULL, x16 ? x16 + row * x_stride : NULL, quads,
                 weights + (size_t)i * 4 * ERNN_TILE, stride, product->bias + tile * ERNN_TILE, sums);
        if (words) {
          ernn_tile_requantized(product, tile, sums, words + at);
        } else {
          ernn_tile_to_float(product, tile, sums, floats + at);
        }
      }
    }
    weights += stride * quads;
  }
}

static void u8_product__portable(const uint8_t *x, size_t x_stride, uint32_t rows,
                                 const ernn_product *product, int16_t *out, size_t out_stride) {
  gemm__portable(x, NULL, x_stride, rows, product, out, NULL, out_stride);
}

static void s16_product__portable(const int16_t *x, size_t x_stride, uint32_t rows,
                                  const ernn_product *product, int16_t *out, size_t out_stride) {
  gemm__portable(NULL, x, x_stride, rows, product, out, NULL, out_stride);
}

static void u8_sums__portable(const uint8_t *x, size_t x_stride, uint32_t rows,
                              const ernn_product *product, float *out, size_t out_stride) {
  gemm__portable(x, NULL, x_stride, rows, product, NULL, out, out_stride);
}

static void s16_sums__portable(const int16_t *x, size_t x_stride, uint32_t rows,
                               const ernn_product *product, float *out, size_t out_stride) {
  gemm__portable(NULL, x, x_stride, rows, product, NULL, out, out_stride);
}

static void s16_gru__portable(const int16_t *x, const int16_t *r, int16_t *h, uint8_t *fed,
                              uint32_t tiles, ernn_hard hard) {
  for (uint32_t tile = 0; tile < tiles; tile++, x += 48, r += 48, h += 16, fed += 16) {
    for (uint32_t i = 0; i < ERNN_TILE; i++) {
      int32_t z = ernn_fixed_gate(ernn_adds(x[i], r[i]), hard);
      int32_t reset = ernn_fixed_gate(ernn_adds(x[16 + i], r[16 + i]), hard);
      int32_t n = ernn_fixed_tanh(ernn_adds(x[32 + i], ernn_mulr(reset, r[32 + i])));
      h[i] = (int16_t)ernn_gru_state(z, n, h[i]);
      fed[i] = ernn_fed(h[i]);
    }
  }
}

static void s16_lstm__portable(const int16_t *x, const int16_t *r, int16_t *h, int16_t *c,
                               const ernn_cell *cells, uint8_t *fed, uint32_t tiles,
                               ernn_hard hard) {
  for (uint32_t tile = 0; tile < tiles; tile++, x += 64, r += 64, h += 16, c += 16, fed += 16) {
    const ernn_cell *cell = cells + tile;
    for (uint32_t k = 0; k < ERNN_TILE; k++) {
      int32_t i = ernn_fixed_gate(ernn_adds(x[k], r[k]), hard);
      int32_t f = ernn_fixed_gate(ernn_adds(x[16 + k], r[16 + k]), hard);
      int32_t n = ernn_fixed_tanh(ernn_adds(x[32 + k], r[32 + k]));
      int32_t o = ernn_fixed_gate(ernn_adds(x[48 + k], r[48 + k]), hard);
      c[k] = (int16_t)ernn_lstm_cell(i, f, n, c[k], cell->exponent[ERNN_LANE(k)]);
      h[k] = (int16_t)ernn_lstm_state(o, c[k], cell->limit[k], cell->factor[k]);
      fed[k] = ernn_fed(h[k]);
    }
  }
}

ERNN_ROW_KERNELS(ERNN_ANY_TARGET, portable, bytes_of, planes_of)

const ernn_kernels ernn_kernels_portable = {
    .isa = ERNN_ISA_PORTABLE,
    .rows = &ernn_rows_portable,
    .f32_gemm = ERNN_KERNEL_IF(ERNN_HAS_FLOAT_GEMM, ernn_f32_gemm__portable),
    .f32_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_f32_gru__portable),
    .f32_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_f32_lstm__portable),
    .dynamic_gru = ERNN_KERNEL_IF(ERNN_HAS(GRU), ernn_dynamic_gru__portable),
    .dynamic_lstm = ERNN_KERNEL_IF(ERNN_HAS(LSTM), ernn_dynamic_lstm__portable),
    .f32_sigmoid = ernn_f32_sigmoid__portable,
    .f32_tanh = ernn_f32_tanh__portable,
    .u8_product = u8_product__portable,
    .s16_product = s16_product__portable,
    .u8_sums = u8_sums__portable,
    .s16_sums = s16_sums__portable,
    .nibble_gemm = ERNN_NIBBLES_OR_NULL(ernn_nibble_gemm__portable),
    .s16_gru = ERNN_KERNEL_IF(ERNN_HAS(QGRU), s16_gru__portable),
    .s16_lstm = ERNN_KERNEL_IF(ERNN_HAS(QLSTM), s16_lstm__portable),
};
