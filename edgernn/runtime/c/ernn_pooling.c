/* ernn_pooling.c: maxima and averages over windows of time, or all of it. */

#include "ernn_layers.h"

static void run_pool(const ernn_context *run) {
  const uint32_t *arguments = run->op->arguments;
  ernn_axis axis = axis_of(run->op, input_steps(run, 0));
  uint32_t width = input_width(run, 0) * axis.rows, steps = axis.size, total;
  uint32_t window = arguments[ERNN_POOL_WINDOW], stride = arguments[ERNN_POOL_STRIDE];
  int64_t left = ernn_padding_left(steps, window, stride, arguments[ERNN_POOL_PADDING], &total);
  int is_max = arguments[ERNN_POOL_KIND] == ERNN_POOL_MAX;
  const float *x = input_f32(run, 0);
  float *out = output_f32(run, 0);
  uint32_t pools = output_steps(run) / axis.rows / axis.outer;
  for (uint32_t row = 0; row < pools * axis.outer; row++, out += width) {
    int64_t first = (int64_t)(row % pools) * stride - left, last = first + window;
    if (row > 0 && row % pools == 0) x += (size_t)steps * width;
    if (first < 0) first = 0;
    if (last > (int64_t)steps) last = steps;
    const float *in = x + (size_t)first * width;
    ernn_copy(out, in, width * sizeof(float));
    for (int64_t step = first + 1; step < last; step++) {
      in += width;
      if (is_max) {
        for (uint32_t i = 0; i < width; i++) out[i] = larger(in[i], out[i]);
      } else {
        for (uint32_t i = 0; i < width; i++) out[i] += in[i];
      }
    }
    for (uint32_t i = 0; i < width && !is_max; i++) {
      out[i] /= (float)(int32_t)(last - first);
    }
  }
}

static void run_global_pool(const ernn_context *run) {
  uint32_t width = input_width(run, 0);
  int is_max = run->op->arguments[ERNN_POOL_KIND] == ERNN_POOL_MAX;
  const uint8_t *mask = is_max ? NULL : input_mask(run, 1);
  const float *x = input_f32(run, 0);
  float *pooled = (float *)(void *)run->state, *out = output_f32(run, 0);
  uint32_t *count = (uint32_t *)(void *)(pooled + width); /* zero at first */
  uint32_t seen = *count;
  for (uint32_t step = 0; step < input_steps(run, 0); step++, x += width) {
    if (mask && !mask[step]) continue;
    for (uint32_t i = 0; i < width; i++) {
      pooled[i] = seen == 0 ? x[i] : is_max ? larger(x[i], pooled[i]) : pooled[i] + x[i];
    }
    seen++;
  }
  *count = seen;
  for (uint32_t i = 0; i < width; i++) out[i] = is_max ? pooled[i] : pooled[i] / (float)seen;
}

void ernn_run_pool(const ernn_context *run) {
  if (run->op->kind == ERNN_OP_POOL) {
    run_pool(run);
  } else {
    run_global_pool(run);
  }
}
