/* operators.c: what our operators for ONNX Runtime want of Android, beside memory from its C library. */

#include <stdint.h>

#if defined(__arm__)
#include "arm_runtime.h"
#endif

enum { AT_HWCAP = 16, AT_HWCAP2 = 26 };

unsigned long getauxval(unsigned long kind);
unsigned long operators_hwcap(void);

/* What the kernel says the processor can do, as ERNN_HWCAP of ernn.h wants it. */
unsigned long operators_hwcap(void) {
#if defined(__aarch64__)
  return getauxval(AT_HWCAP) | (getauxval(AT_HWCAP2) >> 13 & 1) << 63;
#else
  return getauxval(AT_HWCAP);
#endif
}
