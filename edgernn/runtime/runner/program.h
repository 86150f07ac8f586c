/* program.h: an .ernn file and what it takes to run it. */
#ifndef EDGERNN_PROGRAM_H
#define EDGERNN_PROGRAM_H

#include "../c/ernn.h"
#include "files.h"
#include "system.h"

enum { MOST_PORTS = 64 };

typedef struct program {
  ernn_model model;
  ernn_session *session;
  uint32_t inputs, outputs;
  size_t input_row[MOST_PORTS], output_row[MOST_PORTS]; /* bytes */
  uint32_t input_steps[MOST_PORTS];                     /* that the model asks for; 0: any number */
  uint32_t is_sequence[MOST_PORTS];                     /* of an output: has a row for each step */
  void *output[MOST_PORTS];                             /* what calls write to */
  size_t output_room[MOST_PORTS];
} program;

static size_t port_row(const ernn_port *port) {
  return port->width * (port->dtype == ERNN_BOOL ? (size_t)1 : (size_t)4);
}

static const char *open_program(program *run, const bytes *file, const ernn_options *options) {
  ernn_status status = ernn_open(&run->model, file->data, file->size);
  if (status != ERNN_OK) return ernn_status_text(status);
  run->inputs = ernn_input_count(&run->model);
  run->outputs = ernn_output_count(&run->model);
  if (run->inputs > MOST_PORTS || run->outputs > MOST_PORTS) return "too many inputs or outputs";
  ernn_port port;
  for (uint32_t i = 0; i < run->inputs; i++) {
    ernn_input(&run->model, i, &port);
    run->input_row[i] = port_row(&port);
    run->input_steps[i] = port.is_sequence ? port.steps : 0;
  }
  for (uint32_t i = 0; i < run->outputs; i++) {
    ernn_output(&run->model, i, &port);
    run->output_row[i] = port_row(&port);
    run->is_sequence[i] = port.is_sequence;
  }
  size_t size;
  status = ernn_session_size(&run->model, options, &size);
  if (status != ERNN_OK) return ernn_status_text(status);
  void *arena = system_map(-1, size);
  if (!arena) return "there is not enough memory";
  status = ernn_session_init(&run->session, &run->model, arena, size, options);
  return status == ERNN_OK ? NULL : ernn_status_text(status);
}

#endif
