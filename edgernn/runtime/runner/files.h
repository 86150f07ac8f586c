/* files.h: whole files, without a C library. */
#ifndef EDGERNN_FILES_H
#define EDGERNN_FILES_H

#include "system.h"

typedef struct bytes {
  uint8_t *data;
  size_t size;
} bytes;

/* What may be wrong with one. */
static const char *const CUT_SHORT = "ends too early";
static const char *const NO_ROOM = "cannot be written: there is no room left";

/* Read, not mapped: a mapping of a model on a slow card would be paged in during the first call.
 * Into one piece of the file's size: what was copied from smaller ones would count as memory. */
static int read_file(const char *path, bytes *content) {
  int file = system_open(path, 0);
  if (file < 0) return 0;
  int64_t size = system_size(file), got = 1;
  content->size = 0;
  content->data = size < 0 ? NULL : (uint8_t *)system_map(-1, size ? (size_t)size : 1);
  while (content->data && got > 0 && content->size < (size_t)size) {
    got = system_read(file, content->data + content->size, (size_t)size - content->size);
    if (got > 0) content->size += (size_t)got;
  }
  system_close(file);
  return content->data && got >= 0;
}

static int write_all(int file, const void *data, size_t size) {
  for (size_t done = 0; done < size;) {
    int64_t written = system_write(file, (const uint8_t *)data + done, size - done);
    if (written <= 0) return 0;
    done += (size_t)written;
  }
  return 1;
}

#endif
