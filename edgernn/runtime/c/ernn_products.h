/* ernn_products.h: integer products, with weights of 8 or of 4 bits. */
#ifndef ERNN_PRODUCTS_H
#define ERNN_PRODUCTS_H

#include "ernn_internal.h"

/* Rows of integers: bytes q + 128, words q, or the two planes of words.  Distances are in bytes. */
typedef struct ernn_integers {
  const void *x;
  size_t stride, plane;
  uint32_t rows;
  ernn_nibble_form form;
} ernn_integers;

/* Recurrent weights are multiplied in parts, groups of panels.
 *
 * Every other turn goes through the parts from the last to the first: what the step before read at
 * its end is still in the cache.  Always in one order, weights that are larger than a cache by a
 * little are never found in it (measured: 2 to 20 % of a sequence's time). */
enum { ERNN_PARTS = 4 };

/* Rows times weights, whole (`parts` is 1) or in ERNN_PARTS, by the kernels of the form: Q4.11 by a PRODUCT,
 * or float32 by an ACCUMULATION. */
void ernn_multiply_integers(const ernn_kernels *kernels, const ernn_integers *from,
                            const ernn_product *product, uint32_t parts, uint32_t turn,
                            void *out, size_t out_stride, int to_float);

#endif
