/* files.h: whole files, without a C library. */
#ifndef EDGERNN_FILES_H
#define EDGERNN_FILES_H

#include "system.h"

typedef struct bytes {
  uint8_t *data;
  size_t size;
} bytes;

/* Read, not mapped: a mapping of a model on a slow card would be paged in during the first call. */
static int read_file(const char *path, bytes *content) {
  int file = system_open(path, 0);
  if (file < 0) return 0;
  size_t room = 1 << 16;
  content->size = 0;
  content->data = (uint8_t *)system_map(-1, room);
  while (content->data) {
    if (content->size == room) {
      uint8_t *larger = (uint8_t *)system_map(-1, 2 * room);
      if (!larger) return 0;
      for (size_t i = 0; i < room; i++) larger[i] = content->data[i];
      content->data = larger;
      room *= 2;
    }
    int64_t got = system_read(file, content->data + content->size, room - content->size);
    if (got <= 0) {
      system_close(file);
      return got == 0;
    }
    content->size += (size_t)got;
  }
  return 0;
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
