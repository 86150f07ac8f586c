/* system.h: the few things a program wants of its system: files, memory, clocks, text.
 *
 * Hosted builds take them from POSIX.  A freestanding build (-ffreestanding -nostdlib -static) makes
 * Linux system calls itself, so that one file of a few kilobytes runs on any Linux or Android of its
 * processor, whatever C library is there.  With SYSTEM_LOADS_LIBRARIES it is a dynamic executable that
 * does the same, and takes dlopen and copying from the C library of the target. */
#ifndef EDGERNN_SYSTEM_H
#define EDGERNN_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

/* A folder that does not exist: opening a file in it fails, which marks the place for a plugin of
 * qemu. */
enum { SYSTEM_MARK = -7777 };

#if __STDC_HOSTED__

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t system_write(int file, const void *bytes, size_t size) {
  return write(file, bytes, size);
}
static int64_t system_read(int file, void *bytes, size_t size) { return read(file, bytes, size); }
static int system_open(const char *path, int for_writing) {
  return open(path, for_writing ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0644);
}
static void system_close(int file) { close(file); }
/* Of a file that was just opened; negative where it has none, as a pipe. */
static int64_t system_size(int file) {
  int64_t size = lseek(file, 0, SEEK_END);
  return lseek(file, 0, SEEK_SET) < 0 ? -1 : size;
}
static void system_mark(void) { (void)openat(SYSTEM_MARK, "", O_RDONLY); }
static void *system_map(int file, size_t size) {
  int is_file = file >= 0;
  void *at = mmap(NULL, size, is_file ? PROT_READ : PROT_READ | PROT_WRITE,
                  is_file ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS, file, 0);
  return at == MAP_FAILED ? NULL : at;
}
static int64_t system_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}
static void system_sleep_ns(int64_t duration) {
  struct timespec span = {duration / 1000000000, duration % 1000000000};
  nanosleep(&span, NULL);
}

#else

/* NR_EXIT is exit_group: the threads of a library end with us. */
#if defined(__x86_64__)
enum { NR_READ = 0, NR_WRITE = 1, NR_CLOSE = 3, NR_LSEEK = 8, NR_MMAP = 9, NR_SLEEP = 35,
       NR_EXIT = 231, NR_CLOCK = 228, NR_OPENAT = 257 };
static long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return number;
}
#elif defined(__aarch64__)
enum { NR_OPENAT = 56, NR_CLOSE = 57, NR_LSEEK = 62, NR_READ = 63, NR_WRITE = 64, NR_EXIT = 94,
       NR_SLEEP = 101, NR_CLOCK = 113, NR_MMAP = 222 };
static long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}
#elif defined(__arm__)
enum { NR_READ = 3, NR_WRITE = 4, NR_CLOSE = 6, NR_LSEEK = 19, NR_SLEEP = 162, NR_MMAP = 192,
       NR_EXIT = 248, NR_CLOCK = 263, NR_OPENAT = 322 }; /* NR_MMAP: mmap2, which counts in pages; only 0 is used */
static long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long r0 __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c;
  register long r3 __asm__("r3") = d, r4 __asm__("r4") = e, r5 __asm__("r5") = f;
  /* r7 takes the number, and may be the frame pointer: kept aside. */
  __asm__ volatile("mov r8, r7\n\tmov r7, %[number]\n\tsvc 0\n\tmov r7, r8"
                   : "+r"(r0)
                   : [number] "r"(number), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
                   : "r8", "memory");
  return r0;
}
#else
#error "the freestanding runner knows x86-64 and ARM of 64 and 32 bits"
#endif

typedef struct system_time {
  long seconds, nanoseconds;
} system_time;

static int64_t system_write(int file, const void *bytes, size_t size) {
  return system_call(NR_WRITE, file, (long)bytes, (long)size, 0, 0, 0);
}
static int64_t system_read(int file, void *bytes, size_t size) {
  return system_call(NR_READ, file, (long)bytes, (long)size, 0, 0, 0);
}
static int system_open(const char *path, int for_writing) {
  int at_working_directory = -100, create_or_cut = 01 | 0100 | 01000;
  return (int)system_call(NR_OPENAT, at_working_directory, (long)path,
                          for_writing ? create_or_cut : 0, 0644, 0, 0);
}
static void system_close(int file) { system_call(NR_CLOSE, file, 0, 0, 0, 0, 0); }
static int64_t system_size(int file) {
  int start = 0, end = 2;
  int64_t size = system_call(NR_LSEEK, file, 0, end, 0, 0, 0);
  return system_call(NR_LSEEK, file, 0, start, 0, 0, 0) < 0 ? -1 : size;
}
static void system_mark(void) { system_call(NR_OPENAT, SYSTEM_MARK, (long)"", 0, 0, 0, 0); }
static void *system_map(int file, size_t size) {
  int is_file = file >= 0, for_reading = 1, for_both = 3, is_private = 2, is_anonymous = 0x20;
  long at = system_call(NR_MMAP, 0, (long)size, is_file ? for_reading : for_both,
                        is_file ? is_private : is_private | is_anonymous, file, 0);
  return at < 0 && at > -4096 ? NULL : (void *)at;
}
static int64_t system_now_ns(void) {
  system_time now;
  system_call(NR_CLOCK, 1, (long)&now, 0, 0, 0, 0);
  return now.seconds * 1000000000ll + now.nanoseconds;
}
static void system_sleep_ns(int64_t duration) {
  system_time span = {duration / 1000000000, duration % 1000000000};
  system_call(NR_SLEEP, (long)&span, 0, 0, 0, 0, 0);
}

#if defined(SYSTEM_LOADS_LIBRARIES)
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
#else
/* Compilers may call these whatever their options are. */
void *memcpy(void *to, const void *from, size_t size) {
  for (size_t i = 0; i < size; i++) ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
  return to;
}
void *memset(void *to, int value, size_t size) {
  for (size_t i = 0; i < size; i++) ((volatile uint8_t *)to)[i] = (uint8_t)value;
  return to;
}
#endif

#if defined(__arm__)
#include "arm_runtime.h"
#endif

int main(int argc, char **argv);
unsigned long system_hwcap(void);

/* What the kernel says the processor can do (AT_HWCAP), as ERNN_HWCAP of ernn.h wants it. */
static unsigned long system_hwcap_bits;
unsigned long system_hwcap(void) { return system_hwcap_bits; }

/* The stack holds the number of arguments, the arguments, a null, the environment, a null, and pairs
 * of a kind and a value. */
__attribute__((used, noreturn)) static void system_start(long *stack) {
  long *pairs = stack + 1 + stack[0] + 1;
  while (*pairs) pairs++;
  for (pairs++; pairs[0]; pairs += 2) {
    if (pairs[0] == 16) system_hwcap_bits |= (unsigned long)pairs[1];
#if defined(__aarch64__)
    if (pairs[0] == 26) system_hwcap_bits |= ((unsigned long)pairs[1] >> 13 & 1) << 63;
#endif
  }
  int code = main((int)stack[0], (char **)(stack + 1));
  for (;;) system_call(NR_EXIT, code, 0, 0, 0, 0, 0);
}
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall system_start\n");
#elif defined(__arm__)
__asm__(".globl _start\n_start:\n\tmov r0, sp\n\tbic r1, r0, #15\n\tmov sp, r1\n\tbl system_start\n");
#else
__asm__(".globl _start\n_start:\n\tmov x0, sp\n\tand sp, x0, #-16\n\tbl system_start\n");
#endif

#endif

#endif
