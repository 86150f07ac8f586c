/* division_arm.c: what 32-bit ARM calls for arithmetic that it lacks, without the compiler's library. */

#include "arm_runtime.h"
