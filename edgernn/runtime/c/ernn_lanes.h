/* ernn_lanes.h: four floats that are computed side by side.  Each lane is rounded by itself, so vector
 * registers and plain floats give the same bits. */
#ifndef ERNN_LANES_H
#define ERNN_LANES_H

#include "ernn_kernels.h"

/* The NEON of 32-bit ARM replaces subnormal numbers by zero, so it computes other bits. */
#if defined(__GNUC__) && !defined(__arm__) && !defined(ERNN_PORTABLE)

/* Of long functions of lanes: where these are no vectors, ERNN_SMALL makes one copy of each. */
#define ERNN_LANES_COPY ERNN_INLINE

typedef float ernn_lanes __attribute__((vector_size(16)));
typedef float ernn_lanes_anywhere __attribute__((vector_size(16), aligned(4), may_alias));

ERNN_INLINE ernn_lanes ernn_lanes_at(const float *from) {
  return *(const ernn_lanes_anywhere *)(const void *)from;
}
ERNN_INLINE void ernn_lanes_to(float *to, ernn_lanes x) {
  *(ernn_lanes_anywhere *)(void *)to = x;
}
ERNN_INLINE ernn_lanes ernn_lanes_of(float a, float b, float c, float d) {
  return (ernn_lanes){a, b, c, d};
}
ERNN_INLINE float ernn_lane(ernn_lanes x, int lane) { return x[lane]; }
ERNN_INLINE ernn_lanes ernn_lanes_add(ernn_lanes a, ernn_lanes b) { return a + b; }
ERNN_INLINE ernn_lanes ernn_lanes_sub(ernn_lanes a, ernn_lanes b) { return a - b; }
ERNN_INLINE ernn_lanes ernn_lanes_mul(ernn_lanes a, ernn_lanes b) { return a * b; }

#else

#define ERNN_LANES_COPY ERNN_ONE_COPY

/* Four members, not an array: compilers keep them in registers, where they copied arrays in loops. */
typedef struct ernn_lanes {
  float a, b, c, d;
} ernn_lanes;

ERNN_INLINE ernn_lanes ernn_lanes_of(float a, float b, float c, float d) {
  ernn_lanes x = {a, b, c, d};
  return x;
}
ERNN_INLINE ernn_lanes ernn_lanes_at(const float *from) {
  return ernn_lanes_of(from[0], from[1], from[2], from[3]);
}
ERNN_INLINE void ernn_lanes_to(float *to, ernn_lanes x) {
  to[0] = x.a, to[1] = x.b, to[2] = x.c, to[3] = x.d;
}
ERNN_INLINE float ernn_lane(ernn_lanes x, int lane) {
  return lane == 0 ? x.a : lane == 1 ? x.b : lane == 2 ? x.c : x.d;
}
ERNN_INLINE ernn_lanes ernn_lanes_add(ernn_lanes x, ernn_lanes y) {
  return ernn_lanes_of(x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d);
}
ERNN_INLINE ernn_lanes ernn_lanes_sub(ernn_lanes x, ernn_lanes y) {
  return ernn_lanes_of(x.a - y.a, x.b - y.b, x.c - y.c, x.d - y.d);
}
ERNN_INLINE ernn_lanes ernn_lanes_mul(ernn_lanes x, ernn_lanes y) {
  return ernn_lanes_of(x.a * y.a, x.b * y.b, x.c * y.c, x.d * y.d);
}

#endif

ERNN_INLINE ernn_lanes ernn_lanes_all(float x) { return ernn_lanes_of(x, x, x, x); }

ERNN_INLINE ernn_lanes ernn_lanes_reversed(ernn_lanes x) {
  return ernn_lanes_of(ernn_lane(x, 3), ernn_lane(x, 2), ernn_lane(x, 1), ernn_lane(x, 0));
}

/* The even and the odd ones of a[0..3], b[0..3]. */
ERNN_INLINE ernn_lanes ernn_lanes_even(ernn_lanes a, ernn_lanes b) {
  return ernn_lanes_of(ernn_lane(a, 0), ernn_lane(a, 2), ernn_lane(b, 0), ernn_lane(b, 2));
}
ERNN_INLINE ernn_lanes ernn_lanes_odd(ernn_lanes a, ernn_lanes b) {
  return ernn_lanes_of(ernn_lane(a, 1), ernn_lane(a, 3), ernn_lane(b, 1), ernn_lane(b, 3));
}

/* In this order, always. */
ERNN_INLINE float ernn_lanes_sum(ernn_lanes x) {
  return (ernn_lane(x, 0) + ernn_lane(x, 1)) + (ernn_lane(x, 2) + ernn_lane(x, 3));
}

/* Sum of a[i] * b[i] for i < count, a multiple of 4. */
ERNN_INLINE float ernn_lanes_dot(const float *a, const float *b, uint32_t count) {
  ernn_lanes sum = ernn_lanes_all(0.0f);
  for (uint32_t i = 0; i < count; i += 4) {
    sum = ernn_lanes_add(sum, ernn_lanes_mul(ernn_lanes_at(a + i), ernn_lanes_at(b + i)));
  }
  return ernn_lanes_sum(sum);
}

#endif
