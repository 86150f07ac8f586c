/* cortex_m4.c: a model on a board without an operating system: steps it, and measures what open, init and
 * step need of the stack.  For `qemu-system-arm -M mps2-an386 -semihosting`; data.c has the model and rows.
 *
 * Prints: bytes of the arena; of the stack in open, init and steps; then each score's bits. */

#include "ernn.h"

extern const uint8_t model_bytes[];
extern const uint32_t model_size, row_count, row_width, score_count;
extern const float rows[];

#define ARENA_BYTES 65536
#define PAINTED 16384 /* bytes of the stack that are watched */
#define PAINT 0xA5A5A5A5u

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(ERNN_ALIGNMENT)));
static ernn_model model;
static ernn_session *session;
static float scores[64];

void start(void);
__attribute__((section(".vectors"), used)) static const uint32_t stack_top = 0x20400000;
__attribute__((section(".vectors"), used)) static void (*const reset)(void) = start;

/* ---- The debugger's door: output and the end ---- */

static void semihost(uint32_t operation, uint32_t argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register uint32_t r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print_number(uint32_t number) {
  char text[12];
  char *at = text + sizeof text;
  *--at = 0;
  *--at = '\n';
  do *--at = (char)('0' + number % 10);
  while (number /= 10);
  semihost(4, (uint32_t)at);
}

/* ---- The stack ---- */

__attribute__((noinline)) static void paint(void) {
  volatile uint32_t *at = (volatile uint32_t *)__builtin_frame_address(0) - 16;
  for (uint32_t i = 0; i < PAINTED / 4; i++) at[-(int32_t)i] = PAINT;
}

/* Bytes below the caller that something wrote since `paint`. */
__attribute__((noinline)) static uint32_t used_stack(void) {
  volatile uint32_t *at = (volatile uint32_t *)__builtin_frame_address(0) - 16;
  uint32_t used = PAINTED / 4;
  while (used > 0 && at[-(int32_t)(used - 1)] == PAINT) used--;
  return 4 * used + 64;
}

/* ---- The app ---- */

__attribute__((noinline)) static ernn_status run_all(void) {
  ernn_status status = ERNN_OK;
  for (uint32_t i = 0; i < row_count && status == ERNN_OK; i++) {
    const void *inputs[] = {rows + i * row_width};
    void *outputs[] = {scores};
    status = ernn_step(session, inputs, outputs);
  }
  return status;
}

__attribute__((noinline)) static void run_app(void) {
  size_t needed = 0;
  uint32_t of_open, of_init, of_steps;
  paint();
  ernn_status status = ernn_open(&model, model_bytes, model_size);
  of_open = used_stack();
  if (status == ERNN_OK) status = ernn_session_size(&model, NULL, &needed);
  paint();
  if (status == ERNN_OK) status = ernn_session_init(&session, &model, arena, sizeof arena, NULL);
  of_init = used_stack();
  paint();
  if (status == ERNN_OK) status = run_all();
  of_steps = used_stack();
  print_number(status);
  print_number(needed);
  print_number(of_open);
  print_number(of_init);
  print_number(of_steps);
  for (uint32_t i = 0; i < score_count; i++) {
    uint32_t bits;
    __builtin_memcpy(&bits, scores + i, 4);
    print_number(bits);
  }
}

void start(void) {
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* the floating-point unit is off at first */
  __asm__ volatile("dsb\n\tisb");
  run_app();
  semihost(0x18, 0x20026);
  for (;;) {}
}
