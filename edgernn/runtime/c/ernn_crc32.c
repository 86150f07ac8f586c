/* ernn_crc32.c: the checksum of zip, png and Ethernet (reflected polynomial 0xEDB88320). */

#include "ernn_internal.h"

/* A checksum that goes on from `crc`, inverted before and after.
 *
 * Four bytes a time, by halves of bytes: table[k] moves one past 4 (k + 1) bits.  The tables take half
 * a KB of stack and 128 steps to make. */
ERNN_NOINLINE static uint32_t by_tables(uint32_t crc, const uint8_t *bytes, size_t size) {
  uint32_t table[8][16];
  for (uint32_t value = 0; value < 16; value++) {
    uint32_t remainder = value;
    for (int bit = 0; bit < 4; bit++) {
      remainder = (remainder >> 1) ^ (0xEDB88320u & (0u - (remainder & 1u)));
    }
    table[0][value] = remainder;
  }
  for (uint32_t value = 0; value < 16; value++) {
    for (int past = 1; past < 8; past++) {
      uint32_t previous = table[past - 1][value];
      table[past][value] = (previous >> 4) ^ table[0][previous & 15u];
    }
  }
  for (; size >= 4; size -= 4, bytes += 4) {
    crc ^= (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
    uint32_t low = table[7][crc & 15u] ^ table[6][crc >> 4 & 15u] ^ table[5][crc >> 8 & 15u] ^
                   table[4][crc >> 12 & 15u];
    crc = low ^ table[3][crc >> 16 & 15u] ^ table[2][crc >> 20 & 15u] ^
          table[1][crc >> 24 & 15u] ^ table[0][crc >> 28];
  }
  for (; size > 0; size--, bytes++) {
    crc ^= *bytes;
    crc = (crc >> 8) ^ table[1][crc & 15u] ^ table[0][crc >> 4 & 15u];
  }
  return crc;
}

#ifdef ERNN_HAS_X86

#include "kernels_intrinsics.h"

#define CLMUL ERNN_TARGET("pclmul,sse4.1")

enum { BLOCK = 64 };

static int multiplies_without_carry(void) {
  unsigned int a, b, c, d, wanted = 1u << 1 | 1u << 19; /* PCLMULQDQ, SSE4.1 */
  return __get_cpuid(1, &a, &b, &c, &d) && (c & wanted) == wanted;
}

/* Polynomials over two: `x` moved past the bits that `by` stands for, plus what is there. */
CLMUL ERNN_INLINE __m128i folded(__m128i x, __m128i by, __m128i there) {
  __m128i early = _mm_clmulepi64_si128(x, by, 0x00), late = _mm_clmulepi64_si128(x, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(early, late), there);
}

CLMUL ERNN_INLINE __m128i load(const uint8_t *bytes, int number) {
  return _mm_loadu_si128((const __m128i *)(const void *)bytes + number);
}

/* Blocks of 64 bytes, four chains at a time.  All of them become 16 bytes with the same remainder,
 * whose checksum the tables find.  The numbers are x^n modulo the polynomial, reflected, for n = 512
 * and 128 bits, 32 more and 32 less. */
CLMUL static uint32_t by_blocks(uint32_t crc, const uint8_t *bytes, size_t size) {
  const __m128i past_four = _mm_set_epi64x(0x1C6E41596, 0x154442BD4);
  const __m128i past_one = _mm_set_epi64x(0xCCAA009E, 0x1751997D0);
  __m128i x[4];
  for (int i = 0; i < 4; i++) x[i] = load(bytes, i);
  x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)crc));
  for (size -= BLOCK, bytes += BLOCK; size >= BLOCK; size -= BLOCK, bytes += BLOCK) {
    ERNN_UNROLL
    for (int i = 0; i < 4; i++) x[i] = folded(x[i], past_four, load(bytes, i));
  }
  for (int i = 1; i < 4; i++) x[i] = folded(x[i - 1], past_one, x[i]);
  uint8_t last[16];
  _mm_storeu_si128((__m128i *)(void *)last, x[3]);
  return by_tables(0, last, sizeof last);
}

#elif defined(ERNN_HAS_ARM64)

/* The instruction by hand, as in kernels_neondot.c. */
#if defined(__clang__)
#define CRC ERNN_TARGET("crc")
#define CRC32X "crc32x "
#else
#define CRC
#define CRC32X ".arch_extension crc\n\tcrc32x "
#endif

CRC static uint32_t by_words(uint32_t crc, const uint8_t *bytes, size_t size) {
  for (; size >= 8; size -= 8, bytes += 8) {
    uint64_t eight;
    __builtin_memcpy(&eight, bytes, sizeof eight);
    __asm__(CRC32X "%w0, %w0, %x1" : "+r"(crc) : "r"(eight));
  }
  return crc;
}

#endif

uint32_t ernn_crc32(const uint8_t *bytes, size_t size) {
  uint32_t crc = 0xFFFFFFFFu;
#ifdef ERNN_HAS_X86
  if (size >= 4 * BLOCK && multiplies_without_carry()) {
    size_t taken = size / BLOCK * BLOCK;
    crc = by_blocks(crc, bytes, taken);
    bytes += taken;
    size -= taken;
  }
#elif defined(ERNN_HAS_ARM64)
  if (ernn_has_crc32()) {
    size_t taken = size / 8 * 8;
    crc = by_words(crc, bytes, taken);
    bytes += taken;
    size -= taken;
  }
#endif
  return ~by_tables(crc, bytes, size);
}
