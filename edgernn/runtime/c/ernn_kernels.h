/* ernn_kernels.h: the inner loops that exist once for each instruction set.
 *
 * A kernel is called <datatype>_<what>__<isa>; kernels_<isa>.c holds one table of them.  The
 * portable ones define what the others must compute.
 */
#ifndef ERNN_KERNELS_H
#define ERNN_KERNELS_H

#include "ernn_format.h"

/* Weights in panels of `tiles` tiles of 16 columns; the last panel may have fewer.  A panel holds
 * its rows one after the other, so that a product reads it from start to end. */
typedef struct ernn_matrix {
  const void *panels;
  const float *scales; /* [columns], of MATRIX_S8 */
  uint32_t type;
  uint32_t rows, columns, tiles;
} ernn_matrix;

/* out[m][n] = sum over k of x[m][k] * w[k][n] + bias[n] for m < rows.  The sum goes over k in
 * order for each n, whatever `rows` is: a step computed alone equals the same step in a block.
 * bias may be null.  out is `columns` wide; strides are in elements. */
typedef void ernn_f32_gemm(const float *x, size_t x_stride, uint32_t rows,
                           const ernn_matrix *matrix, const float *bias, float *out,
                           size_t out_stride);

/* One step of `tiles` tiles of 16 units with the default activations (sigmoid, tanh).
 * x and r: input and recurrent parts [tile][gate][16], each with its bias. */
typedef void ernn_f32_gru(const float *x, const float *r, float *h, uint32_t tiles);
typedef void ernn_f32_lstm(const float *x, const float *r, float *h, float *c, uint32_t tiles);

/* In place over `count` elements. */
typedef void ernn_f32_map(float *x, size_t count);

typedef struct ernn_kernels {
  ernn_isa isa;
  ernn_f32_gemm *f32_gemm; /* any of the three types of matrix */
  ernn_f32_gru *f32_gru;
  ernn_f32_lstm *f32_lstm;
  ernn_f32_map *f32_sigmoid;
  ernn_f32_map *f32_tanh;
} ernn_kernels;

/* Null where the build has no such kernels. */
extern const ernn_kernels *const ernn_kernels_by_isa[ERNN_ISA_COUNT];

/* ---- Which instruction sets this build has ---- */

#if !defined(ERNN_PORTABLE) && (defined(__GNUC__) || defined(__clang__))
#if defined(__x86_64__)
#define ERNN_HAS_X86 1
#elif defined(__aarch64__)
#define ERNN_HAS_NEON 1
#endif
#endif

/* Kernels name their instruction set themselves, so that one compiler call builds every file. */
#define ERNN_TARGET(features) __attribute__((target(features)))
#define ERNN_INLINE static inline __attribute__((always_inline))

/* gcc unrolls these small loops of constant length by itself at -O3, clang (the NDK's too) only
 * when told so, and without it keeps accumulators in memory. */
#if defined(__clang__)
#define ERNN_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define ERNN_UNROLL _Pragma("GCC unroll 16")
#else
#define ERNN_UNROLL
#endif

#endif
