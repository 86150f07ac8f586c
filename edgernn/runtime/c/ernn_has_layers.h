/* ernn_has_layers.h: which layers this library has. */
#ifndef ERNN_HAS_LAYERS_H
#define ERNN_HAS_LAYERS_H

#include "ernn_format.h"

/* Those of ERNN_ONLY_<LAYER>, or all where none is defined.  -D gives a
 * macro the value 1; ERNN_IS_SET is 1 for such a name and 0 for one that is no macro. */
#define ERNN_TRIED_1 0,
#define ERNN_SECOND_OF(first, second, ...) second
#define ERNN_CHOSEN(tried) ERNN_SECOND_OF(tried 1, 0, 0)
#define ERNN_TRIED(value) ERNN_CHOSEN(ERNN_TRIED_##value)
#define ERNN_IS_SET(macro) ERNN_TRIED(macro)
#define ERNN_OP_BIT(name) | (uint64_t)ERNN_IS_SET(ERNN_ONLY_##name) << ERNN_OP_##name
#define ERNN_ONLY_THESE (0u ERNN_OP_LIST(ERNN_OP_BIT))
#define ERNN_HAS_OP(kind) (ERNN_ONLY_THESE == 0 || (ERNN_ONLY_THESE >> (kind) & 1u) != 0)

/* A constant: what is behind `if (ERNN_HAS(GRU))` needs no memory in a library without GRU. */
#define ERNN_HAS(name) ERNN_HAS_OP(ERNN_OP_##name)
#define ERNN_HAS_EITHER(one, other) (ERNN_HAS(one) || ERNN_HAS(other))
#define ERNN_HAS_FLOAT_CELLS (ERNN_HAS(GRU) || ERNN_HAS(LSTM) || ERNN_HAS(RNN))
#define ERNN_HAS_INTEGER_CELLS (ERNN_HAS(QGRU) || ERNN_HAS(QLSTM) || ERNN_HAS(QRNN))
#define ERNN_HAS_IMAGES                                                                            \
  (ERNN_HAS(CONV2D) || ERNN_HAS(DEPTHWISE2D) || ERNN_HAS(QCONV2D) || ERNN_HAS(QDEPTHWISE2D))
#define ERNN_HAS_WINDOWS (ERNN_HAS_EITHER(CONV, QCONV) || ERNN_HAS(DEPTHWISE))
#define ERNN_HAS_FLOAT_LINEAR (ERNN_HAS(DENSE) || ERNN_HAS(CONV) || ERNN_HAS(CONV2D))
#define ERNN_HAS_INTEGER_LINEAR (ERNN_HAS(QDENSE) || ERNN_HAS(QCONV) || ERNN_HAS(QCONV2D))
#define ERNN_HAS_CELLS (ERNN_HAS_FLOAT_CELLS || ERNN_HAS_INTEGER_CELLS)
#define ERNN_HAS_LINEAR (ERNN_HAS_FLOAT_LINEAR || ERNN_HAS_INTEGER_LINEAR)
#define ERNN_HAS_FLOAT_GEMM (ERNN_HAS_FLOAT_CELLS || ERNN_HAS_FLOAT_LINEAR)
#define ERNN_HAS_FLOAT_KERNELS                                                                     \
  (ERNN_HAS_FLOAT_CELLS || ERNN_HAS_FLOAT_LINEAR || ERNN_HAS_EITHER(DEPTHWISE, DEPTHWISE2D))
#define ERNN_HAS_OTHERS                                                                            \
  (ERNN_HAS(EMBEDDING) || ERNN_HAS(DEPTHWISE) || ERNN_HAS(POOL) || ERNN_HAS(GLOBAL_POOL))
#define ERNN_HAS_ELEMENTS                                                                          \
  (ERNN_HAS(AFFINE) || ERNN_HAS(LAYER_NORM) || ERNN_HAS(ACTIVATE) || ERNN_HAS(PRELU))
#define ERNN_HAS_CHOICES (ERNN_HAS(CAST) || ERNN_HAS_EITHER(COMPARE, WHERE))
/* Layers along an axis of their input. */
#define ERNN_HAS_AXES                                                                              \
  (ERNN_HAS_EITHER(UPSAMPLE, PAD) || ERNN_HAS_EITHER(SLICE_STEPS, POOL))
/* These are one after the other: RESHAPE to APPLY_MASK. */
#define ERNN_SHAPING_BITS (((1ull << ERNN_OP_QDENSE) - 1) & ~((1ull << ERNN_OP_RESHAPE) - 1))
#define ERNN_HAS_SHAPING (ERNN_ONLY_THESE == 0 || (ERNN_ONLY_THESE & ERNN_SHAPING_BITS) != 0)

/* In a table of kernels: those of layers that the library has not are left out of it. */
#define ERNN_KERNEL_IF(needed, kernel) ((needed) ? (kernel) : NULL)

/* A library built with ERNN_WITHOUT_NIBBLES is smaller, and refuses models that need them. */
#ifdef ERNN_WITHOUT_NIBBLES
#define ERNN_HAS_NIBBLES 0
#define ERNN_FEATURE_PACKED 0u
#define ERNN_NIBBLES_OR_NULL(kernel) NULL
#else
#define ERNN_HAS_NIBBLES 1
#define ERNN_FEATURE_PACKED ERNN_FEATURE_NIBBLES
#define ERNN_NIBBLES_OR_NULL(kernel) kernel
#endif

/* A library built with ERNN_WITHOUT_SOUND or _TEXT refuses models with a front end of that kind. */
#ifdef ERNN_WITHOUT_SOUND
#define ERNN_FEATURE_SOUND 0u
#define ERNN_FEATURE_SENSORS 0u
#else
#define ERNN_FEATURE_SOUND ERNN_FEATURE_FRONT_END
#define ERNN_FEATURE_SENSORS ERNN_FEATURE_SENSOR
#endif
#ifdef ERNN_WITHOUT_TEXT
#define ERNN_FEATURE_TOKENS 0u
#else
#define ERNN_FEATURE_TOKENS ERNN_FEATURE_TEXT
#endif
#define ERNN_FEATURES_SMALL                                                                        \
  (ERNN_FEATURE_PAIRS_SAFE | ERNN_FEATURE_INTEGER | ERNN_FEATURE_DYNAMIC |                         \
   ERNN_FEATURE_SOUND | ERNN_FEATURE_SENSORS | ERNN_FEATURE_TOKENS | ERNN_FEATURE_ATTENTION |      \
   ERNN_FEATURE_CHOICES | ERNN_FEATURE_PACKED)
/* A library built with ERNN_WITHOUT_IMAGES is smaller, and refuses models that need them. */
#ifdef ERNN_WITHOUT_IMAGES
#define ERNN_FEATURES_KNOWN ERNN_FEATURES_SMALL
#else
#define ERNN_FEATURES_KNOWN (ERNN_FEATURES_SMALL | ERNN_FEATURE_IMAGES)
#endif

#endif
