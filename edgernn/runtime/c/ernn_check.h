/* ernn_check.h: what ernn_open asks of a file, part by part. */
#ifndef ERNN_CHECK_H
#define ERNN_CHECK_H

#include "ernn_layers.h"

/* Constant `index`: it lies inside the file, its size is that of its shape, and its numbers are such
 * that the integer layers' shifts and multiplications are defined. */
ernn_status ernn_check_constant(const ernn_model *model, uint32_t index);

/* Whether the edges, constants and arguments of `op` fit together.  They exist, and the constants
 * have been checked. */
int ernn_is_op(const ernn_model *model, const ernn_op *op);

/* The same for groups of layers: those that move numbers (0 of another layer), and a GRU, LSTM or
 * simple RNN with `gates` gates. */
int ernn_is_shaping(const ernn_model *model, const ernn_op *op);
int ernn_is_recurrent(const ernn_model *model, const ernn_op *op, uint32_t gates);

#endif
