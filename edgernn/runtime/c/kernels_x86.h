/* kernels_x86.h: AVX2 kernels that more than one table or file uses. */
#ifndef KERNELS_X86_H
#define KERNELS_X86_H

#include "kernels_intrinsics.h"

#include "ernn_kernels.h"
#include "kernels_portable.h"

#define AVX2 ERNN_TARGET("avx2,fma,f16c")

ernn_f32_gemm ernn_f32_gemm__avx2;
ernn_f32_gru ernn_f32_gru__avx2;
ernn_f32_lstm ernn_f32_lstm__avx2;
#if ERNN_IS_SMALL /* the portable ones, as on ARM */
#define DYNAMIC_GRU ernn_dynamic_gru__portable
#define DYNAMIC_LSTM ernn_dynamic_lstm__portable
#else
#define DYNAMIC_GRU ernn_dynamic_gru__avx2
#define DYNAMIC_LSTM ernn_dynamic_lstm__avx2
ernn_dynamic_gru DYNAMIC_GRU;
ernn_dynamic_lstm DYNAMIC_LSTM;
#endif
ernn_f32_map ernn_f32_sigmoid__avx2;
ernn_f32_map ernn_f32_tanh__avx2;
ernn_s16_gru ernn_s16_gru__avx2;
ernn_s16_lstm ernn_s16_lstm__avx2;

/* At the end of each round of a loop: gcc 12 else copies each sum to another register and back. */
#define KEEP_IN_PLACE(sums, count)                                                                 \
  do {                                                                                             \
    ERNN_UNROLL                                                                                    \
    for (int kept = 0; kept < (count); kept++) __asm__("" : "+v"((sums)[kept]));                   \
  } while (0)

/* What becomes of a tile's sums (in the order of lanes): Q4.11 or float32. */
AVX2 ERNN_ONE_COPY void finish_tile__avx2(__m256i low, __m256i high, const ernn_product *product,
                                  size_t column, void *out, size_t at, const int to_float) {
  if (to_float) {
    const float *scale = product->output_scale + column;
    __m256 first = _mm256_mul_ps(_mm256_cvtepi32_ps(low), _mm256_loadu_ps(scale));
    __m256 second = _mm256_mul_ps(_mm256_cvtepi32_ps(high), _mm256_loadu_ps(scale + 8));
    _mm256_storeu_ps((float *)out + at, _mm256_permute2f128_ps(first, second, 0x20));
    _mm256_storeu_ps((float *)out + at + 8, _mm256_permute2f128_ps(first, second, 0x31));
  } else {
    const __m256i *shift = (const __m256i *)(const void *)(product->shift + column);
    const void *multiplier = product->multiplier + column;
    low = _mm256_srav_epi32(low, _mm256_loadu_si256(shift));
    high = _mm256_srav_epi32(high, _mm256_loadu_si256(shift + 1));
    __m256i scaled = _mm256_mulhrs_epi16(_mm256_packs_epi32(low, high),
                                         _mm256_loadu_si256((const __m256i *)multiplier));
    _mm256_storeu_si256((__m256i *)(void *)((int16_t *)out + at), scaled);
  }
}

#endif
