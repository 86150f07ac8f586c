/* kernels_neon_f32.c: float32 on every 64-bit ARM processor (armv8.0). */

#include "ernn_kernels.h"

#if defined(ERNN_HAS_NEON) && defined(__aarch64__)

#include "kernels_neon.h"

/* Four weights as float32. */
ERNN_INLINE float32x4_t load_weights__neon(const void *weights, size_t index, uint32_t type) {
  if (type == ERNN_MATRIX_F32) return vld1q_f32((const float *)weights + index);
  if (type == ERNN_MATRIX_F16) {
    uint16x4_t halves = vld1_u16((const uint16_t *)weights + index);
    return vcvt_f32_f16(vreinterpret_f16_u16(halves));
  }
  int32_t bytes;
  __builtin_memcpy(&bytes, (const int8_t *)weights + index, sizeof bytes);
  int16x8_t words = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(bytes)));
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
}

/* `m` rows of x times `n` vectors of 4 columns; constants where it is inlined. */
ERNN_INLINE void f32_block__neon(const float *x, size_t x_stride, const ernn_matrix *matrix, size_t first,
                           size_t stride, uint32_t type, size_t column, const float *bias,
                           float *out, size_t out_stride, const int m, const int n) {
  float32x4_t sums[24];
  ERNN_UNROLL
  for (int i = 0; i < m * n; i++) sums[i] = vdupq_n_f32(0.0f);
  for (uint32_t k = 0; k < matrix->rows; k++, first += stride) {
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      float32x4_t w = load_weights__neon(matrix->panels, first + 4 * (size_t)j, type);
      ERNN_UNROLL
      for (int i = 0; i < m; i++) {
        sums[i * n + j] = vfmaq_n_f32(sums[i * n + j], w, x[(size_t)i * x_stride + k]);
      }
    }
  }
  ERNN_UNROLL
  for (int i = 0; i < m; i++) {
    ERNN_UNROLL
    for (int j = 0; j < n; j++) {
      size_t at = column + 4 * (size_t)j;
      float32x4_t sum = sums[i * n + j];
      if (type == ERNN_MATRIX_S8) sum = vmulq_f32(sum, vld1q_f32(matrix->scales + at));
      if (bias) sum = vaddq_f32(sum, vld1q_f32(bias + at));
      vst1q_f32(out + (size_t)i * out_stride + at, sum);
    }
  }
}

ERNN_INLINE void f32_columns__neon(const float *x, size_t x_stride, uint32_t rows,
                             const ernn_matrix *matrix, size_t first, size_t stride, uint32_t type,
                             size_t column, const float *bias, float *out, size_t out_stride,
                             const int n) {
  uint32_t row = 0;
  for (; row + 2 <= rows; row += 2) {
    f32_block__neon(x + row * x_stride, x_stride, matrix, first, stride, type, column, bias,
              out + row * out_stride, out_stride, 2, n);
  }
  if (row < rows) {
    f32_block__neon(x + row * x_stride, x_stride, matrix, first, stride, type, column, bias,
              out + row * out_stride, out_stride, 1, n);
  }
}

ERNN_INLINE void f32_gemm_of__neon(const float *x, size_t x_stride, uint32_t rows,
                             const ernn_matrix *matrix, uint32_t type, const float *bias,
                             float *out, size_t out_stride) {
  uint32_t tiles = matrix->columns / ERNN_TILE;
  for (uint32_t panel = 0; panel < tiles; panel += matrix->tiles) {
    uint32_t taken = tiles - panel < matrix->tiles ? tiles - panel : matrix->tiles;
    size_t column = (size_t)panel * ERNN_TILE, first = column * matrix->rows;
    size_t stride = (size_t)taken * ERNN_TILE;
    if (taken == 3 && !ERNN_IS_SMALL) {
      f32_columns__neon(x, x_stride, rows, matrix, first, stride, type, column, bias, out, out_stride,
                  12);
      continue;
    }
    for (; taken >= 2; taken -= 2, first += 32, column += 32) {
      f32_columns__neon(x, x_stride, rows, matrix, first, stride, type, column, bias, out, out_stride, 8);
    }
    if (taken) {
      f32_columns__neon(x, x_stride, rows, matrix, first, stride, type, column, bias, out, out_stride, 4);
    }
  }
}

void ernn_f32_gemm__neon(const float *x, size_t x_stride, uint32_t rows, const ernn_matrix *matrix,
                    const float *bias, float *out, size_t out_stride) {
  switch (matrix->type) {
    case ERNN_MATRIX_F32:
      f32_gemm_of__neon(x, x_stride, rows, matrix, ERNN_MATRIX_F32, bias, out, out_stride);
      break;
    case ERNN_MATRIX_F16:
      f32_gemm_of__neon(x, x_stride, rows, matrix, ERNN_MATRIX_F16, bias, out, out_stride);
      break;
    default: f32_gemm_of__neon(x, x_stride, rows, matrix, ERNN_MATRIX_S8, bias, out, out_stride);
  }
}

#else
typedef int ernn_no_neon_f32; /* C99 wants something in every file */
#endif
