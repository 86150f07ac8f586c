/* ernn_attention.c: products of two tensors of the model: attention, dot products. */

#include "ernn_attention.h"
#include "ernn_math.h"

enum { QUERY = 0, KEY = 1, VALUE = 2, QUERY_MASK = 3, KEY_MASK = 4 };

static const float attention_hidden = 1e9f; /* as Keras: finite, so that all may be hidden */

/* ---- Attention ---- */

size_t ernn_attention_scratch(const ernn_op *op, const uint32_t *steps) {
  return ernn_aligned((size_t)steps[op->inputs[KEY]] * sizeof(float));
}

ernn_status ernn_attention_steps(const ernn_op *op, const uint32_t *steps) {
  uint32_t query = steps[op->inputs[QUERY]], key = steps[op->inputs[KEY]];
  uint32_t query_mask = op->inputs[QUERY_MASK], key_mask = op->inputs[KEY_MASK];
  int fits = steps[op->inputs[VALUE]] == key && (key > 0 || query == 0) &&
             (query_mask == ERNN_NONE || steps[query_mask] == query) &&
             (key_mask == ERNN_NONE || steps[key_mask] == key);
  return fits ? ERNN_OK : ERNN_SHAPE;
}

/* scale * query key, or the sum of energy * tanh(scale * (query + key)) */
static float attention_score(const ernn_context *run, const float *query, const float *key,
                             const float *energy) {
  uint32_t width = input_width(run, QUERY);
  float scale = float_argument(run, ERNN_ATTENTION_SCALE), sum = 0.0f;
  if (!energy) {
    for (uint32_t i = 0; i < width; i++) sum += query[i] * key[i];
    return sum * scale;
  }
  for (uint32_t i = 0; i < width; i++) sum += energy[i] * ernn_tanh(scale * (query[i] + key[i]));
  return sum;
}

void ernn_run_attention(const ernn_context *run) {
  uint32_t flags = run->op->arguments[ERNN_ATTENTION_FLAGS], width = input_width(run, QUERY);
  uint32_t keys = input_steps(run, KEY), depth = output_width(run);
  const uint8_t *query_mask = input_mask(run, QUERY_MASK), *key_mask = input_mask(run, KEY_MASK);
  const float *energy = run->op->arguments[ERNN_ATTENTION_ENERGY] == ERNN_NONE
                            ? NULL
                            : vector_of(run, ERNN_ATTENTION_ENERGY);
  const float *query = input_f32(run, QUERY);
  const uint32_t softmax[4] = {ERNN_ACTIVATION_SOFTMAX, 0, 0, 0};
  int is_replaced = (flags & (ERNN_ATTENTION_REPLACED | ERNN_ATTENTION_ZEROED)) != 0;
  float *scores = (float *)(void *)run->scratch, *out = output_f32(run, 0);
  for (uint32_t row = 0; row < input_steps(run, QUERY); row++, query += width, out += depth) {
    int is_query = !query_mask || query_mask[row];
    const float *key = input_f32(run, KEY), *value = input_f32(run, VALUE);
    for (uint32_t i = 0; i < depth; i++) out[i] = 0.0f;
    if (!is_query && !is_replaced) continue;
    uint32_t seen = flags & ERNN_ATTENTION_CAUSAL && row + 1 < keys ? row + 1 : keys;
    for (uint32_t i = 0; i < keys; i++, key += width) {
      int is_hidden = i >= seen || (key_mask && !key_mask[i]) || (is_replaced && !is_query);
      scores[i] = is_hidden && is_replaced ? -attention_hidden
                                           : attention_score(run, query, key, energy);
      if (is_hidden && !is_replaced) scores[i] -= attention_hidden;
    }
    ernn_activate(run->kernels, softmax, scores, 1, keys);
    for (uint32_t i = 0; i < keys; i++, value += depth) {
      int is_hidden = i >= seen || (key_mask && !key_mask[i]) || !is_query;
      if (is_hidden && flags & ERNN_ATTENTION_ZEROED) continue;
      for (uint32_t k = 0; k < depth; k++) out[k] += scores[i] * value[k];
    }
  }
}

/* ---- Dot products ---- */

/* One factor as [kept][summed]. */
typedef struct dot_factor {
  const float *data;
  size_t kept, summed, kept_stride, summed_stride;
} dot_factor;

static dot_factor dot_factor_of(const ernn_op *op, const ernn_edge *edges, uint32_t steps,
                                uint32_t position) {
  const ernn_edge *edge = edges + op->inputs[position];
  size_t rows = steps, width = edge->width;
  dot_factor over_steps = {NULL, width, rows, 1, width}, over_width = {NULL, rows, width, width, 1};
  int is_turned = edge->is_sequence && op->arguments[ERNN_DOT_LEFT_STEPS + position];
  return is_turned ? over_steps : over_width;
}

ernn_status ernn_dot_steps(const ernn_op *op, const ernn_edge *edges, const uint32_t *steps,
                           int at_capacity, uint64_t *out) {
  dot_factor left = dot_factor_of(op, edges, steps[op->inputs[0]], 0);
  dot_factor right = dot_factor_of(op, edges, steps[op->inputs[1]], 1);
  const ernn_edge *output = edges + op->outputs[0];
  *out = output->is_sequence ? left.kept : 1;
  if (at_capacity) return ERNN_OK;
  uint64_t numbers = (uint64_t)left.kept * right.kept;
  return left.summed == right.summed && numbers == *out * output->width ? ERNN_OK : ERNN_SHAPE;
}

/* What a row is multiplied by for a length of 1; a smaller square than 1e-12 counts as that. */
static float dot_unit(const dot_factor *factor, size_t row) {
  float squares = 0.0f;
  for (size_t i = 0; i < factor->summed; i++) {
    float x = factor->data[row * factor->kept_stride + i * factor->summed_stride];
    squares += x * x;
  }
  return 1.0f / ernn_sqrt(larger(squares, 1e-12f));
}

void ernn_run_dot(const ernn_context *run) {
  const ernn_edge *edges = ernn_edges(run->model);
  dot_factor factors[2];
  for (uint32_t i = 0; i < 2; i++) {
    factors[i] = dot_factor_of(run->op, edges, input_steps(run, i), i);
    factors[i].data = input_f32(run, i);
  }
  const dot_factor *left = factors, *right = factors + 1;
  int is_unit = run->op->arguments[ERNN_DOT_NORMALIZE] != 0;
  float *out = output_f32(run, 0);
  for (size_t i = 0; i < left->kept; i++) {
    float unit = is_unit ? dot_unit(left, i) : 1.0f;
    for (size_t k = 0; k < right->kept; k++, out++) {
      const float *a = left->data + i * left->kept_stride, *b = right->data + k * right->kept_stride;
      float sum = 0.0f, scale = is_unit ? unit * dot_unit(right, k) : 1.0f;
      for (size_t n = 0; n < left->summed; n++, a += left->summed_stride, b += right->summed_stride) {
        sum += *a * *b;
      }
      *out = is_unit ? sum * scale : sum;
    }
  }
}
