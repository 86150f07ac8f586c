/* peak.h: how much memory the program has used. */
#ifndef EDGERNN_PEAK_H
#define EDGERNN_PEAK_H

#include "text.h"

/* The kilobytes that a file of /proc gives under a name, in bytes; 0 where it does not. */
static int64_t told_bytes(const char *path, const char *name) {
  static char told[8192];
  int file = system_open(path, 0);
  if (file < 0) return 0;
  int64_t size = system_read(file, told, sizeof told - 1);
  system_close(file);
  for (int64_t i = 0; i < size; i++) {
    int64_t length = 0;
    while (name[length] && i + length < size && told[i + length] == name[length]) length++;
    if (name[length]) continue;
    i += length;
    while (told[i] == ' ' || told[i] == '\t') i++;
    told[size] = 0;
    return number_of(told + i) * 1024;
  }
  return 0;
}

/* The peak of resident memory, or 0 where the system does not tell.  Before Linux 6.2 VmHWM lags
 * behind by up to 64 pages, which is all that a small model has: what is resident now is counted
 * exactly, and nothing was given back. */
static int64_t peak_bytes(void) {
  int64_t peak = told_bytes("/proc/self/status", "VmHWM:");
  int64_t now = told_bytes("/proc/self/smaps_rollup", "\nRss:");
  return now > peak ? now : peak;
}

#endif
