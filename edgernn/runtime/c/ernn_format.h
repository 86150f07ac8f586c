/* ernn_format.h: the .ernn file as C structures.  docs/native-format.md says the same in words.
 *
 * Everything is little-endian and read in place.  Nothing in here is to be trusted before
 * ernn_open has checked it.
 */
#ifndef ERNN_FORMAT_H
#define ERNN_FORMAT_H

#include "ernn.h"

#define ERNN_MAGIC 0x4E4E5245u /* the bytes "ERNN" */
#define ERNN_NONE 0xFFFFFFFFu  /* an edge, constant or slot that is not there */

/* Units (or output channels) come in tiles of 16: one cache line of float32. */
#define ERNN_TILE 16u

/* More than any sequence model for a small device has; they bound the work of ernn_open. */
#define ERNN_MAX_RECORDS 1024u
#define ERNN_MAX_WIDTH (1u << 22)
#define ERNN_MAX_STEPS (1u << 24)
#define ERNN_MAX_ELEMENTS (1u << 28) /* of one edge: its bytes fit 32 bits */

typedef struct ernn_header {
  uint32_t magic;
  uint32_t version;
  uint32_t file_bytes;
  uint32_t crc32;    /* of bytes [16, file_bytes) */
  uint32_t features; /* bits that a reader must know, see ERNN_FEATURE_* */
  uint32_t edge_count, edge_offset;
  uint32_t op_count, op_offset;
  uint32_t constant_count, constant_offset;
  uint32_t input_count, output_count, port_offset; /* inputs first */
  uint32_t text_count, text_offset;
  uint32_t slot_count;
  uint32_t front_end_count, front_end_offset; /* with FRONT_END, TEXT or SENSOR */
  uint32_t reserved[13];                      /* zero */
} ernn_header;

/* Bit 0: recurrent and input weights come in pairs whose sum fits 8 bits (|w[2k] + w[2k+1]| <= 128),
 * so that AVX2's vpmaddubsw cannot saturate.  Bit 1: the file holds integer layers.  Bit 3: kernels of
 * DENSE, GRU, LSTM and RNN may be ACCUMULATIONs: their products are computed in integers.  Bit 4: the
 * file says how its inputs are made of what a sensor gives, see ernn_front_end. */
#define ERNN_FEATURE_PAIRS_SAFE 1u
#define ERNN_FEATURE_INTEGER 2u
#define ERNN_FEATURE_IMAGES 4u
#define ERNN_FEATURE_DYNAMIC 8u
#define ERNN_FEATURE_FRONT_END 16u
#define ERNN_FEATURE_ATTENTION 32u /* layers that multiply two tensors */
#define ERNN_FEATURE_CHOICES 64u   /* layers between numbers and masks */
#define ERNN_FEATURE_NIBBLES 128u  /* weights of 4 bits, two in a byte */
#define ERNN_FEATURE_TEXT 256u     /* an input's tokens are made of text */
#define ERNN_FEATURE_SENSOR 512u   /* an input's rows are made of samples of sensors */

/* A tensor between layers: rows of `width` elements, one row or one for each step. */
typedef struct ernn_edge {
  uint8_t dtype; /* ernn_dtype */
  uint8_t is_sequence;
  uint16_t reserved;
  uint32_t width;
  uint32_t steps; /* of an input sequence: the fixed number of steps, or 0 */
  uint32_t slot;  /* the buffer it lives in; ERNN_NONE for the model's inputs */
} ernn_edge;

/* Elements of a constant, and how they are laid out. */
#define ERNN_CONSTANT_LIST(X)                                                                      \
  X(VECTOR_F32) /* [columns] */                                                                    \
  X(MATRIX_F32) /* packed panels: [panel][rows][tiles of the panel][16] */                         \
  X(MATRIX_F16)                                                                                    \
  X(MATRIX_S8) /* and float32 scales [columns] */                                                  \
  X(TABLE_F32) /* [rows][columns] */                                                               \
  X(TABLE_F16)                                                                                     \
  X(TABLE_S8) /* and float32 scales [rows] */                                                      \
  X(PRODUCT)  /* int8 panels [panel][rows / 4][tiles][2][8 columns][4], see ernn_product */        \
  X(ACCUMULATION)                                                                                  \
  X(CELL) /* ernn_cell per tile of 16 units */

typedef enum ernn_constant_type {
#define ERNN_CONSTANT_ENUM(name) ERNN_##name,
  ERNN_CONSTANT_LIST(ERNN_CONSTANT_ENUM)
#undef ERNN_CONSTANT_ENUM
} ernn_constant_type;

#define ERNN_PACKED_NIBBLES 4u /* a byte holds two weights of 16 n, as n + 8 each */

typedef struct ernn_constant {
  uint32_t type;
  uint32_t rows;    /* k: what is summed over */
  uint32_t columns; /* n: padded to ERNN_TILE in a matrix */
  uint32_t tiles;   /* of a full panel of a matrix, 1 to 4 */
  uint32_t offset;  /* aligned to ERNN_ALIGNMENT */
  uint32_t bytes;
  uint32_t scales; /* offset, aligned to ERNN_ALIGNMENT; 0 where the type has none */
  uint32_t packing; /* of a PRODUCT or an ACCUMULATION: ERNN_PACKED_NIBBLES; else 0 */
} ernn_constant;

/* What an LSTM's integer cells need: docs/integer-arithmetic.md, section 6. */
typedef struct ernn_cell {
  int32_t exponent[ERNN_TILE]; /* in the order of lanes, see ERNN_LANE */
  int16_t limit[ERNN_TILE];    /* L */
  int16_t factor[ERNN_TILE];   /* 2^(e - 3) */
} ernn_cell;

/* Where column i of a tile is among 32-bit numbers: 0-3, 8-11, 4-7, 12-15.  AVX2 narrows two
 * vectors within their 128-bit halves; in this order the result is in the natural one. */
#define ERNN_LANE(i) (((i) & 3u) | ((i) & 4u) << 1 | ((i) & 8u) >> 1)

/* Layers.  Arguments by number are listed at ERNN_ARGUMENTS below. */
#define ERNN_OP_LIST(X)                                                                            \
  X(EMBEDDING)                                                                                     \
  X(DENSE)                                                                                         \
  X(CONV)                                                                                          \
  X(DEPTHWISE)                                                                                     \
  X(POOL)                                                                                          \
  X(GLOBAL_POOL)                                                                                   \
  X(AFFINE)                                                                                        \
  X(LAYER_NORM)                                                                                    \
  X(ACTIVATE)                                                                                      \
  X(PRELU)                                                                                         \
  X(RESHAPE)                                                                                       \
  X(TRANSPOSE)                                                                                     \
  X(REVERSE)                                                                                       \
  X(REPEAT)                                                                                        \
  X(UPSAMPLE)                                                                                      \
  X(PAD)                                                                                           \
  X(SLICE_STEPS)                                                                                   \
  X(SLICE_WIDTH)                                                                                   \
  X(CONCAT_STEPS)                                                                                  \
  X(CONCAT_WIDTH)                                                                                  \
  X(MERGE)                                                                                         \
  X(NOT_EQUAL)                                                                                     \
  X(ANY_NOT_EQUAL)                                                                                 \
  X(APPLY_MASK)                                                                                    \
  X(QDENSE) /* Q: in integers, docs/integer-arithmetic.md */                                       \
  X(QCONV)                                                                                         \
  X(GRU)                                                                                           \
  X(LSTM)                                                                                          \
  X(RNN)                                                                                           \
  X(QGRU)                                                                                          \
  X(QLSTM)                                                                                         \
  X(QRNN)                                                                                          \
  X(CONV2D) /* over rows and columns; the feature IMAGES */                                        \
  X(DEPTHWISE2D)                                                                                   \
  X(QCONV2D)                                                                                       \
  X(QDEPTHWISE2D)                                                                                  \
  X(SWAP)                                                                                          \
  X(ATTENTION) /* the feature ATTENTION */                                                         \
  X(DOT)                                                                                           \
  X(CAST) /* the feature CHOICES */                                                                \
  X(COMPARE)                                                                                       \
  X(WHERE)

typedef enum ernn_op_kind {
#define ERNN_OP_ENUM(name) ERNN_OP_##name,
  ERNN_OP_LIST(ERNN_OP_ENUM)
#undef ERNN_OP_ENUM
      ERNN_OP_COUNT
} ernn_op_kind;

#define ERNN_OP_INPUTS 6u
#define ERNN_OP_OUTPUTS 3u
#define ERNN_OP_ARGUMENTS 20u

typedef struct ernn_op {
  uint32_t kind;
  uint32_t name, name_bytes; /* the layer's, for reports */
  uint32_t inputs[ERNN_OP_INPUTS];
  uint32_t outputs[ERNN_OP_OUTPUTS];
  uint32_t arguments[ERNN_OP_ARGUMENTS]; /* floats by their bits; unused ones are zero */
} ernn_op;

/* Where each argument is.  *_ACTIVATION takes four: kind, alpha, beta, max_value. */
enum {
  ERNN_EMBEDDING_TABLE = 0,

  ERNN_DENSE_KERNEL = 0,
  ERNN_DENSE_BIAS = 1, /* a constant or ERNN_NONE, as every bias */
  ERNN_DENSE_ACTIVATION = 2,

  /* CONV: kernel rows are window * channels.  DEPTHWISE: kernel is a vector [window * channels] */
  ERNN_CONV_WINDOW = 6,
  ERNN_CONV_STRIDE = 7,
  ERNN_CONV_DILATION = 8,
  ERNN_CONV_PADDING = 9,

  ERNN_POOL_KIND = 0, /* 0 maximum, 1 average; of GLOBAL_POOL too */
  ERNN_POOL_WINDOW = 1,
  ERNN_POOL_STRIDE = 2,
  ERNN_POOL_PADDING = 3,

  ERNN_AFFINE_SCALE = 0,
  ERNN_AFFINE_OFFSET = 1,

  ERNN_NORM_GAMMA = 0,
  ERNN_NORM_BETA = 1,
  ERNN_NORM_EPSILON = 2,
  ERNN_NORM_RMS = 3,

  ERNN_ACTIVATE_ACTIVATION = 0,
  ERNN_PRELU_ALPHA = 0,
  ERNN_REPEAT_TIMES = 0, /* of UPSAMPLE too */
  ERNN_PAD_LEFT = 0,
  ERNN_PAD_RIGHT = 1,

  ERNN_SLICE_START = 0, /* signed; negative counts from the end */
  ERNN_SLICE_STOP = 1,  /* signed; INT32_MAX is the end.  SLICE_STEPS only */
  ERNN_SLICE_STEP = 2,

  ERNN_MERGE_KIND = 0,
  ERNN_NOT_EQUAL_VALUE = 0, /* int32, or float32 for ANY_NOT_EQUAL */

  /* GRU, LSTM, RNN.  Columns of the kernels and biases: [tile of 16 units][gate][16]. */
  ERNN_RNN_KERNEL = 0,
  ERNN_RNN_RECURRENT = 1, /* GRU without reset_after: of z and r only */
  ERNN_RNN_CANDIDATE = 2, /* GRU without reset_after: of h; else ERNN_NONE */
  ERNN_RNN_BIAS = 3,
  ERNN_RNN_RECURRENT_BIAS = 4,
  ERNN_RNN_ACTIVATION = 5,
  ERNN_RNN_GATE_ACTIVATION = 9,
  ERNN_RNN_FLAGS = 13,

  /* QDENSE, QCONV: kernel and activation as above, then how the input is read. */
  ERNN_LINEAR_READING = 6,
  ERNN_QCONV_WINDOW = 10, /* then stride, dilation, padding */

  /* CONV2D, DEPTHWISE2D: kernel, bias and activation as above; QCONV2D, QDEPTHWISE2D also the
   * reading.  Then of the rows window, stride, dilation and padding, the same four of the columns,
   * and the image's columns and rows (0: as many as there are steps for). */
  ERNN_CONV2D_ROWS = 6,
  ERNN_QCONV2D_ROWS = 10,

  /* Of POOL, UPSAMPLE, PAD and SLICE_STEPS over another axis than time: its size (0: what the steps
   * give) and how many steps one of it has (0: they work over time). */
  ERNN_AXIS_SIZE = 18,
  ERNN_AXIS_ROWS = 19,

  /* SWAP: [outer][first][second][inner] numbers; a first of 0 is what the steps give. */
  ERNN_SWAP_FIRST = 0,
  ERNN_SWAP_SECOND = 1,
  ERNN_SWAP_INNER = 2,

  ERNN_ATTENTION_SCALE = 0, /* float32 */
  ERNN_ATTENTION_FLAGS = 1,
  ERNN_ATTENTION_ENERGY = 2, /* a vector, or none: scores are products */

  ERNN_DOT_LEFT_STEPS = 0, /* 1: summed over the steps of the left factor, else over its width */
  ERNN_DOT_RIGHT_STEPS = 1,
  ERNN_DOT_NORMALIZE = 2,

  ERNN_COMPARE_KIND = 0,
  ERNN_COMPARE_VALUE = 1, /* float32 */

  /* QGRU, QLSTM, QRNN: kernels as above. */
  ERNN_QRNN_CELL = 3, /* of QLSTM, else ERNN_NONE */
  ERNN_QRNN_READING = 4,
  ERNN_QRNN_STATE_BITS = 8,
  ERNN_QRNN_HARD_LIMIT = 9, /* L and m of hard(p); zeros for sigmoid */
  ERNN_QRNN_HARD_FACTOR = 10,
  ERNN_QRNN_FLAGS = 11
};

/* A reading takes four arguments from its first on. */
enum {
  ERNN_READING_BITS = 0,
  ERNN_READING_RECIPROCAL = 1, /* float32 */
  ERNN_READING_LIMIT = 2,
  ERNN_READING_FROM_STATE = 3
};

enum { ERNN_RNN_SEQUENCES = 1, ERNN_RNN_BACKWARDS = 2, ERNN_RNN_ZERO_MASKED = 4 };
enum { ERNN_ATTENTION_CAUSAL = 1, ERNN_ATTENTION_REPLACED = 2, ERNN_ATTENTION_ZEROED = 4 };
enum { ERNN_PADDING_VALID = 0, ERNN_PADDING_SAME = 1, ERNN_PADDING_CAUSAL = 2 };
enum { ERNN_POOL_MAX = 0, ERNN_POOL_AVERAGE = 1 };

#define ERNN_MERGE_LIST(X)                                                                         \
  X(ADD) X(SUBTRACT) X(MULTIPLY) X(AVERAGE) X(MAXIMUM) X(MINIMUM) X(AND) X(OR)

enum {
#define ERNN_MERGE_ENUM(name) ERNN_MERGE_##name,
  ERNN_MERGE_LIST(ERNN_MERGE_ENUM)
#undef ERNN_MERGE_ENUM
      ERNN_MERGE_COUNT
};

#define ERNN_COMPARE_LIST(X) X(GREATER) X(GREATER_EQUAL) X(LESS) X(LESS_EQUAL)

enum {
#define ERNN_COMPARE_ENUM(name) ERNN_COMPARE_##name,
  ERNN_COMPARE_LIST(ERNN_COMPARE_ENUM)
#undef ERNN_COMPARE_ENUM
      ERNN_COMPARE_COUNT
};

/* In the order of edgernn.graph.ActivationKind. */
#define ERNN_ACTIVATION_LIST(X)                                                                    \
  X(LINEAR)                                                                                        \
  X(RELU)                                                                                          \
  X(SIGMOID)                                                                                       \
  X(HARD_SIGMOID)                                                                                  \
  X(TANH)                                                                                          \
  X(SOFTMAX)                                                                                       \
  X(LOG_SOFTMAX)                                                                                   \
  X(SOFTPLUS)                                                                                      \
  X(SOFTSIGN)                                                                                      \
  X(ELU)                                                                                           \
  X(SELU)                                                                                          \
  X(GELU)                                                                                          \
  X(GELU_TANH)                                                                                     \
  X(SILU)                                                                                          \
  X(HARD_SILU)                                                                                     \
  X(MISH)                                                                                          \
  X(EXPONENTIAL)                                                                                   \
  X(SQRT)                                                                                          \
  X(RSQRT)                                                                                         \
  X(LOGARITHM)                                                                                     \
  X(RECIPROCAL)

enum {
#define ERNN_ACTIVATION_ENUM(name) ERNN_ACTIVATION_##name,
  ERNN_ACTIVATION_LIST(ERNN_ACTIVATION_ENUM)
#undef ERNN_ACTIVATION_ENUM
      ERNN_ACTIVATION_COUNT
};

/* An input or output of the model. */
typedef struct ernn_port_record {
  uint32_t edge;
  uint32_t name, name_bytes;
  uint32_t state; /* of an input: 1 + index of the output that feeds it, or 0 */
} ernn_port_record;

/* How the rows of an input are made of what a device gives: sound, text, a sensor.  `version` counts
 * within a kind.  A reader refuses a kind or a version that it does not know. */
typedef struct ernn_front_end {
  uint32_t kind, version;
  uint32_t input;         /* index of the model's input */
  uint32_t offset, bytes; /* the record of that kind, aligned to ERNN_ALIGNMENT */
  uint32_t reserved[3];   /* zero */
} ernn_front_end;

#define ERNN_FRONT_END_SOUND 1u /* the feature FRONT_END */
#define ERNN_SOUND_VERSION 1u
#define ERNN_FRONT_END_TEXT 2u /* the feature TEXT */
#define ERNN_TEXT_VERSION 1u
#define ERNN_FRONT_END_SENSOR 3u /* the feature SENSOR */
#define ERNN_SENSOR_VERSION 1u
#define ERNN_MAX_FRONT_ENDS 16u

/* A key and its value, each also zero-terminated.  An empty key is a label. */
typedef struct ernn_text {
  uint32_t key, key_bytes;
  uint32_t value, value_bytes;
} ernn_text;

#endif
