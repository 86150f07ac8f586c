/* ernn_internal.h: what the library's own files share. */
#ifndef ERNN_INTERNAL_H
#define ERNN_INTERNAL_H

#include "ernn_kernels.h"

uint32_t ernn_crc32(const uint8_t *bytes, size_t size);
#ifdef ERNN_HAS_ARM64
int ernn_has_crc32(void); /* the processor's own instruction */
#endif

/* ---- Reading a checked model ---- */

static inline const ernn_edge *ernn_edges(const ernn_model *model) {
  return (const ernn_edge *)(const void *)(model->bytes + model->header->edge_offset);
}

static inline const ernn_op *ernn_ops(const ernn_model *model) {
  return (const ernn_op *)(const void *)(model->bytes + model->header->op_offset);
}

static inline const ernn_constant *ernn_constants(const ernn_model *model) {
  return (const ernn_constant *)(const void *)(model->bytes + model->header->constant_offset);
}

static inline const ernn_port_record *ernn_ports(const ernn_model *model) {
  return (const ernn_port_record *)(const void *)(model->bytes + model->header->port_offset);
}

static inline const ernn_text *ernn_texts(const ernn_model *model) {
  return (const ernn_text *)(const void *)(model->bytes + model->header->text_offset);
}

static inline const ernn_front_end *ernn_front_ends(const ernn_model *model) {
  return (const ernn_front_end *)(const void *)(model->bytes + model->header->front_end_offset);
}

static inline float ernn_float_of(uint32_t bits) {
  union {
    uint32_t bits;
    float value;
  } pun = {bits};
  return pun.value;
}

static inline const void *ernn_constant_data(const ernn_model *model, uint32_t index) {
  return index == ERNN_NONE ? NULL : model->bytes + ernn_constants(model)[index].offset;
}

static inline size_t ernn_dtype_bytes(uint32_t dtype) { return dtype == ERNN_BOOL ? 1 : 4; }

static inline size_t ernn_aligned(size_t bytes) {
  return (bytes + ERNN_ALIGNMENT - 1) & ~(size_t)(ERNN_ALIGNMENT - 1);
}

static inline uint32_t ernn_padded(uint32_t units) {
  return (units + ERNN_TILE - 1) / ERNN_TILE * ERNN_TILE;
}

static inline ernn_matrix ernn_matrix_of(const ernn_model *model, uint32_t index) {
  const ernn_constant *constant = ernn_constants(model) + index;
  ernn_matrix matrix = {
      .panels = model->bytes + constant->offset,
      .scales = constant->scales == 0
                    ? NULL
                    : (const float *)(const void *)(model->bytes + constant->scales),
      .type = constant->type,
      .rows = constant->rows,
      .columns = constant->columns,
      .tiles = constant->tiles,
  };
  return matrix;
}

ernn_product ernn_product_of(const ernn_model *model, uint32_t index);

/* ---- Layers: ernn_ops.c ---- */

/* A layer reads and writes whole edges at their current number of steps. */
typedef struct ernn_view {
  uint8_t *data;
  uint32_t steps;
} ernn_view;

/* Which steps of a file of one step have a result: from `first` on each so manieth; 0 where all have. */
uint32_t ernn_result_steps(const ernn_model *model, uint32_t *first);

/* Bytes that the layer keeps between calls, and bytes it needs while it runs over `steps` of `lanes`
 * sequences side by side. */
size_t ernn_op_state_bytes(const ernn_model *model, const ernn_op *op);
size_t ernn_op_scratch_bytes(const ernn_model *model, const ernn_op *op, const uint32_t *steps,
                             uint32_t lanes);

/* ---- Bytes ---- */

static inline void ernn_copy(void *to, const void *from, size_t bytes) {
  uint8_t *target = (uint8_t *)to;
  const uint8_t *source = (const uint8_t *)from;
  for (size_t i = 0; i < bytes; i++) target[i] = source[i];
}

static inline void ernn_clear(void *to, size_t bytes) {
  uint8_t *target = (uint8_t *)to;
  for (size_t i = 0; i < bytes; i++) target[i] = 0;
}

#endif
