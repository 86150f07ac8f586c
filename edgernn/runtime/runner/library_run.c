/* edgernn-library-run: runs a model in a runtime that is a shared library (ONNX Runtime, TensorFlow
 * Lite) as edgernn-run runs an .ernn file: inputs from a file, measurements as one JSON object.
 *
 *     edgernn-library-run LIBRARY MODEL [inputs.bin [outputs.bin]] [--threads N] [--state IN OUT]
 *                         [--operators FILE] [--warm-up-ms N] [--time-ms N] [--period-us N] [--calls N]
 *                         [--decoder FILE INPUT OUTPUT START STOP LONGEST] [--begin FROM TO]
 *
 * inputs.bin   u32 cases; for each case u32 calls; for each call and input: u32 rank (ABSENT: what
 *              --state carried over from the call before), u32 sizes, the numbers.  What follows a
 *              head, and the next one, begins at a multiple of 64 bytes; all is little-endian
 * outputs.bin  the same for outputs
 * --operators  a library of more operators, for ONNX Runtime
 * --state      input IN of a call is output OUT of the one before it (both by position)
 * --decoder    after each call of MODEL, an encoder, runs this one step by step: its input INPUT is START
 *              and then the likeliest token of output OUTPUT, until that is STOP; a --state behind this
 *              argument is the decoder's.  The only output is tokens [1, LONGEST], -1 behind the last
 * --begin      input TO of the decoder begins as output FROM of the encoder
 * --time-ms    after the cases, makes the first call of the first case for this time, with states
 *              carried over, and prints the time of each; --period-us then makes it once a period
 * --calls      makes it in the same way so often, between marks for a plugin of qemu
 *
 * It is a dynamic executable only to get at dlopen: see build_library_run.sh. */

#include "engine.h"
#include "files.h"
#include "ort_engine.h"
#include "peak.h"
#include "text.h"
#include "tflite_engine.h"
#include "timing.h"

static const engine *const engines[] = {&ort_engine, &tflite_engine};

enum { ALIGNMENT = 64 };
static const uint32_t ABSENT = 0xFFFFFFFFu;

typedef struct state {
  uint32_t input, output;
  size_t room_size;
  void *room;
} state;

struct call {
  const engine *runtime;
  ports model;
  state states[MOST_PORTS];
  uint32_t state_count;
  tensor inputs[MOST_PORTS], outputs[MOST_PORTS];
  const char *problem; /* the first that a call met */
};

static call one;

/* The decoder behind it, and how it writes. */
static struct {
  call step;
  int is_there;
  uint32_t input, output, longest, begins, from[MOST_PORTS], to[MOST_PORTS];
  int32_t start, stop, token;
  tensor tokens;
} decoder;

/* ---- Files ---- */

static size_t aligned(size_t at) { return (at + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1); }

/* The next number of a file, little-endian; ABSENT, and `at` past its end, when there is none. */
static uint32_t read_number(const bytes *content, size_t *at) {
  size_t start = *at;
  *at += 4;
  if (*at > content->size) return ABSENT;
  const uint8_t *word = content->data + start;
  return (uint32_t)word[0] | (uint32_t)word[1] << 8 | (uint32_t)word[2] << 16 |
         (uint32_t)word[3] << 24;
}

/* The inputs of a call; what is absent keeps what was carried over.  0 when the file ends too early or
 * an input that nothing carries is absent. */
static int read_inputs(const bytes *content, size_t *at) {
  for (uint32_t i = 0; i < one.model.inputs; i++) {
    tensor *input = &one.inputs[i];
    uint32_t rank = read_number(content, at);
    if (*at > content->size) return 0;
    if (rank == ABSENT) {
      *at = aligned(*at);
      if (!input->data) return 0;
      continue;
    }
    if (rank > MOST_AXES) return 0;
    input->type = one.model.input[i].type;
    input->rank = rank;
    size_t size = input->type->size;
    for (uint32_t axis = 0; axis < rank; axis++) {
      input->sizes[axis] = read_number(content, at);
      if (*at > content->size) return 0;
      if (input->sizes[axis] && size > content->size / (size_t)input->sizes[axis]) return 0;
      size *= (size_t)input->sizes[axis];
    }
    *at = aligned(*at);
    if (*at > content->size || size > content->size - *at) return 0;
    input->data = content->data + *at;
    *at = aligned(*at + size);
  }
  return 1;
}

static int write_outputs(int file) {
  static const uint8_t zeros[ALIGNMENT];
  uint32_t count = decoder.is_there ? 1 : one.model.outputs;
  for (uint32_t i = 0; i < count; i++) {
    const tensor *output = decoder.is_there ? &decoder.tokens : &one.outputs[i];
    uint32_t head[1 + MOST_AXES];
    head[0] = output->rank;
    for (uint32_t axis = 0; axis < output->rank; axis++) {
      head[1 + axis] = (uint32_t)output->sizes[axis];
    }
    size_t head_size = 4 * (1 + (size_t)output->rank), size = tensor_bytes(output);
    int is_written = write_all(file, head, head_size) &&
                     write_all(file, zeros, aligned(head_size) - head_size) &&
                     write_all(file, output->data, size) &&
                     write_all(file, zeros, aligned(size) - size);
    if (!is_written) return 0;
  }
  return 1;
}

/* ---- Calls ---- */

/* The states go from the outputs to the inputs: each into room of its own, since a runtime may take its
 * outputs back with the next call. */
static const char *carry_over(call *which) {
  for (uint32_t i = 0; i < which->state_count; i++) {
    state *carried = &which->states[i];
    const tensor *output = &which->outputs[carried->output];
    tensor *input = &which->inputs[carried->input];
    size_t size = tensor_bytes(output);
    if (size > carried->room_size) {
      carried->room = system_map(-1, size);
      if (!carried->room) return "there is not enough memory";
      carried->room_size = size;
    }
    memcpy(carried->room, output->data, size);
    *input = *output;
    input->data = carried->room;
  }
  return NULL;
}

static const char *call_once(call *which) {
  const char *problem = which->runtime->call(&which->model, which->inputs, which->outputs);
  return problem ? problem : carry_over(which);
}

/* Writes tokens from what the encoder gave. */
static const char *write_tokens(void) {
  call *step = &decoder.step;
  int32_t *tokens = (int32_t *)decoder.tokens.data;
  for (uint32_t i = 0; i < decoder.longest; i++) tokens[i] = -1;
  for (uint32_t i = 0; i < decoder.begins; i++) {
    step->inputs[decoder.to[i]] = one.outputs[decoder.from[i]];
  }
  decoder.token = decoder.start;
  for (uint32_t place = 0; place < decoder.longest; place++) {
    const char *problem = call_once(step);
    if (problem) return problem;
    const tensor *scored = &step->outputs[decoder.output];
    const float *scores = (const float *)scored->data;
    size_t count = tensor_bytes(scored) / sizeof *scores, likeliest = 0;
    for (size_t i = 1; i < count; i++) {
      if (scores[i] > scores[likeliest]) likeliest = i;
    }
    decoder.token = (int32_t)likeliest;
    if (decoder.token == decoder.stop) return NULL;
    tokens[place] = decoder.token;
  }
  return NULL;
}

static void make(call *which) {
  const char *problem = call_once(which);
  if (!problem && decoder.is_there) problem = write_tokens();
  if (problem && !which->problem) which->problem = problem;
}

/* What failed, and why; `why` is NULL where nothing did. */
typedef struct failure {
  const char *what, *why;
} failure;

/* Makes every call of every case, and writes its outputs.  `paths` as main has them. */
static failure run_cases(const bytes *content, int file, const char *const *paths) {
  const failure no_room = {paths[3], NO_ROOM}, cut_short = {paths[2], CUT_SHORT};
  size_t at = 0;
  uint32_t cases = read_number(content, &at);
  if (!write_all(file, &cases, 4)) return no_room;
  at = aligned(at);
  static const uint8_t zeros[ALIGNMENT];
  if (!write_all(file, zeros, ALIGNMENT - 4)) return no_room;
  for (uint32_t i = 0; i < cases; i++) {
    uint32_t calls = read_number(content, &at);
    if (at > content->size) return cut_short;
    at = aligned(at);
    if (!write_all(file, &calls, 4) || !write_all(file, zeros, ALIGNMENT - 4)) return no_room;
    for (uint32_t k = 0; k < calls; k++) {
      if (!read_inputs(content, &at)) return cut_short;
      make(&one);
      if (one.problem) return (failure){paths[1], one.problem};
      if (!write_outputs(file)) return no_room;
    }
  }
  return (failure){NULL, NULL};
}

/* The first call of the first case is what will be made again and again. */
static int read_first_call(const bytes *content) {
  size_t at = aligned(4);
  read_number(content, &at);
  at = aligned(at);
  return at <= content->size && read_inputs(content, &at);
}

/* ---- Start ---- */

static void put_ports(const char *name, const tensor *tensors, uint32_t count) {
  put(", \"");
  put(name);
  put("\": [");
  for (uint32_t i = 0; i < count; i++) {
    put(i ? ", {\"name\": \"" : "{\"name\": \"");
    put_escaped(tensors[i].name);
    put("\", \"dtype\": \"");
    put(tensors[i].type->name);
    put("\", \"shape\": [");
    for (uint32_t axis = 0; axis < tensors[i].rank; axis++) {
      if (axis) put(", ");
      put_number(tensors[i].sizes[axis]);
    }
    put("]}");
  }
  put("]");
}

static const char *load_library(const char *path, const char **version) {
  void *library = dlopen(path, LOAD_LAZILY);
  if (!library) return dlerror();
  for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
    if (!dlsym(library, engines[i]->symbol)) continue;
    one.runtime = engines[i];
    return engines[i]->start(library, version);
  }
  return "is neither ONNX Runtime nor TensorFlow Lite with its C interface";
}

/* NULL, or what is wrong. */
static const char *open_decoder(const char *path, int threads, const char *operators) {
  call *step = &decoder.step;
  step->runtime = one.runtime;
  step->model.number = 1;
  const char *problem = step->runtime->open(path, threads, operators, &step->model);
  if (problem) return problem;
  if (decoder.input >= step->model.inputs || decoder.output >= step->model.outputs) {
    return "has not so many inputs or outputs";
  }
  for (uint32_t i = 0; i < decoder.begins; i++) {
    if (decoder.from[i] >= one.model.outputs || decoder.to[i] >= step->model.inputs) {
      return "does not take what the encoder gives";
    }
  }
  tensor *token = &step->inputs[decoder.input];
  token->type = step->model.input[decoder.input].type;
  if (!same(token->type->name, "int32")) return "does not take tokens of int32";
  if (!same(step->model.output[decoder.output].type->name, "float32")) {
    return "does not score tokens in float32";
  }
  token->rank = 2;
  token->sizes[0] = token->sizes[1] = 1;
  token->data = &decoder.token;
  decoder.tokens = *token;
  decoder.tokens.sizes[1] = decoder.longest;
  decoder.tokens.data = system_map(-1, decoder.longest * sizeof decoder.token);
  return decoder.tokens.data ? NULL : "there is not enough memory";
}

/* A state of `which` that a model has not, or NULL. */
static const char *wrong_state(const call *which) {
  for (uint32_t i = 0; i < which->state_count; i++) {
    if (which->states[i].input >= which->model.inputs ||
        which->states[i].output >= which->model.outputs) {
      return "the model has not so many inputs or outputs";
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  const char *paths[4] = {NULL, NULL, NULL, NULL}, *version = "unknown", *operators = NULL;
  const char *decoder_path = NULL;
  call *named = &one;
  int path_count = 0;
  int64_t threads = 1, warm_up_ms = 100, time_ms = 0, period_us = 0, calls = 0;
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (same(argv[i], "--threads")) {
      threads = number_of(value), i++;
    } else if (same(argv[i], "--state") && i + 2 < argc && named->state_count < MOST_PORTS) {
      state *carried = &named->states[named->state_count++];
      carried->input = (uint32_t)number_of(argv[i + 1]);
      carried->output = (uint32_t)number_of(argv[i + 2]);
      i += 2;
    } else if (same(argv[i], "--decoder") && i + 6 < argc) {
      named = &decoder.step;
      decoder.is_there = 1;
      decoder_path = value;
      decoder.input = (uint32_t)number_of(argv[i + 2]);
      decoder.output = (uint32_t)number_of(argv[i + 3]);
      decoder.start = (int32_t)number_of(argv[i + 4]);
      decoder.stop = (int32_t)number_of(argv[i + 5]);
      decoder.longest = (uint32_t)number_of(argv[i + 6]);
      i += 6;
    } else if (same(argv[i], "--begin") && i + 2 < argc && decoder.begins < MOST_PORTS) {
      decoder.from[decoder.begins] = (uint32_t)number_of(value);
      decoder.to[decoder.begins++] = (uint32_t)number_of(argv[i + 2]);
      i += 2;
    } else if (same(argv[i], "--operators")) {
      operators = value, i++;
    } else if (same(argv[i], "--warm-up-ms")) {
      warm_up_ms = number_of(value), i++;
    } else if (same(argv[i], "--time-ms")) {
      time_ms = number_of(value), i++;
    } else if (same(argv[i], "--period-us")) {
      period_us = number_of(value), i++;
    } else if (same(argv[i], "--calls")) {
      calls = number_of(value), i++;
    } else if (argv[i][0] == '-' || path_count == 4) {
      return fail(argv[i], "is not an argument of edgernn-library-run");
    } else {
      paths[path_count++] = argv[i];
    }
  }
  if (path_count < 2) return fail("edgernn-library-run", "give a library and a model");
  bytes cases = {NULL, 0};
  if (paths[2] && !read_file(paths[2], &cases)) return fail(paths[2], "cannot be read");
  int64_t start = system_now_ns();
  const char *problem = load_library(paths[0], &version);
  if (problem) return fail(paths[0], problem);
  int64_t import_ns = system_now_ns() - start, runtime_bytes = peak_bytes();
  start = system_now_ns();
  problem = one.runtime->open(paths[1], (int)threads, operators, &one.model);
  if (problem) return fail(paths[1], problem);
  if (decoder_path) problem = open_decoder(decoder_path, (int)threads, operators);
  int64_t load_ns = system_now_ns() - start;
  if (problem) return fail(decoder_path, problem);
  problem = wrong_state(&one);
  if (!problem) problem = wrong_state(&decoder.step);
  if (problem) return fail("--state", problem);
  if (paths[3]) {
    int file = system_open(paths[3], 1);
    if (file < 0) return fail(paths[3], "cannot be written");
    failure failed = run_cases(&cases, file, paths);
    system_close(file);
    if (failed.why) return fail(failed.what, failed.why);
  }
  put("{\"runtime\": \"");
  put(one.runtime->name);
  put("\", \"version\": \"");
  put_escaped(version);
  put("\"");
  put_field("import_ns", import_ns);
  put_field("load_ns", load_ns);
  put_field("runtime_bytes", runtime_bytes);
  put_ports("inputs", one.model.input, one.model.inputs);
  put_ports("outputs", one.model.output, one.model.outputs);
  if (time_ms > 0 || calls > 0) {
    if (!read_first_call(&cases)) return fail(paths[2] ? paths[2] : "inputs", CUT_SHORT);
    if (time_ms > 0) measure(&one, warm_up_ms * 1000000, time_ms * 1000000, period_us * 1000);
    if (calls > 0) make_marked(&one, calls);
    if (one.problem) return fail(paths[1], one.problem);
  }
  put_field("peak_bytes", peak_bytes());
  put("}\n");
  flush_text();
  return 0;
}
