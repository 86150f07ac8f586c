/* kernels_x86.h: AVX2 kernels that more than one table or file uses. */
#ifndef KERNELS_X86_H
#define KERNELS_X86_H

#include "ernn_kernels.h"

#define AVX2 ERNN_TARGET("avx2,fma,f16c")

ernn_f32_gemm ernn_f32_gemm__avx2;
ernn_f32_gru ernn_f32_gru__avx2;
ernn_f32_lstm ernn_f32_lstm__avx2;
ernn_f32_gru ernn_exact_gru__avx2;
ernn_f32_lstm ernn_exact_lstm__avx2;
ernn_f32_map ernn_f32_sigmoid__avx2;
ernn_f32_map ernn_f32_tanh__avx2;
ernn_s16_gru ernn_s16_gru__avx2;
ernn_s16_lstm ernn_s16_lstm__avx2;

#endif
