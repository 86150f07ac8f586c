/* ernn_images.h: images, [rows][columns][channels], as steps of `channels` numbers. */
#ifndef ERNN_IMAGES_H
#define ERNN_IMAGES_H

#include "ernn_layers.h"

/* What a window over rows and columns meets and makes.  An edge may hold several images. */
typedef struct ernn_image {
  uint32_t images;
  uint32_t rows, columns;
  uint32_t top, left;                    /* zeros in front */
  uint32_t padded_rows, padded_columns;  /* with the zeros */
  uint32_t out_rows, out_columns;
} ernn_image;

/* Of `steps` steps; at_capacity: rounds up.  ERNN_SHAPE where they are no whole images or a window
 * does not fit, ERNN_TOO_LARGE beyond the limits. */
ernn_status ernn_image_of(const ernn_op *op, uint32_t channels, uint32_t steps, int at_capacity,
                          ernn_image *image);

/* Whether the arguments are in range: ernn_check_layers.c. */
int ernn_is_image_window(const ernn_op *op, uint32_t channels);

/* Where the eight numbers of the windows begin (those of the rows, those of the columns, each
 * window, stride, dilation, padding), and behind them the image's columns and rows. */
static inline const uint32_t *image_arguments(const ernn_op *op) {
  int is_integer = op->kind == ERNN_OP_QCONV2D || op->kind == ERNN_OP_QDEPTHWISE2D;
  return op->arguments + (is_integer ? ERNN_QCONV2D_ROWS : ERNN_CONV2D_ROWS);
}

/* Numbers under a window of one channel. */
static inline uint32_t image_taps(const ernn_op *op) {
  return image_arguments(op)[WINDOW] * image_arguments(op)[4 + WINDOW];
}

static inline int is_depthwise_2d(const ernn_op *op) {
  return op->kind == ERNN_OP_DEPTHWISE2D || op->kind == ERNN_OP_QDEPTHWISE2D;
}

/* Memory that one image needs: offsets of its parts, and all of it. */
typedef struct ernn_image_parts {
  size_t gathered; /* windows, ERNN_BLOCK at a time; the padded image itself is at 0 */
  size_t sums;
  size_t weights; /* of an integer depthwise layer, as 16-bit numbers [taps][columns] */
  size_t ends;    /* its biases, and behind them its scales, in the order of channels [columns] */
  size_t bytes;
} ernn_image_parts;

ernn_image_parts ernn_image_scratch(const ernn_op *op, const ernn_constant *kernel,
                                    const ernn_image *image, uint32_t channels);

void ernn_run_conv2d(const ernn_context *run);
void ernn_run_swap(const ernn_context *run);

#endif
