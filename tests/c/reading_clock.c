/* For -Wl,--wrap: a clock that one second passes on with each read of a file, and not otherwise. */

#include <time.h>
#include <unistd.h>

static long seconds;

ssize_t __real_read(int file, void *bytes, size_t size);
ssize_t __wrap_read(int file, void *bytes, size_t size);
ssize_t __wrap_read(int file, void *bytes, size_t size) {
  seconds++;
  return __real_read(file, bytes, size);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
  (void)clock;
  now->tv_sec = seconds;
  now->tv_nsec = 0;
  return 0;
}
