/* example.c: runs the model over one sequence.  Each input comes from a file of numbers as they are in
 * memory (float32 or int32, low byte first; a bool is one byte), row after row:
 *
 *     ./example features.bin
 *
 * prints each row of each output.  The model is an array in the program; a program that reads @MODEL@.ernn
 * from a file needs memory at a multiple of 64 for it, as aligned() gives. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "ernn.h"
#include "@MODEL@_ernn.h"

enum { MOST_PORTS = 64 };

static int failed(ernn_status status) {
  fprintf(stderr, "error: %s\n", ernn_status_text(status));
  return 1;
}

/* Memory at a multiple of ERNN_ALIGNMENT. */
static void *aligned(size_t size) {
  uint8_t *room = malloc(size + ERNN_ALIGNMENT);
  return room ? room + (ERNN_ALIGNMENT - (uintptr_t)room % ERNN_ALIGNMENT) : NULL;
}

static size_t row_bytes(const ernn_port *port) {
  return (size_t)port->width * (port->dtype == ERNN_BOOL ? 1 : 4);
}

/* The rows of a file; data is null where it cannot be read or has no whole number of rows. */
static ernn_rows read_rows(const char *path, const ernn_port *port) {
  ernn_rows rows = {NULL, 0};
  FILE *file = fopen(path, "rb");
  long size = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  if (size > 0 && (size_t)size % row_bytes(port) == 0) {
    rewind(file);
    rows.data = aligned((size_t)size);
    rows.steps = (uint32_t)((size_t)size / row_bytes(port));
    if (rows.data && fread(rows.data, 1, (size_t)size, file) != (size_t)size) rows.data = NULL;
  }
  if (file) fclose(file);
  return rows;
}

static void show(const ernn_port *port, const ernn_rows *rows) {
  for (uint32_t step = 0; step < rows->steps; step++) {
    printf("%s", port->name);
    for (uint32_t i = 0; i < port->width; i++) {
      size_t at = (size_t)step * port->width + i;
      if (port->dtype == ERNN_FLOAT32) printf(" %.9g", (double)((float *)rows->data)[at]);
      else if (port->dtype == ERNN_INT32) printf(" %d", (int)((int32_t *)rows->data)[at]);
      else printf(" %d", ((uint8_t *)rows->data)[at]);
    }
    printf("\n");
  }
}

int main(int count, char **words) {
  ernn_model model;
  ernn_status status = ernn_open(&model, @MODEL@_ernn, sizeof @MODEL@_ernn);
  if (status != ERNN_OK) return failed(status);

  uint32_t inputs = ernn_input_count(&model), outputs = ernn_output_count(&model);
  if (inputs > MOST_PORTS || outputs > MOST_PORTS) return failed(ERNN_ARGUMENT);
  ernn_port port;
  ernn_rows in[MOST_PORTS], out[MOST_PORTS];
  ernn_options options = {.max_steps = 1};
  int next = 1;
  for (uint32_t i = 0; i < inputs; i++) {
    ernn_input(&model, i, &port);
    in[i].data = NULL, in[i].steps = port.steps ? port.steps : 1;
    if (port.state) continue; /* the session keeps it */
    if (next < count) in[i] = read_rows(words[next++], &port);
    if (!in[i].data) {
      fprintf(stderr, "error: input %s needs a file with a whole number of rows of %u numbers\n",
              port.name, port.width);
      return 1;
    }
    if (in[i].steps > options.max_steps) options.max_steps = in[i].steps;
  }

  size_t bytes;
  status = ernn_session_size(&model, &options, &bytes);
  if (status != ERNN_OK) return failed(status);
  void *arena = aligned(bytes);
  ernn_session *session;
  if (!arena) return failed(ERNN_TOO_LARGE);
  status = ernn_session_init(&session, &model, arena, bytes, &options);
  if (status != ERNN_OK) return failed(status);

  status = ernn_output_steps(session, in, out);
  if (status != ERNN_OK) return failed(status);
  for (uint32_t i = 0; i < outputs; i++) {
    ernn_output(&model, i, &port);
    out[i].data = aligned(row_bytes(&port) * out[i].steps);
    if (!out[i].data) return failed(ERNN_TOO_LARGE);
  }
  status = ernn_run(session, in, out);
  if (status != ERNN_OK) return failed(status);
  for (uint32_t i = 0; i < outputs; i++) {
    ernn_output(&model, i, &port);
    show(&port, &out[i]);
  }
  return 0;
}
