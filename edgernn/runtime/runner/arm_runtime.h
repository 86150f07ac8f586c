/* arm_runtime.h: what compilers call on 32-bit ARM for arithmetic that the processor lacks, by the
 * names of the Run-time ABI (Arm IHI 0043).  Only for programs without the compiler's own library. */
#ifndef EDGERNN_ARM_RUNTIME_H
#define EDGERNN_ARM_RUNTIME_H

#include <stdint.h>

typedef struct arm_quotient {
  uint64_t quotient, remainder;
} arm_quotient;

/* Long division, bit by bit.  By zero: all ones, as on processors that divide. */
__attribute__((noinline)) static arm_quotient arm_divide(uint64_t dividend, uint64_t divisor) {
  arm_quotient result = {0, 0};
  for (int bit = 63; bit >= 0; bit--) {
    result.remainder = result.remainder << 1 | (dividend >> bit & 1);
    result.quotient <<= 1;
    if (result.remainder >= divisor) {
      result.remainder -= divisor;
      result.quotient |= 1;
    }
  }
  return result;
}

uint32_t __aeabi_uidiv(uint32_t dividend, uint32_t divisor);
uint32_t __aeabi_uidiv(uint32_t dividend, uint32_t divisor) {
  return (uint32_t)arm_divide(dividend, divisor).quotient;
}

/* Quotient in r0, remainder in r1: a 64-bit number. */
uint64_t __aeabi_uidivmod(uint32_t dividend, uint32_t divisor);
uint64_t __aeabi_uidivmod(uint32_t dividend, uint32_t divisor) {
  arm_quotient result = arm_divide(dividend, divisor);
  return result.quotient | result.remainder << 32;
}

/* Quotient in r0 and r1, remainder in r2 and r3: no C type is returned so. */
__attribute__((used)) static void arm_divide_unsigned(uint64_t dividend, uint64_t divisor,
                                                      arm_quotient *result) {
  *result = arm_divide(dividend, divisor);
}

__attribute__((used)) static void arm_divide_signed(int64_t dividend, int64_t divisor,
                                                    arm_quotient *result) {
  uint64_t left = dividend < 0 ? 0 - (uint64_t)dividend : (uint64_t)dividend;
  uint64_t right = divisor < 0 ? 0 - (uint64_t)divisor : (uint64_t)divisor;
  *result = arm_divide(left, right);
  if ((dividend < 0) != (divisor < 0)) result->quotient = 0 - result->quotient;
  if (dividend < 0) result->remainder = 0 - result->remainder;
}

#define ARM_DIVISION(name, by)                                                                     \
  __asm__(".globl " name "\n.type " name ", %function\n" name                                       \
          ":\n\tpush {r4, lr}\n\tsub sp, sp, #24\n\tadd r4, sp, #8\n\tstr r4, [sp]\n\tbl " by       \
          "\n\tldrd r0, r1, [sp, #8]\n\tldrd r2, r3, [sp, #16]\n\tadd sp, sp, #24\n\tpop {r4, pc}\n")
ARM_DIVISION("__aeabi_uldivmod", "arm_divide_unsigned");
ARM_DIVISION("__aeabi_ldivmod", "arm_divide_signed");

/* Rounded once: a number of more than 24 bits keeps the lost ones in its last bit.  Returns in r0 even
 * where floats are otherwise returned in s0 (gnueabihf): the names of this ABI always do. */
__attribute__((pcs("aapcs"))) float __aeabi_l2f(int64_t number);
__attribute__((pcs("aapcs"))) float __aeabi_l2f(int64_t number) {
  uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  float scale = number < 0 ? -1.0f : 1.0f;
  while (magnitude >> 31) {
    magnitude = magnitude >> 1 | (magnitude & 1);
    scale *= 2.0f;
  }
  return (float)(int32_t)magnitude * scale;
}

#endif
