/* ernn_elements.c: activations, normalization, and other functions of single numbers or rows. */

#include "ernn_layers.h"
#include "ernn_math.h"

/* As the C library's, which the runtime does without: NaN below zero, infinite where they are. */
static float root_of(float x) {
  if (x > 0.0f && x < 1.17549435e-38f) return ernn_sqrt(x * 16777216.0f) * 0.000244140625f;
  if (x > 0.0f && x - x == 0.0f) return ernn_sqrt(x);
  return x < 0.0f ? (x - x) / (x - x) : x;
}

static float logarithm_of(float x) {
  if (x == 0.0f) return -1.0f / (x * x);
  if (x < 0.0f) return (x - x) / (x - x);
  if (x - x != 0.0f) return x;
  /* A subnormal number has no exponent to read. */
  return x < 1.17549435e-38f ? ernn_log(x * 8388608.0f) - 15.942385f : ernn_log(x);
}

/* rectify_leaky without a slope, by bits, which compilers turn into loops over vectors: below zero it
 * gives 0 * x, which is -0. */
static void rectify(float *x, size_t count, float most) {
  const int32_t minus_zero = -2147483647 - 1;
  ernn_bits largest;
  largest.value = most;
  for (size_t i = 0; i < count; i++) {
    ernn_bits pun;
    pun.value = x[i];
    int32_t bits = pun.bits > 0x7F800000 ? 0 : pun.bits; /* NaN */
    int32_t below = bits < 0 ? minus_zero : 0;
    below = bits == minus_zero ? 0 : below;
    int32_t cut = bits < largest.bits ? bits : largest.bits;
    pun.bits = bits > 0 ? cut : below;
    x[i] = pun.value;
  }
}

static void rectify_leaky(float *x, size_t count, float alpha, float beta, float most) {
  for (size_t i = 0; i < count; i++) {
    float below = alpha * smaller(x[i] - beta, 0.0f);
    x[i] = smaller(x[i] > beta ? x[i] : below, most);
  }
}

/* Once, not in each activation: an activation's loop is no vector code anyway. */
ERNN_NOINLINE static float exp_of(float x) { return ernn_exp(x); }
ERNN_NOINLINE static float log_of(float x) { return ernn_log(x); }
static float sigmoid_of(float x) { return 1.0f / (1.0f + exp_of(-x)); }
static float tanh_of(float x) { return 1.0f - 2.0f / (exp_of(2.0f * x) + 1.0f); }
static float softplus_of(float x) {
  float magnitude = x < 0.0f ? -x : x;
  return (x > 0.0f ? x : 0.0f) + log_of(1.0f + exp_of(-magnitude));
}

static float activated(uint32_t kind, float alpha, float beta, float x) {
  switch (kind) {
    case ERNN_ACTIVATION_SIGMOID: return sigmoid_of(x);
    case ERNN_ACTIVATION_HARD_SIGMOID: return smaller(larger(alpha * x + beta, 0.0f), 1.0f);
    case ERNN_ACTIVATION_TANH: return tanh_of(x);
    case ERNN_ACTIVATION_SOFTPLUS: return softplus_of(x);
    case ERNN_ACTIVATION_SOFTSIGN: return x / (1.0f + (x < 0.0f ? -x : x));
    case ERNN_ACTIVATION_ELU: return x > 0.0f ? x : alpha * (exp_of(x) - 1.0f);
    case ERNN_ACTIVATION_SELU:
      return 1.0507009873554805f * (x > 0.0f ? x : 1.6732632423543772f * (exp_of(x) - 1.0f));
    case ERNN_ACTIVATION_GELU: return x * (0.5f * (1.0f + ernn_erf(x * 0.70710678f)));
    case ERNN_ACTIVATION_GELU_TANH:
      return 0.5f * x * (1.0f + tanh_of(0.79788456f * (x + 0.044715f * x * x * x)));
    case ERNN_ACTIVATION_SILU: return x * sigmoid_of(x);
    case ERNN_ACTIVATION_HARD_SILU: return x * smaller(larger(x + 3.0f, 0.0f), 6.0f) / 6.0f;
    case ERNN_ACTIVATION_MISH: return x * tanh_of(softplus_of(x));
    case ERNN_ACTIVATION_EXPONENTIAL: { /* overflows to infinity, which ernn_exp does not */
      float half = exp_of(0.5f * x);
      return half * half;
    }
    case ERNN_ACTIVATION_SQRT: return root_of(x);
    case ERNN_ACTIVATION_RSQRT: return 1.0f / root_of(x);
    case ERNN_ACTIVATION_LOGARITHM: return logarithm_of(x);
    case ERNN_ACTIVATION_RECIPROCAL: return 1.0f / x;
    default: return x;
  }
}

static void softmax_row(float *x, uint32_t width, int logarithm) {
  float most = x[0], sum = 0.0f;
  for (uint32_t i = 1; i < width; i++) most = larger(x[i], most);
  for (uint32_t i = 0; i < width; i++) {
    x[i] -= most;
    sum += ernn_exp(x[i]);
  }
  float offset = logarithm ? log_of(sum) : 0.0f, scale = 1.0f / sum;
  for (uint32_t i = 0; i < width; i++) x[i] = logarithm ? x[i] - offset : ernn_exp(x[i]) * scale;
}

void ernn_activate(const ernn_kernels *kernels, const uint32_t *arguments, float *x, uint32_t rows,
                   uint32_t width) {
  uint32_t kind = arguments[0];
  size_t count = (size_t)rows * width;
  if (kind == ERNN_ACTIVATION_LINEAR) return;
  if (kind == ERNN_ACTIVATION_SIGMOID) {
    kernels->f32_sigmoid(x, count);
  } else if (kind == ERNN_ACTIVATION_TANH) {
    kernels->f32_tanh(x, count);
  } else if (kind == ERNN_ACTIVATION_SOFTMAX || kind == ERNN_ACTIVATION_LOG_SOFTMAX) {
    for (uint32_t row = 0; row < rows; row++) {
      softmax_row(x + (size_t)row * width, width, kind == ERNN_ACTIVATION_LOG_SOFTMAX);
    }
  } else {
    float alpha = ernn_float_of(arguments[1]), beta = ernn_float_of(arguments[2]);
    float most = ernn_float_of(arguments[3]);
    if (kind == ERNN_ACTIVATION_RELU && alpha == 0.0f && beta == 0.0f && most > 0.0f) {
      rectify(x, count, most);
    } else if (kind == ERNN_ACTIVATION_RELU) {
      rectify_leaky(x, count, alpha, beta, most);
    } else {
      for (size_t i = 0; i < count; i++) x[i] = activated(kind, alpha, beta, x[i]);
    }
  }
}

static void run_affine(const ernn_context *run) {
  const float *scale = vector_of(run, ERNN_AFFINE_SCALE);
  const float *offset = vector_of(run, ERNN_AFFINE_OFFSET);
  const float *x = input_f32(run, 0);
  float *out = output_f32(run, 0);
  uint32_t width = output_width(run);
  for (uint32_t step = 0; step < input_steps(run, 0); step++, x += width, out += width) {
    for (uint32_t i = 0; i < width; i++) out[i] = x[i] * scale[i] + offset[i];
  }
}

static void run_layer_norm(const ernn_context *run) {
  const float *gamma = vector_of(run, ERNN_NORM_GAMMA), *beta = vector_of(run, ERNN_NORM_BETA);
  const float *x = input_f32(run, 0);
  float *out = output_f32(run, 0), epsilon = float_argument(run, ERNN_NORM_EPSILON);
  int rms = run->op->arguments[ERNN_NORM_RMS] != 0;
  uint32_t width = output_width(run);
  for (uint32_t step = 0; step < input_steps(run, 0); step++, x += width, out += width) {
    float mean = 0.0f, variance = 0.0f;
    for (uint32_t i = 0; i < width && !rms; i++) mean += x[i];
    mean /= (float)width;
    for (uint32_t i = 0; i < width; i++) variance += (x[i] - mean) * (x[i] - mean);
    float scale = 1.0f / ernn_sqrt(variance / (float)width + epsilon);
    for (uint32_t i = 0; i < width; i++) {
      out[i] = (x[i] - mean) * scale * (gamma ? gamma[i] : 1.0f) + (beta ? beta[i] : 0.0f);
    }
  }
}

static void run_prelu(const ernn_context *run) {
  const float *alpha = vector_of(run, ERNN_PRELU_ALPHA), *x = input_f32(run, 0);
  float *out = output_f32(run, 0);
  uint32_t width = output_width(run);
  for (uint32_t step = 0; step < input_steps(run, 0); step++, x += width, out += width) {
    for (uint32_t i = 0; i < width; i++) out[i] = x[i] >= 0.0f ? x[i] : alpha[i] * x[i];
  }
}

static void run_activate(const ernn_context *run) {
  uint32_t steps = input_steps(run, 0), width = output_width(run);
  ernn_copy(output_f32(run, 0), input_f32(run, 0), (size_t)steps * width * sizeof(float));
  ernn_activate(run->kernels, run->op->arguments + ERNN_ACTIVATE_ACTIVATION, output_f32(run, 0), steps,
           width);
}

void ernn_run_elements(const ernn_context *run) {
  switch ((ernn_op_kind)run->op->kind) {
    case ERNN_OP_AFFINE: run_affine(run); break;
    case ERNN_OP_LAYER_NORM:
      if (ERNN_HAS(LAYER_NORM)) run_layer_norm(run);
      break;
    case ERNN_OP_PRELU:
      if (ERNN_HAS(PRELU)) run_prelu(run);
      break;
    default:
      if (ERNN_HAS(ACTIVATE)) run_activate(run);
  }
}
