/* text.h: text to standard output and from arguments, without a C library. */
#ifndef EDGERNN_TEXT_H
#define EDGERNN_TEXT_H

#include "system.h"

static char text[1 << 16];
static size_t text_used;

static void flush_text(void) {
  for (size_t done = 0; done < text_used;) {
    int64_t written = system_write(1, text + done, text_used - done);
    if (written <= 0) break;
    done += (size_t)written;
  }
  text_used = 0;
}

static void put(const char *more) {
  for (; *more; more++) {
    if (text_used == sizeof text) flush_text();
    text[text_used++] = *more;
  }
}

static void put_number(int64_t number) {
  char digits[24];
  int at = sizeof digits - 1;
  uint64_t rest = number < 0 ? (uint64_t)-number : (uint64_t)number;
  digits[at] = 0;
  do {
    digits[--at] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (number < 0) digits[--at] = '-';
  put(digits + at);
}

static void put_field(const char *name, int64_t number) {
  put(", \"");
  put(name);
  put("\": ");
  put_number(number);
}

/* Text of somebody else within quotes. */
static void put_escaped(const char *more) {
  static const char hexadecimal[] = "0123456789abcdef";
  for (; *more; more++) {
    unsigned char byte = (unsigned char)*more;
    char one[] = {'\\', *more, 0}, control[] = "\\u00..";
    control[4] = hexadecimal[byte >> 4];
    control[5] = hexadecimal[byte & 15];
    put(byte < ' ' ? control : *more == '"' || *more == '\\' ? one : one + 1);
  }
}

static int fail(const char *what, const char *why) {
  text_used = 0;
  put("{\"error\": \"");
  put_escaped(what);
  put(": ");
  put_escaped(why);
  put("\"}\n");
  flush_text();
  return 1;
}

static int same(const char *left, const char *right) {
  for (; *left && *left == *right; left++) right++;
  return *left == *right;
}

/* No more than an int holds, so that milliseconds of it are nanoseconds too. */
static int64_t number_of(const char *digits) {
  int64_t number = 0;
  for (; *digits >= '0' && *digits <= '9'; digits++) {
    number = number * 10 + (*digits - '0');
    if (number > INT32_MAX) return INT32_MAX;
  }
  return number;
}

#endif
