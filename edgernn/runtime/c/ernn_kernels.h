/* ernn_kernels.h: the inner loops that exist once for each instruction set.
 *
 * A kernel is called <datatype>_<what>__<isa>; kernels_<isa>.c holds one table of them.  The
 * portable ones define what the others must compute.
 */
#ifndef ERNN_KERNELS_H
#define ERNN_KERNELS_H

#include "ernn_has_layers.h"

/* ---- Arithmetic ----
 *
 * Each operation on floats is rounded by itself.  Compilers may otherwise fuse a product and a sum
 * (clang on 64-bit ARM and gcc by default), which gives other bits; so no build needs a flag for it.
 * gcc knows only its own pragma.  -ffp-contract=fast on clang's command line is stronger than both. */
#if defined(__FAST_MATH__)
#error "-ffast-math changes results: compile the files of ernn without it"
#endif
#if defined(__i386__) && !defined(__SSE_MATH__) && !defined(_MSC_VER)
#error "x87 rounds twice: compile the files of ernn with -msse2 -mfpmath=sse"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__) && __STDC_HOSTED__
#pragma GCC optimize("fp-contract=off")
#elif defined(__GNUC__) /* the pragma forgets that -ffreestanding forbids calls of memset */
#pragma GCC optimize("fp-contract=off", "no-tree-loop-distribute-patterns")
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

/* ---- Which instruction sets this build has ---- */

#if !defined(ERNN_PORTABLE) && (defined(__GNUC__) || defined(__clang__))
#if defined(__x86_64__)
#define ERNN_HAS_X86 1
#if !defined(ERNN_WITHOUT_AVX512)
#define ERNN_HAS_AVX512 1
#endif
/* Compilers and assemblers that know the instructions; Apple counts its clang one or two ahead. */
#if defined(ERNN_HAS_AVX512) && (defined(__clang__) ? __clang_major__ >= 13 : __GNUC__ >= 11)
#define ERNN_HAS_AVXVNNI 1
#endif
/* Linux gives the tiles to those who ask for them. */
#if defined(ERNN_HAS_AVX512) && defined(__linux__) && __STDC_HOSTED__ && (defined(__clang__) || __GNUC__ >= 11)
#define ERNN_HAS_AMX 1
#endif
#elif defined(__aarch64__)
#define ERNN_HAS_ARM64 1
#define ERNN_HAS_NEON 1
#if defined(__clang__) ? __clang_major__ >= 13 : __GNUC__ >= 10 /* as for AVX-VNNI */
#define ERNN_HAS_I8MM 1
#endif
#elif defined(__arm__) && defined(__ARM_NEON) /* -mfpu=neon; the default for Android */
#define ERNN_HAS_NEON 1
#elif defined(__wasm_simd128__)
#define ERNN_HAS_SIMD128 1
#if defined(__wasm_relaxed_simd__)
#define ERNN_HAS_RELAXED 1
#endif
#endif
#endif

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

/* Numbers of the dynamic scheme before they are scaled: each is of[i] * scale + bias[i]; bias may be
 * null. */
typedef struct ernn_scaled {
  const float *of, *bias;
  float scale;
} ernn_scaled;

/* The same steps of the dynamic scheme, which scale what they read: the portable ones' bits.  fed: h as
 * bytes of states up to 1 are, what the next product takes; nonzero is returned where one is beyond. */
typedef uint32_t ernn_dynamic_gru(const ernn_scaled *x, const ernn_scaled *r, float *h, uint8_t *fed,
                                  uint32_t tiles);
typedef uint32_t ernn_dynamic_lstm(const ernn_scaled *x, const ernn_scaled *r, float *h, float *c,
                                   uint8_t *fed, uint32_t tiles);

/* Of states up to 1 in magnitude: q = h * ERNN_STATE_STEPS, up to ERNN_STATE_LIMIT. */
#define ERNN_STATE_STEPS 128.0f
#define ERNN_STATE_LIMIT 127.0f

/* In place over `count` elements. */
typedef void ernn_f32_map(float *x, size_t count);

/* An integer product.  Weights lie in panels as above, but four rows at a time:
 * [panel][rows / 4][tile][2][8 columns][4 rows], the columns of a tile in the order of ERNN_LANE;
 * rows are padded with zeros.  Of the numbers for each column, those of 32 bits are in the order of
 * lanes, the multipliers in the natural one. */
typedef struct ernn_product {
  const int8_t *panels;
  const int32_t *bias;          /* where sums of signed numbers begin */
  const int32_t *unsigned_bias; /* where sums of bytes q + 128 begin */
  const int32_t *shift;         /* of a PRODUCT */
  const int16_t *multiplier;    /* of a PRODUCT */
  const float *output_scale;    /* of an ACCUMULATION */
  uint32_t rows, columns, tiles;
  uint16_t is_nibbles; /* two weights in a byte: only ernn_nibble_gemm multiplies them */
  uint16_t is_any;     /* pairs of weights need not be safe */
} ernn_product;

/* Rows of integers times a PRODUCT, requantized to Q4.11: docs/integer-arithmetic.md, section 4.
 * u8: bytes q + 128.  x must be readable up to a multiple of 4 numbers; strides in elements. */
typedef void ernn_u8_product(const uint8_t *x, size_t x_stride, uint32_t rows,
                             const ernn_product *product, int16_t *out, size_t out_stride);
typedef void ernn_s16_product(const int16_t *x, size_t x_stride, uint32_t rows,
                              const ernn_product *product, int16_t *out, size_t out_stride);

/* Rows of integers times an ACCUMULATION: float32(sum) * output_scale. */
typedef void ernn_u8_sums(const uint8_t *x, size_t x_stride, uint32_t rows,
                          const ernn_product *product, float *out, size_t out_stride);
typedef void ernn_s16_sums(const int16_t *x, size_t x_stride, uint32_t rows,
                           const ernn_product *product, float *out, size_t out_stride);

/* The same with 16-bit numbers in two planes of bytes, exact: q + 32768 = 256 high + low.  x: the high
 * bytes; those below are `plane` bytes further.  Strides of x are in bytes. */
typedef void ernn_planes_product(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                                 const ernn_product *product, int16_t *out, size_t out_stride);
typedef void ernn_planes_sums(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                              const ernn_product *product, float *out, size_t out_stride);

/* Any of these with weights of 4 bits.  x as of the form: bytes q + 128, two planes, or words; x_stride
 * in bytes.  out: float32 where to_float, else Q4.11. */
typedef enum ernn_nibble_form {
  ERNN_NIBBLES_OF_BYTES,
  ERNN_NIBBLES_OF_PLANES,
  ERNN_NIBBLES_OF_WORDS,
} ernn_nibble_form;
typedef void ernn_nibble_gemm(const uint8_t *x, size_t x_stride, size_t plane, uint32_t rows,
                              const ernn_product *product, void *out, size_t out_stride,
                              int to_float, ernn_nibble_form form);

ernn_nibble_gemm ernn_nibble_gemm__portable;
ernn_nibble_gemm ernn_nibble_gemm__avx2;
ernn_nibble_gemm ernn_nibble_gemm__avx512vnni;
ernn_nibble_gemm ernn_nibble_gemm__neon;
ernn_nibble_gemm ernn_nibble_gemm__neondot;

/* hard(p) of section 5; zeros for sigmoid. */
typedef struct ernn_hard {
  int16_t limit, factor;
} ernn_hard;

/* One step of `tiles` tiles of 16 units (section 6; of a GRU with reset_after).  x and r: input and
 * recurrent parts in Q4.11, [tile][gate][16].  fed: narrow(h) + 128, what the next product takes. */
typedef void ernn_s16_gru(const int16_t *x, const int16_t *r, int16_t *h, uint8_t *fed,
                          uint32_t tiles, ernn_hard hard);
typedef void ernn_s16_lstm(const int16_t *x, const int16_t *r, int16_t *h, int16_t *c,
                           const ernn_cell *cells, uint8_t *fed, uint32_t tiles, ernn_hard hard);

/* The recurrent product of one sequence's step and its gates in one.  fed: of the step before; next: what
 * the next step takes, elsewhere.  turn: the number of the step, see ERNN_PARTS.  recurrent has panels of
 * as many tiles as the cell has gates. */
typedef void ernn_u8_gru(const ernn_product *recurrent, const int16_t *x, const uint8_t *fed,
                         int16_t *h, uint8_t *next, uint32_t turn, ernn_hard hard);
typedef void ernn_u8_lstm(const ernn_product *recurrent, const int16_t *x, const uint8_t *fed,
                          int16_t *h, int16_t *c, const ernn_cell *cells, uint8_t *next,
                          uint32_t turn, ernn_hard hard);

/* The same of the dynamic scheme.  r: its bias and scale only. */
typedef uint32_t ernn_u8_dynamic_gru(const ernn_product *recurrent, const ernn_scaled *x,
                                     const ernn_scaled *r, const uint8_t *fed, float *h,
                                     uint8_t *next, uint32_t turn);
typedef uint32_t ernn_u8_dynamic_lstm(const ernn_product *recurrent, const ernn_scaled *x,
                                      const ernn_scaled *r, const uint8_t *fed, float *h, float *c,
                                      uint8_t *next, uint32_t turn);

/* Where the numbers under a window of one channel are: distances in numbers. */
typedef struct ernn_taps {
  uint32_t rows, columns;         /* of the window */
  size_t row, column;             /* from one tap to the next */
  size_t weights;                 /* from the weights of one tap to the next */
} ernn_taps;

/* Rows of floats.  peak: the largest magnitude, NaN left out, infinity as the largest number.  scale:
 * x * scale + bias in place; bias may be null.  The others read floats as integers, as section 3 of
 * docs/integer-arithmetic.md: bytes q + 128, words q, or the two planes of q. */
typedef struct ernn_row_kernels {
  float (*peak)(const float *x, size_t count);
  void (*scale)(float *x, size_t count, float scale, const float *bias);
  void (*bytes)(const float *x, size_t count, float reciprocal, float limit, uint8_t *out);
  void (*words)(const float *x, size_t count, float reciprocal, float limit, int16_t *out);
  void (*planes)(const float *x, size_t count, float reciprocal, float limit, uint8_t *high,
                 uint8_t *low);
  /* sums[i] += x[tap][i] * w[tap][i] over all taps of a window, for ERNN_TILE channels at once; bytes
   * are q + 128.  Exact, so that their order does not matter; they wrap in a hostile file. */
  void (*byte_taps)(const uint8_t *x, const int16_t *w, const ernn_taps *taps, uint32_t *sums);
  void (*word_taps)(const int16_t *x, const int16_t *w, const ernn_taps *taps, uint32_t *sums);
} ernn_row_kernels;

extern const ernn_row_kernels ernn_rows_portable;
extern const ernn_row_kernels ernn_rows_avx2;
extern const ernn_row_kernels ernn_rows_avx512vnni;
extern const ernn_row_kernels ernn_rows_simd128;

typedef struct ernn_kernels {
  ernn_isa isa;
  uint32_t pairs_saturate; /* sums of bytes are exact only where the file's pairs are safe... */
  const ernn_row_kernels *rows;
  ernn_f32_gemm *f32_gemm; /* any of the three types of matrix */
  ernn_f32_gru *f32_gru;
  ernn_f32_lstm *f32_lstm;
  ernn_dynamic_gru *dynamic_gru;
  ernn_dynamic_lstm *dynamic_lstm;
  ernn_f32_map *f32_sigmoid;
  ernn_f32_map *f32_tanh;
  ernn_u8_product *u8_product;
  ernn_s16_product *s16_product;
  ernn_u8_sums *u8_sums;
  ernn_s16_sums *s16_sums;
  ernn_u8_sums *any_u8_sums; /* ... but these of bytes up to 127 in magnitude always are; may be null */
  ernn_planes_product *planes_product; /* null where s16_product is as fast */
  ernn_planes_sums *planes_sums;
  ernn_nibble_gemm *nibble_gemm; /* reads planes where planes_product is not null */
  ernn_s16_gru *s16_gru;
  ernn_s16_lstm *s16_lstm;
#ifdef ERNN_HAS_AVX512
  ernn_u8_gru *u8_gru; /* null where the product and the gates apart are as fast */
  ernn_u8_lstm *u8_lstm;
  ernn_u8_dynamic_gru *u8_dynamic_gru;
  ernn_u8_dynamic_lstm *u8_dynamic_lstm;
#endif
} ernn_kernels;

/* Null where the build has no such kernels. */
extern const ernn_kernels *const ernn_kernels_by_isa[ERNN_ISA_COUNT];

/* Whether this engine's products of bytes are as these kernels, of kernels_relaxed.c, need them. */
int ernn_has_relaxed(ernn_isa isa);

/* Kernels name their instruction set themselves, so that one compiler call builds every file. */
#if defined(__GNUC__) || defined(__clang__)
#define ERNN_TARGET(features) __attribute__((target(features)))
#define ERNN_INLINE static inline __attribute__((always_inline))
#define ERNN_NOINLINE __attribute__((noinline))
#elif defined(_MSC_VER)
#define ERNN_INLINE static __forceinline
#define ERNN_NOINLINE __declspec(noinline)
#else
#define ERNN_INLINE static inline
#define ERNN_NOINLINE
#endif

/* What a product and sums can share, or rows of bytes and of words: with ERNN_SMALL a function of its
 * own, else once for each of them, which executes 3 to 12 % fewer instructions.  ERNN_SMALL=2 saves
 * 500 bytes of compressed WebAssembly more and costs relaxed SIMD an eighth of its speed.  Compilers
 * that lack attributes have neither these kernels nor the choice. */
#if defined(ERNN_SMALL) && (defined(__GNUC__) || defined(__clang__))
#define ERNN_IS_SMALL (ERNN_SMALL + 0)
#define ERNN_ONE_COPY __attribute__((noinline, unused)) static
#else
#define ERNN_IS_SMALL 0
#define ERNN_ONE_COPY ERNN_INLINE
#endif

/* gcc unrolls these small loops of constant length by itself at -O3, clang (the NDK's too) only
 * when told so, and without it keeps accumulators in memory.  Builds that check each access define
 * it as nothing: unrolled, they take minutes to compile. */
#if defined(ERNN_UNROLL)
#elif defined(__clang__)
#define ERNN_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define ERNN_UNROLL _Pragma("GCC unroll 16")
#else
#define ERNN_UNROLL
#endif

#endif
