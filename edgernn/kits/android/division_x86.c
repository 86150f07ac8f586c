/* division_x86.c: what 32-bit x86 calls for 64-bit division, without the compiler's library. */

#include <stdint.h>

uint64_t __udivdi3(uint64_t numerator, uint64_t divisor);
int64_t __divdi3(int64_t numerator, int64_t divisor);
uint64_t __umoddi3(uint64_t numerator, uint64_t divisor);

uint64_t __udivdi3(uint64_t numerator, uint64_t divisor) {
  uint64_t quotient = 0, rest = 0;
  for (int bit = 63; bit >= 0; bit--) {
    uint64_t carry = rest >> 63;
    rest = rest << 1 | (numerator >> bit & 1);
    if (carry || rest >= divisor) rest -= divisor, quotient |= (uint64_t)1 << bit;
  }
  return quotient;
}

uint64_t __umoddi3(uint64_t numerator, uint64_t divisor) {
  return numerator - __udivdi3(numerator, divisor) * divisor;
}

int64_t __divdi3(int64_t numerator, int64_t divisor) {
  uint64_t a = numerator < 0 ? 0 - (uint64_t)numerator : (uint64_t)numerator;
  uint64_t b = divisor < 0 ? 0 - (uint64_t)divisor : (uint64_t)divisor;
  uint64_t quotient = __udivdi3(a, b);
  return (int64_t)((numerator < 0) != (divisor < 0) ? 0 - quotient : quotient);
}
