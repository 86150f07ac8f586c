/* timing.h: the first call, a hot loop and one call every period: what devices/runners/payload/timing.py
 * does, in the same numbers.
 *
 * The program that includes it defines a call: `struct call`, and `make` which makes one. */
#ifndef EDGERNN_TIMING_H
#define EDGERNN_TIMING_H

#include "system.h"
#include "text.h"

typedef struct call call;

static void make(call *one);

/* Each call between two marks, which an emulator that counts instructions knows.  The two marks before
 * the first call show what marking costs. */
static void make_marked(call *one, int64_t calls) {
  make(one);
  system_mark();
  system_mark();
  for (int64_t i = 0; i < calls; i++) {
    make(one);
    system_mark();
  }
}

enum { MOST_VALUES = 2000, FEWEST_VALUES = 10, CALIBRATION_CALLS = 5, FEWEST_WARM_UP_CALLS = 3,
       FEWEST_PERIODS = 50 };

static int64_t values_ns[MOST_VALUES], late_ns[MOST_VALUES];

static void put_values(const char *name, const int64_t *values, int count) {
  put(", \"");
  put(name);
  put("\": [");
  for (int i = 0; i < count; i++) {
    if (i) put(", ");
    put_number(values[i]);
  }
  put("]");
}

static int64_t timed(call *one) {
  int64_t start = system_now_ns();
  make(one);
  return system_now_ns() - start;
}

/* Times one out of `stride` calls into values_ns: for `duration_ns`, and `fewest` in any case. */
static int time_hot(call *one, int64_t duration_ns, int64_t stride, int fewest) {
  int64_t end = system_now_ns() + duration_ns;
  int count = 0;
  while (count < fewest || (count < MOST_VALUES && system_now_ns() < end)) {
    values_ns[count++] = timed(one);
    for (int64_t i = 1; i < stride; i++) make(one);
  }
  return count;
}

/* One call every period.  One that is not done when the next is due has missed its deadline; the next
 * then begins at the following multiple of the period: turns that were lost are not made up for. */
static void time_paced(call *one, int64_t duration_ns, int64_t period_ns) {
  int64_t count = duration_ns / period_ns, missed = 0;
  if (count < FEWEST_PERIODS) count = FEWEST_PERIODS;
  if (count > MOST_VALUES) count = MOST_VALUES;
  int64_t begin = system_now_ns(), due = begin;
  for (int i = 0; i < count; i++) {
    due += period_ns;
    int64_t now = system_now_ns();
    if (due > now) system_sleep_ns(due - now);
    late_ns[i] = system_now_ns() - due;
    values_ns[i] = timed(one);
    int64_t behind = system_now_ns() - (due + period_ns);
    if (behind > 0) {
      missed++;
      due += (behind / period_ns + 1) * period_ns;
    }
  }
  put_field("paced_wall_ns", system_now_ns() - begin);
  put_values("paced_ns", values_ns, (int)count);
  put_values("late_ns", late_ns, (int)count);
  put_field("deadlines_missed", missed);
}

static void measure(call *one, int64_t warm_up_ns, int64_t time_ns, int64_t period_ns) {
  put_field("first_call_ns", timed(one));
  int64_t per_call_ns = INT64_MAX;
  int count = time_hot(one, 0, 1, CALIBRATION_CALLS);
  for (int i = 0; i < count; i++) {
    if (values_ns[i] < per_call_ns) per_call_ns = values_ns[i];
  }
  put_values("calibration_ns", values_ns, count);
  count = time_hot(one, warm_up_ns, 1, FEWEST_WARM_UP_CALLS);
  put_values("warm_up_ns", values_ns, count);
  int64_t stride = time_ns / (per_call_ns < 100 ? 100 : per_call_ns) / MOST_VALUES;
  if (stride < 1) stride = 1;
  count = time_hot(one, time_ns, stride, FEWEST_VALUES);
  put_field("stride", stride);
  put_values("hot_ns", values_ns, count);
  if (period_ns > 0) time_paced(one, time_ns, period_ns);
}

#endif
