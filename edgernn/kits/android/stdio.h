/* What jni.h needs of a C library: nothing. */
#include <stdarg.h>
