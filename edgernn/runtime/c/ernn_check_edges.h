/* ernn_check_edges.h: what the checks of layers ask of edges, constants and arguments.
 *
 * A check is a conjunction; each of these says whether one condition holds. */
#ifndef ERNN_CHECK_EDGES_H
#define ERNN_CHECK_EDGES_H

#include "ernn_check.h"

static inline const ernn_edge *edge_at(const ernn_model *model, uint32_t index) {
  return ernn_edges(model) + index;
}

static inline int is_f32(const ernn_model *model, uint32_t edge) {
  return edge != ERNN_NONE && edge_at(model, edge)->dtype == ERNN_FLOAT32;
}

static inline int is_f32_sequence(const ernn_model *model, uint32_t edge) {
  return is_f32(model, edge) && edge_at(model, edge)->is_sequence;
}

static inline int is_mask(const ernn_model *model, uint32_t edge) {
  const ernn_edge *mask = edge_at(model, edge);
  return mask->dtype == ERNN_BOOL && mask->is_sequence && mask->width == 1;
}

/* Absent, or float32 of one row and `width` elements. */
static inline int is_optional_row(const ernn_model *model, uint32_t edge, uint32_t width) {
  return edge == ERNN_NONE || (is_f32(model, edge) && !edge_at(model, edge)->is_sequence &&
                               edge_at(model, edge)->width == width);
}

static inline int is_same_form(const ernn_model *model, uint32_t left, uint32_t right) {
  return left != ERNN_NONE && right != ERNN_NONE &&
         edge_at(model, left)->dtype == edge_at(model, right)->dtype &&
         edge_at(model, left)->is_sequence == edge_at(model, right)->is_sequence;
}

static inline int is_like(const ernn_model *model, uint32_t left, uint32_t right) {
  return is_same_form(model, left, right) &&
         edge_at(model, left)->width == edge_at(model, right)->width;
}

static inline const ernn_constant *constant_at(const ernn_model *model, uint32_t index) {
  return index < model->header->constant_count ? ernn_constants(model) + index : NULL;
}

static inline int is_vector(const ernn_model *model, uint32_t index, uint32_t count) {
  const ernn_constant *constant = constant_at(model, index);
  return constant && constant->type == ERNN_VECTOR_F32 && constant->columns == count;
}

static inline int is_optional_vector(const ernn_model *model, uint32_t index, uint32_t count) {
  return index == ERNN_NONE || is_vector(model, index, count);
}

static inline int is_matrix(const ernn_model *model, uint32_t index, uint64_t rows, uint64_t columns) {
  const ernn_constant *constant = constant_at(model, index);
  return constant && constant->rows == rows && constant->columns == columns &&
         (constant->type == ERNN_MATRIX_F32 || constant->type == ERNN_MATRIX_F16 ||
          constant->type == ERNN_MATRIX_S8);
}

/* The same, or bytes that are multiplied with bytes. */
static inline int is_matrix_or_sums(const ernn_model *model, uint32_t index, uint64_t rows,
                             uint64_t columns) {
  const ernn_constant *constant = constant_at(model, index);
  int is_sums = constant && constant->type == ERNN_ACCUMULATION && constant->rows == rows &&
                constant->columns == columns;
  return is_sums ? (model->header->features & ERNN_FEATURE_DYNAMIC) != 0
                 : is_matrix(model, index, rows, columns);
}

static inline int is_activation(const uint32_t *arguments) {
  return arguments[0] < ERNN_ACTIVATION_COUNT;
}

static inline int is_product(const ernn_model *model, uint32_t index, uint64_t rows, uint64_t columns) {
  const ernn_constant *constant = constant_at(model, index);
  return constant && constant->type == ERNN_PRODUCT && constant->rows == rows &&
         constant->columns == columns;
}

/* Eight bits are multiplied as unsigned bytes, which AVX2 can do only with safe pairs. */
static inline int is_reading(const ernn_model *model, const uint32_t *reading) {
  uint32_t bits = reading[ERNN_READING_BITS], limit = reading[ERNN_READING_LIMIT];
  int is_safe = (model->header->features & ERNN_FEATURE_PAIRS_SAFE) != 0;
  return reading[ERNN_READING_FROM_STATE] <= 1 &&
         ((bits == 8 && limit <= 127 && is_safe) || (bits == 16 && limit <= 32767));
}

/* Layers that work on an axis: how many steps it has and where. */
static inline int is_axis(const ernn_model *model, const ernn_op *op) {
  uint32_t size = op->arguments[ERNN_AXIS_SIZE], rows = op->arguments[ERNN_AXIS_ROWS];
  return (rows > 0 || size == 0) && size <= ERNN_MAX_STEPS && rows <= ERNN_MAX_STEPS &&
         (uint64_t)rows * edge_at(model, op->inputs[0])->width <= ERNN_MAX_ELEMENTS;
}

#endif
