/* kernels_portable.h: portable kernels that other tables use too. */
#ifndef KERNELS_PORTABLE_H
#define KERNELS_PORTABLE_H

#include "ernn_kernels.h"

ernn_f32_gemm ernn_f32_gemm__portable;
ernn_f32_gru ernn_f32_gru__portable;
ernn_f32_lstm ernn_f32_lstm__portable;
ernn_f32_map ernn_f32_sigmoid__portable;
ernn_f32_map ernn_f32_tanh__portable;

#endif
