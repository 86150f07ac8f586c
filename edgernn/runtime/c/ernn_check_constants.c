/* ernn_check_constants.c: checks weights and tables. */

#include "ernn_check.h"

/* Bytes inside the file, aligned as data is. */
static int is_data(const ernn_header *header, uint32_t offset, uint64_t bytes) {
  return offset % ERNN_ALIGNMENT == 0 && offset >= sizeof(ernn_header) &&
         offset <= header->file_bytes && bytes <= header->file_bytes - offset;
}

static ernn_status check_shape(const ernn_header *header, const ernn_constant *constant) {
  uint64_t elements = (uint64_t)constant->rows * constant->columns;
  uint64_t scale_bytes = 0;
  uint32_t element_bytes = 4;
  int is_matrix = 0, is_of_bytes = 0, is_packed = constant->packing == ERNN_PACKED_NIBBLES;
  switch (constant->type) {
    case ERNN_VECTOR_F32:
    case ERNN_TABLE_F32: break;
    case ERNN_TABLE_F16: element_bytes = 2; break;
    case ERNN_TABLE_S8:
      element_bytes = 1;
      scale_bytes = 4ull * constant->rows;
      break;
    case ERNN_MATRIX_F32: is_matrix = 1; break;
    case ERNN_MATRIX_F16:
      is_matrix = 1;
      element_bytes = 2;
      break;
    case ERNN_MATRIX_S8:
      is_matrix = 1;
      element_bytes = 1;
      scale_bytes = 4ull * constant->columns;
      break;
    case ERNN_PRODUCT:
    case ERNN_ACCUMULATION:
      is_matrix = 1;
      element_bytes = 1;
      elements = ((uint64_t)constant->rows + 3) / 4 * 4 * constant->columns;
      if (is_packed) elements = ((uint64_t)constant->rows + 7) / 8 * 4 * constant->columns;
      is_of_bytes = 1;
      scale_bytes = (constant->type == ERNN_PRODUCT ? 14ull : 12ull) * constant->columns;
      break;
    case ERNN_CELL:
      elements = constant->columns / ERNN_TILE;
      element_bytes = sizeof(ernn_cell);
      break;
    default: return ERNN_FEATURE;
  }
  if (constant->rows == 0 || constant->rows > ERNN_MAX_WIDTH || constant->columns == 0 ||
      constant->columns > ERNN_MAX_WIDTH) {
    return ERNN_BAD_MODEL;
  }
  if (constant->packing != 0 && !(is_packed && is_of_bytes)) return ERNN_BAD_MODEL;
  if (is_packed && (header->features & ERNN_FEATURE_NIBBLES) == 0) return ERNN_BAD_MODEL;
  int is_row = constant->type == ERNN_VECTOR_F32 || constant->type == ERNN_CELL;
  if (is_row && constant->rows != 1) return ERNN_BAD_MODEL;
  if (constant->type == ERNN_CELL && constant->columns % ERNN_TILE != 0) return ERNN_BAD_MODEL;
  if (is_matrix ? constant->columns % ERNN_TILE != 0 || constant->tiles < 1 || constant->tiles > 4
                : constant->tiles != 0) {
    return ERNN_BAD_MODEL;
  }
  if (constant->bytes != elements * element_bytes || (scale_bytes == 0) != (constant->scales == 0)) {
    return ERNN_BAD_MODEL;
  }
  if (!is_data(header, constant->offset, constant->bytes)) return ERNN_BAD_OFFSET;
  if (scale_bytes > 0 && !is_data(header, constant->scales, scale_bytes)) return ERNN_BAD_OFFSET;
  return ERNN_OK;
}

#if defined(ERNN_HAS_X86)
/* Whether one of the weights is -128.  AVX2 gives a weight the sign of a state, and that one has no
 * opposite in a byte.  Four at a time: a byte of `other` is 0 where the weight is -128, and borrows. */
static int has_lowest_byte(const void *weights, uint32_t bytes) {
  const uint32_t *words = (const uint32_t *)weights;
  for (uint32_t i = 0; i < bytes / 4; i++) {
    uint32_t other = words[i] ^ 0x80808080u;
    if ((other - 0x01010101u) & ~other & 0x80808080u) return 1;
  }
  return 0;
}
#endif

/* Numbers that shifts and multiplications of the integer layers rely on. */
static ernn_status check_numbers(const ernn_model *model, uint32_t index) {
  const ernn_constant *constant = ernn_constants(model) + index;
  if (constant->type == ERNN_PRODUCT) {
    ernn_product product = ernn_product_of(model, index);
    for (uint32_t i = 0; i < constant->columns; i++) {
      if (product.shift[i] < 0 || product.shift[i] > 24 || product.multiplier[i] < 0) {
        return ERNN_BAD_MODEL;
      }
    }
  }
#if defined(ERNN_HAS_X86)
  if (constant->type == ERNN_ACCUMULATION && constant->packing == 0) {
    if (has_lowest_byte(ernn_constant_data(model, index), constant->bytes)) return ERNN_BAD_MODEL;
  }
#endif
  if (constant->type == ERNN_CELL) {
    const ernn_cell *cells = (const ernn_cell *)ernn_constant_data(model, index);
    for (uint32_t i = 0; i < constant->columns; i++) {
      const ernn_cell *cell = cells + i / ERNN_TILE;
      uint32_t unit = i % ERNN_TILE;
      int32_t exponent = cell->exponent[ERNN_LANE(unit)];
      if (exponent < 3 || exponent > 12) return ERNN_BAD_MODEL;
      if (cell->factor[unit] != 1 << (exponent - 3)) return ERNN_BAD_MODEL;
      if (cell->limit[unit] != 24575 >> (exponent - 3)) return ERNN_BAD_MODEL;
    }
  }
  return ERNN_OK;
}

ernn_status ernn_check_constant(const ernn_model *model, uint32_t index) {
  ernn_status status = check_shape(model->header, ernn_constants(model) + index);
  return status == ERNN_OK ? check_numbers(model, index) : status;
}
