/* operators.c: what our operators for ONNX Runtime want of Android, beside memory from its C library. */

#include <stdint.h>

#if defined(__arm__)
#include "arm_runtime.h"
#endif

enum { AT_HWCAP = 16 };

unsigned long getauxval(unsigned long kind);
unsigned long operators_hwcap(void);

/* What the kernel says the processor can do. */
unsigned long operators_hwcap(void) { return getauxval(AT_HWCAP); }
