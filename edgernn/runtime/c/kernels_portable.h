/* kernels_portable.h: portable kernels that other tables use too. */
#ifndef KERNELS_PORTABLE_H
#define KERNELS_PORTABLE_H

#include "ernn_fixed_point.h"
#include "ernn_kernels.h"

ernn_f32_gemm ernn_f32_gemm__portable;
ernn_f32_gru ernn_f32_gru__portable;
ernn_f32_lstm ernn_f32_lstm__portable;
ernn_dynamic_gru ernn_dynamic_gru__portable;
ernn_dynamic_lstm ernn_dynamic_lstm__portable;
ernn_f32_map ernn_f32_sigmoid__portable;
ernn_f32_map ernn_f32_tanh__portable;

/* What becomes of a tile's sums (in the order of lanes): Q4.11 or float32. */
ERNN_INLINE void ernn_tile_requantized(const ernn_product *product, uint32_t tile, const int32_t *sums,
                            int16_t *out) {
  const int32_t *shift = product->shift + tile * ERNN_TILE;
  for (uint32_t i = 0; i < ERNN_TILE; i++) {
    uint32_t lane = ERNN_LANE(i);
    int32_t a = ernn_sat16(sums[lane] >> shift[lane]);
    out[i] = (int16_t)ernn_mulr(a, product->multiplier[tile * ERNN_TILE + i]);
  }
}

ERNN_INLINE void ernn_tile_to_float(const ernn_product *product, uint32_t tile, const int32_t *sums,
                          float *out) {
  const float *scale = product->output_scale + tile * ERNN_TILE;
  for (uint32_t i = 0; i < ERNN_TILE; i++) {
    out[i] = (float)sums[ERNN_LANE(i)] * scale[ERNN_LANE(i)];
  }
}

#endif
