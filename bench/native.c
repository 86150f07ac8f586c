/* native.c: what bench/native.py needs of C: calls of the library without Python around them, and
 * what this processor can do at best.  Compiled with the library into one shared object. */

#include <stdlib.h>
#include <time.h>

#include "ernn_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- The library ---- */

typedef struct call {
  ernn_model model;
  ernn_session *session;
  void *arena;
} call;

/* Null when the model cannot be used.  `bytes` must outlive the call. */
call *call_new(const void *bytes, size_t size) {
  call *made = (call *)calloc(1, sizeof(call));
  size_t arena;
  if (ernn_open(&made->model, bytes, size) != ERNN_OK ||
      ernn_session_size(&made->model, NULL, &arena) != ERNN_OK ||
      !(made->arena = aligned_alloc(ERNN_ALIGNMENT, arena)) ||
      ernn_session_init(&made->session, &made->model, made->arena, arena, NULL) != ERNN_OK) {
    return NULL;
  }
  return made;
}

const char *call_isa(const call *made) { return ernn_isa_name(ernn_session_isa(made->session)); }

/* Bits of what the recurrent product of integer layer `layer` takes; 0 where there is none. */
unsigned call_state_bits(const call *made, unsigned layer) {
  const ernn_op *ops = ernn_ops(&made->model);
  for (unsigned i = 0; i < made->model.header->op_count; i++) {
    if (ops[i].kind != ERNN_OP_QGRU && ops[i].kind != ERNN_OP_QLSTM) continue;
    if (layer-- == 0) return ops[i].arguments[ERNN_QRNN_STATE_BITS];
  }
  return 0;
}

/* `count` steps of a model with one input and one output; a status. */
int call_steps(call *made, const void *row, void *out, int count) {
  int status = 0;
  for (int i = 0; i < count && status == 0; i++) {
    status = (int)ernn_step(made->session, &row, &out);
  }
  return status;
}

/* One whole sequence. */
int call_run(call *made, void *rows, unsigned steps, void *out) {
  ernn_rows input = {rows, steps}, output = {out, steps};
  ernn_reset(made->session);
  return (int)ernn_run(made->session, &input, &output);
}

/* ---- The processor ----
 *
 * The best of short trials: few of them are left alone by the other programs of a machine. */

enum { TRIALS = 100 };

/* Cycles per second under load: a chain of multiplications, each waiting for the one before.  Not of
 * additions: some processors add constants up while they rename registers, many in one cycle. */
double clock_hz(void) {
  enum { ROUNDS = 2000, CHAIN = 64, LATENCY = 3 };
  double best = 1e9;
  for (int trial = 0; trial < TRIALS; trial++) {
    unsigned long x = 3;
    double start = now_s();
    for (int i = 0; i < ROUNDS; i++) {
      _Pragma("GCC unroll 64") for (int k = 0; k < CHAIN; k++) {
#if defined(__x86_64__)
        __asm__ volatile("imulq %0, %0" : "+r"(x));
#elif defined(__aarch64__)
        __asm__ volatile("mul %w0, %w0, %w0" : "+r"(x));
#else
        return 0;
#endif
      }
    }
    double took = now_s() - start;
    if (took < best) best = took;
  }
  return (double)ROUNDS * CHAIN * LATENCY / best;
}

#if defined(__x86_64__)

enum { SUMS = 12, TURNS = 20000 };

/* The empty asm makes each sum a register, and each product one that is computed anew. */
#define PEAK(name, features, vector, zero, one, body, macs)                                        \
  __attribute__((target(features))) static double name(int trials) {                               \
    double best = 1e9;                                                                             \
    for (int trial = 0; trial < trials; trial++) {                                                 \
      vector sums[SUMS], x = one, w = one;                                                         \
      for (int i = 0; i < SUMS; i++) sums[i] = zero;                                               \
      double start = now_s();                                                                      \
      for (int turn = 0; turn < TURNS; turn++) {                                                   \
        _Pragma("GCC unroll 12") for (int i = 0; i < SUMS; i++) {                                  \
          sums[i] = body;                                                                          \
          __asm__ volatile("" : "+v"(sums[i]), "+v"(w));                                           \
        }                                                                                          \
      }                                                                                            \
      double took = now_s() - start;                                                               \
      if (took < best) best = took;                                                                \
    }                                                                                              \
    return (double)TURNS * SUMS * (macs) / best;                                                   \
  }

#define VNNI "avx512f,avx512bw,avx512vl,avx512vnni"

PEAK(u8_vnni, VNNI, __m512i, _mm512_setzero_si512(), _mm512_set1_epi8(1),
     _mm512_dpbusd_epi32(sums[i], x, w), 64)
PEAK(s16_vnni, VNNI, __m512i, _mm512_setzero_si512(), _mm512_set1_epi8(1),
     _mm512_dpwssd_epi32(sums[i], x, w), 32)
#define AVX_VNNI "avxvnni,avx2"

PEAK(u8_avxvnni, AVX_VNNI, __m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1),
     _mm256_dpbusd_avx_epi32(sums[i], x, w), 32)
PEAK(s16_avxvnni, AVX_VNNI, __m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1),
     _mm256_dpwssd_avx_epi32(sums[i], x, w), 16)
PEAK(u8_avx2, "avx2", __m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1),
     _mm256_add_epi32(sums[i], _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), x)), 32)
PEAK(s16_avx2, "avx2", __m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1),
     _mm256_add_epi32(sums[i], _mm256_madd_epi16(x, w)), 16)

/* Products of `bits` with int8 weights and their sums, per second; 0 where that is not known. */
double peak_macs(const char *isa, int bits, int trials) {
  int is_amx = isa[0] == 'a' && isa[1] == 'm', is_avx2 = isa[0] == 'a' && isa[3] == '2';
  int is_vnni = is_amx || (isa[0] == 'a' && isa[3] == '5'); /* single rows */
  if (isa[0] == 'a' && isa[3] == 'v') return bits == 8 ? u8_avxvnni(trials) : s16_avxvnni(trials);
  if (is_vnni) return bits == 8 ? u8_vnni(trials) : s16_vnni(trials);
  return is_avx2 ? bits == 8 ? u8_avx2(trials) : s16_avx2(trials) : 0;
}

/* Bytes per second when `size` bytes are read again and again, from the cache that holds them: upwards
 * and downwards in turn, so that what was read last is read first. */
#define READ(name, features, vector, zero, load, add)                                              \
  __attribute__((target(features))) static double name(const char *bytes, size_t room, int trials) { \
    size_t turns = ((size_t)4 << 20) / room + 1, block = 8 * sizeof(vector);                        \
    double best = 1e9;                                                                             \
    for (int trial = 0; trial < trials; trial++) {                                                 \
      vector sums[8];                                                                              \
      for (int i = 0; i < 8; i++) sums[i] = zero;                                                  \
      double start = now_s();                                                                      \
      for (size_t turn = 0; turn < turns; turn++) {                                                \
        for (size_t at = 0; at < room; at += block) {                                              \
          const char *from = bytes + (turn % 2 ? room - block - at : at);                          \
          _Pragma("GCC unroll 8") for (size_t i = 0; i < 8; i++) {                                 \
            sums[i] = add(sums[i], load((const void *)(from + sizeof(vector) * i)));               \
          }                                                                                        \
        }                                                                                          \
        for (int i = 0; i < 8; i++) __asm__ volatile("" : "+v"(sums[i]));                          \
      }                                                                                            \
      double took = now_s() - start;                                                               \
      if (took < best) best = took;                                                                \
    }                                                                                              \
    return (double)turns * (double)room / best;                                                    \
  }

READ(read_avx2, "avx2", __m256i, _mm256_setzero_si256(), _mm256_load_si256, _mm256_xor_si256)
READ(read_avx512, "avx512f", __m512i, _mm512_setzero_si512(), _mm512_load_si512, _mm512_xor_si512)

/* With the widest loads that the processor has. */
double read_bandwidth(size_t size, int trials) {
  size_t room = (size + 511) / 512 * 512;
  char *bytes = (char *)aligned_alloc(512, room);
  for (size_t i = 0; i < room; i++) bytes[i] = (char)i;
  double rate = __builtin_cpu_supports("avx512f") ? read_avx512(bytes, room, trials)
                                                  : read_avx2(bytes, room, trials);
  free(bytes);
  return rate;
}

#else

double peak_macs(const char *isa, int bits, int trials) {
  return (void)isa, (void)bits, (void)trials, 0;
}
double read_bandwidth(size_t size, int trials) { return (void)size, (void)trials, 0; }

#endif
