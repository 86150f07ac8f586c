/* edgernn-run: runs a model on inputs from a file, measures itself, prints one JSON object.
 *
 *     edgernn-run model.ernn [inputs.bin [outputs.bin]] [--isa NAME] [--step]
 *                 [--every-step] [--warm-up-ms N] [--time-ms N] [--period-us N] [--max-steps N]
 *                 [--calls N] [--decoder FILE INPUT OUTPUT START STOP LONGEST] [--begin FROM TO]
 *
 * inputs.bin   u32 cases; for each case and input: u32 steps (0: a state that begins at zero), rows
 * outputs.bin  the same for outputs.  Rows are padded to 4 bytes; all is little-endian
 * --step       feeds sequences one step a call; outputs of sequences are those of all steps
 * --every-step as --step; also outputs of one row a call are written for each step, except states
 * --time-ms    after the cases, calls the first case (its first step with --step) for this time and
 *              prints the time of each call; --period-us then calls it once a period
 * --decoder    after the model, an encoder, runs this one step by step: its input INPUT is START and
 *              then the likeliest token of output OUTPUT, until that is STOP.  There is one output:
 *              tokens, one row of LONGEST numbers, -1 behind the last
 * --begin      input TO of the decoder begins as output FROM of the encoder
 * --calls      calls the first case in the same way so often, between marks for a plugin of qemu
 */

#include "peak.h"
#include "program.h"
#include "text.h"
#include "timing.h"
#include "writer.h"

/* ---- Running ---- */

static size_t padded(size_t size) { return (size + 3) & ~(size_t)3; }

/* The rows of one case; moves `at` behind it.  0 when the file ends too early. */
static int read_case(const program *run, const bytes *content, size_t *at, ernn_rows *rows) {
  for (uint32_t i = 0; i < run->inputs; i++) {
    if (*at + 4 > content->size) return 0;
    const uint8_t *word = content->data + *at;
    rows[i].steps = (uint32_t)word[0] | (uint32_t)word[1] << 8 | (uint32_t)word[2] << 16 |
                    (uint32_t)word[3] << 24;
    *at += 4;
    uint64_t left = content->size - *at, size = (uint64_t)rows[i].steps * run->input_row[i];
    if (size > left || padded((size_t)size) > left) return 0;
    rows[i].data = rows[i].steps ? content->data + *at : NULL;
    *at += padded((size_t)size);
  }
  return 1;
}

static uint32_t longest(const program *run, const ernn_rows *rows) {
  uint32_t steps = 1;
  for (uint32_t i = 0; i < run->inputs; i++) {
    if (rows[i].steps > steps) steps = rows[i].steps;
  }
  return steps;
}

/* How many rows the outputs of a call have.  A model of single steps is given whole sequences to be
 * fed to it, but a call of it takes one. */
static ernn_status output_steps(const program *run, const ernn_rows *rows, int by_steps,
                                ernn_rows *outputs) {
  ernn_rows of_a_call[MOST_PORTS];
  for (uint32_t i = 0; i < run->inputs; i++) {
    of_a_call[i] = rows[i];
    if (by_steps && run->input_steps[i] && rows[i].steps) of_a_call[i].steps = run->input_steps[i];
  }
  return ernn_output_steps(run->session, of_a_call, outputs);
}

/* Step `step` of a case. */
static ernn_status run_step(program *run, const ernn_rows *rows, uint32_t step,
                            void *const *outputs) {
  const void *inputs[MOST_PORTS];
  for (uint32_t i = 0; i < run->inputs; i++) {
    size_t at = rows[i].steps > step ? step * run->input_row[i] : 0;
    inputs[i] = rows[i].data ? (uint8_t *)rows[i].data + at : NULL;
  }
  ernn_status status = ernn_step(run->session, inputs, outputs);
  return status == ERNN_NO_RESULT ? ERNN_OK : status; /* the next step may have one */
}

/* Room for the rows of outputs, until the next case.  At least twice what was there: all that is left
 * behind is no more than what is used.  0 when there is not enough. */
static int give_room(program *run, ernn_rows *outputs) {
  for (uint32_t i = 0; i < run->outputs; i++) {
    size_t size = padded(outputs[i].steps * run->output_row[i]);
    if (size > run->output_room[i]) {
      size_t twice = 2 * run->output_room[i];
      run->output_room[i] = size > twice ? size : twice;
      run->output[i] = system_map(-1, run->output_room[i]);
    }
    if (!run->output[i]) return 0;
    outputs[i].data = run->output[i];
  }
  return 1;
}

/* Runs one case. */
static ernn_status run_case(program *run, ernn_rows *rows, int by_steps, ernn_rows *outputs) {
  uint32_t steps = longest(run, rows);
  ernn_status status = output_steps(run, rows, by_steps, outputs);
  if (status != ERNN_OK) return status;
  for (uint32_t i = 0; i < run->outputs; i++) {
    if (by_steps && run->is_sequence[i]) outputs[i].steps = steps;
  }
  if (!give_room(run, outputs)) return ERNN_TOO_LARGE;
  ernn_reset(run->session);
  if (by_steps) {
    for (uint32_t step = 0; step < steps && status == ERNN_OK; step++) {
      void *to[MOST_PORTS];
      for (uint32_t i = 0; i < run->outputs; i++) {
        to[i] = (uint8_t *)outputs[i].data + (run->is_sequence[i] ? step * run->output_row[i] : 0);
      }
      status = run_step(run, rows, step, to);
    }
  } else {
    status = ernn_run(run->session, rows, outputs);
    if (status == ERNN_NO_RESULT) status = ERNN_OK; /* a file of one step */
  }
  return status;
}

static int write_case(const program *run, const writer *decoder, const ernn_rows *outputs, int file) {
  if (decoder) {
    const uint32_t rows = 1;
    return write_all(file, &rows, 4) && write_all(file, decoder->tokens, 4 * decoder->longest);
  }
  for (uint32_t i = 0; i < run->outputs; i++) {
    int is_written = write_all(file, &outputs[i].steps, 4) &&
                     write_all(file, outputs[i].data, padded(outputs[i].steps * run->output_row[i]));
    if (!is_written) return 0;
  }
  return 1;
}

/* ---- Calls ---- */

struct call {
  program *run;
  writer *decoder; /* or NULL */
  ernn_rows *rows;
  ernn_rows outputs[MOST_PORTS];
  int by_steps;
};

/* What is called again and again: room for its outputs is made once.  0 when it does not fit. */
static int prepare(call *one, program *run, writer *decoder, ernn_rows *rows, int by_steps) {
  one->run = run;
  one->decoder = decoder;
  one->rows = rows;
  one->by_steps = by_steps;
  if (output_steps(run, rows, by_steps, one->outputs) != ERNN_OK) return 0;
  if (!give_room(run, one->outputs)) return 0;
  ernn_reset(run->session);
  return 1;
}

static void make(call *one) {
  if (one->by_steps) {
    run_step(one->run, one->rows, 0, one->run->output);
  } else {
    ernn_reset(one->run->session);
    ernn_run(one->run->session, one->rows, one->outputs);
    if (one->decoder) write_tokens(one->decoder, one->outputs);
  }
}

/* ---- Start ---- */

static ernn_isa isa_named(const char *name) {
  for (int isa = 0; isa < ERNN_ISA_COUNT; isa++) {
    if (same(name, ernn_isa_name((ernn_isa)isa))) return (ernn_isa)isa;
  }
  return ERNN_ISA_COUNT;
}

/* All outputs but the states, of which the last one counts. */
static void want_every_step(program *run) {
  for (uint32_t i = 0; i < run->outputs; i++) run->is_sequence[i] = 1;
  for (uint32_t i = 0; i < run->inputs; i++) {
    ernn_port port;
    ernn_input(&run->model, i, &port);
    if (port.state) run->is_sequence[port.state - 1] = 0;
  }
}

int main(int argc, char **argv) {
  const char *paths[3] = {NULL, NULL, NULL};
  int path_count = 0, by_steps = 0, every_step = 0;
  int64_t warm_up_ms = 100, time_ms = 0, period_us = 0, calls = 0;
  ernn_options options = {.isa = ERNN_ISA_AUTO};
  static writer writes;
  writer *decoder = NULL;
  const char *decoder_path = NULL;
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (same(argv[i], "--step")) {
      by_steps = 1;
    } else if (same(argv[i], "--every-step")) {
      by_steps = every_step = 1;
    } else if (same(argv[i], "--isa")) {
      options.isa = isa_named(value), i++;
    } else if (same(argv[i], "--warm-up-ms")) {
      warm_up_ms = number_of(value), i++;
    } else if (same(argv[i], "--time-ms")) {
      time_ms = number_of(value), i++;
    } else if (same(argv[i], "--period-us")) {
      period_us = number_of(value), i++;
    } else if (same(argv[i], "--calls")) {
      calls = number_of(value), i++;
    } else if (same(argv[i], "--max-steps")) {
      options.max_steps = (uint32_t)number_of(value), i++;
    } else if (same(argv[i], "--decoder") && i + 6 < argc) {
      decoder = &writes;
      decoder_path = value;
      writes.input = (uint32_t)number_of(argv[i + 2]);
      writes.output = (uint32_t)number_of(argv[i + 3]);
      writes.start = (int32_t)number_of(argv[i + 4]);
      writes.stop = (int32_t)number_of(argv[i + 5]);
      writes.longest = (uint32_t)number_of(argv[i + 6]);
      i += 6;
    } else if (same(argv[i], "--begin") && i + 2 < argc && writes.begins < MOST_PORTS) {
      writes.from[writes.begins] = (uint32_t)number_of(value);
      writes.to[writes.begins++] = (uint32_t)number_of(argv[i + 2]);
      i += 2;
    } else if (argv[i][0] == '-' || path_count == 3) {
      return fail(argv[i], "is not an argument of edgernn-run");
    } else {
      paths[path_count++] = argv[i];
    }
  }
  if (!paths[0]) return fail("edgernn-run", "give a model.ernn");
  bytes file, cases = {NULL, 0};
  if (paths[1] && !read_file(paths[1], &cases)) return fail(paths[1], "cannot be read");
  static program run;
  int64_t start = system_now_ns();
  if (!read_file(paths[0], &file)) return fail(paths[0], "cannot be read");
  const char *problem = open_program(&run, &file, &options);
  if (problem) return fail(paths[0], problem);
  if (every_step) want_every_step(&run);
  bytes decoder_file = {NULL, 0};
  if (decoder) {
    if (!read_file(decoder_path, &decoder_file)) return fail(decoder_path, "cannot be read");
    problem = open_writer(decoder, &run, &decoder_file, options.isa);
    if (problem) return fail(decoder_path, problem);
  }
  put("{\"runtime\": \"ernn\", \"isa\": \"");
  put(ernn_isa_name(ernn_session_isa(run.session)));
  put("\"");
  put_field("format", ERNN_FORMAT_VERSION);
  put_field("load_ns", system_now_ns() - start);
  put_field("model_bytes", (int64_t)(file.size + decoder_file.size));
  if (cases.size >= 4) {
    static ernn_rows rows[MOST_PORTS], first[MOST_PORTS];
    uint32_t count = (uint32_t)cases.data[0] | (uint32_t)cases.data[1] << 8 |
                     (uint32_t)cases.data[2] << 16 | (uint32_t)cases.data[3] << 24;
    int out = paths[2] ? system_open(paths[2], 1) : -1;
    if (paths[2] && out < 0) return fail(paths[2], "cannot be written");
    if (paths[2] && !write_all(out, &count, 4)) return fail(paths[2], NO_ROOM);
    size_t at = 4;
    for (uint32_t i = 0; i < count; i++) {
      if (!read_case(&run, &cases, &at, rows)) return fail(paths[1], CUT_SHORT);
      for (uint32_t k = 0; k < run.inputs && i == 0; k++) first[k] = rows[k];
      if (paths[2]) {
        ernn_rows outputs[MOST_PORTS];
        ernn_status status = run_case(&run, rows, by_steps, outputs);
        if (status == ERNN_OK && decoder) status = write_tokens(decoder, outputs);
        if (status != ERNN_OK) return fail(paths[1], ernn_status_text(status));
        if (!write_case(&run, decoder, outputs, out)) return fail(paths[2], NO_ROOM);
      }
    }
    if (out >= 0) system_close(out);
    put_field("cases", count);
    if (count > 0 && (time_ms > 0 || calls > 0)) {
      static call one;
      if (!prepare(&one, &run, decoder, first, by_steps)) return fail(paths[1], "does not fit the model");
      if (time_ms > 0) measure(&one, warm_up_ms * 1000000, time_ms * 1000000, period_us * 1000);
      if (calls > 0) make_marked(&one, calls);
    }
  }
  put_field("peak_bytes", peak_bytes());
  put("}\n");
  flush_text();
  return 0;
}
