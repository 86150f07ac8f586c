/* ernn_ort.c: operators for ONNX Runtime over the kernels of the .ernn library.
 *
 * IntegerGRU, IntegerLSTM and IntegerRNN of the domain org.edgernn run one recurrent layer in the
 * integers of docs/integer-arithmetic.md:
 *
 *     attributes  model    the layer as an .ernn file: x and the states in, states out (see below)
 *                 reverse  1: each row is read from its last step to its first
 *     inputs      X              float [T, B, F]
 *                 sequence_lens  int32 [B], optional: steps of each row
 *                 initial_h      float [B, H], optional: zeros
 *                 initial_c      float [B, H], optional: zeros (IntegerLSTM only)
 *     outputs     Y              float [T, B, H], optional; zeros behind a row's last step
 *                 Y_h, Y_c       float [B, H], optional: final states, zeros of rows without steps
 *
 * The file's inputs are x and the states h (and c), its outputs y (only where Y is wanted) and the
 * new states; its states feed themselves from call to call. */

#include <stdlib.h>
#include <string.h>

#include "ernn.h"
#include "ort_abi.h"

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

/* Steps of one call into the library: they bound a worker's memory, whatever the sequence. */
enum { CHUNK = 4 * ERNN_CHUNK_STEPS };

enum { X = 0, LENGTHS = 1, INITIAL = 2, MOST_STATES = 2 };

/* ---- Memory ---------------------------------------------------------------------------------- */

static uint8_t *aligned(void *room) {
  uintptr_t at = (uintptr_t)room;
  return (uint8_t *)room + (ERNN_ALIGNMENT - at % ERNN_ALIGNMENT) % ERNN_ALIGNMENT;
}

/* What one call works in.  Kernels keep one for the next call; calls at the same time make more. */
typedef struct worker {
  ernn_session *session;
  float *x, *y; /* rows of a chunk in the order in which they are read, where X has another */
  uint8_t room[];
} worker;

typedef struct kernel {
  const OrtApi *api;
  ernn_model model;
  worker *idle;
  uint32_t features, units, states;
  int has_sequence, is_reversed;
  uint8_t room[];
} kernel;

static worker *new_worker(const kernel *made) {
  ernn_options options = {.max_steps = CHUNK};
  size_t arena;
  if (ernn_session_size(&made->model, &options, &arena) != ERNN_OK) return NULL;
  size_t x = CHUNK * (size_t)made->features * sizeof(float);
  size_t y = CHUNK * (size_t)made->units * sizeof(float);
  worker *own = (worker *)malloc(sizeof(worker) + ERNN_ALIGNMENT + arena + x + y);
  if (!own) return NULL;
  uint8_t *start = aligned(own->room);
  own->x = (float *)(void *)(start + arena); /* arenas are whole numbers of alignments long */
  own->y = own->x + x / sizeof(float);
  if (ernn_session_init(&own->session, &made->model, start, arena, &options) != ERNN_OK) {
    free(own);
    return NULL;
  }
  return own;
}

static worker *exchanged(kernel *shared, worker *other) {
#ifdef _WIN32
  return (worker *)_InterlockedExchangePointer((void *volatile *)&shared->idle, other);
#else
  return __atomic_exchange_n(&shared->idle, other, __ATOMIC_ACQ_REL);
#endif
}

/* ---- Making a kernel ------------------------------------------------------------------------- */

static OrtStatus *failure(const OrtApi *api, const char *text) {
  return ORT(api, CreateStatus)(ORT_FAIL, text);
}

static OrtStatus *refusal(const OrtApi *api, const char *text) {
  return ORT(api, CreateStatus)(ORT_INVALID_ARGUMENT, text);
}

/* Whether the file is a layer as described above; fills in its sizes. */
static int is_layer(kernel *made) {
  ernn_port x, port;
  uint32_t inputs = ernn_input_count(&made->model), outputs = ernn_output_count(&made->model);
  if (inputs < 2 || inputs > 1 + MOST_STATES) return 0;
  made->states = inputs - 1;
  made->has_sequence = outputs == inputs;
  if (outputs != made->states + (made->has_sequence ? 1u : 0u)) return 0;
  if (ernn_input(&made->model, 0, &x) != ERNN_OK || !x.is_sequence || x.steps != 0) return 0;
  if (x.dtype != ERNN_FLOAT32) return 0;
  for (uint32_t i = 0; i < outputs; i++) {
    uint32_t is_sequence = made->has_sequence && i == 0;
    if (ernn_output(&made->model, i, &port) != ERNN_OK || port.is_sequence != is_sequence) return 0;
    if (port.dtype != ERNN_FLOAT32 || (i > 0 && port.width != made->units)) return 0;
    made->units = port.width;
  }
  for (uint32_t i = 0; i < made->states; i++) {
    uint32_t feeder = 1 + i + (made->has_sequence ? 1u : 0u);
    if (ernn_input(&made->model, 1 + i, &port) != ERNN_OK || port.is_sequence) return 0;
    if (port.state != feeder || port.width != made->units) return 0;
  }
  made->features = x.width;
  return 1;
}

static OrtStatus *create(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info,
                         void **out) {
  size_t size = 0;
  int64_t is_reversed;
  OrtStatus *status = ORT(api, KernelInfoGetAttribute_string)(info, "model", NULL, &size);
  if (status) return status;
  status = ORT(api, KernelInfoGetAttribute_int64)(info, "reverse", &is_reversed);
  if (status) return status;
  kernel *made = (kernel *)calloc(1, sizeof(kernel) + ERNN_ALIGNMENT + size);
  if (!made) return failure(api, "edgernn: out of memory");
  char *content = (char *)aligned(made->room);
  status = ORT(api, KernelInfoGetAttribute_string)(info, "model", content, &size);
  if (!status) {
    /* The string ends with a zero that is no part of the file. */
    ernn_status opened = ernn_open(&made->model, content, size - 1);
    if (opened != ERNN_OK) status = failure(api, ernn_status_text(opened));
  }
  if (!status && (!is_layer(made) || made->states + INITIAL != op->GetInputTypeCount(op))) {
    status = failure(api, "edgernn: the attribute 'model' is not a layer of this operator");
  }
  made->api = api;
  made->is_reversed = is_reversed != 0;
  if (!status && !(made->idle = new_worker(made))) status = failure(api, "edgernn: out of memory");
  if (status) {
    free(made);
    return status;
  }
  *out = made;
  return NULL;
}

static void destroy(void *own) {
  kernel *made = (kernel *)own;
  free(made->idle);
  free(made);
}

/* ---- A call ---------------------------------------------------------------------------------- */

/* Sizes of X, and where everything is.  Absent inputs and outputs are null. */
typedef struct call {
  int64_t steps, batch;
  const float *x;
  const int32_t *lengths;
  const float *initial[MOST_STATES];
  float *y;
  float *final[MOST_STATES];
} call;

/* The data of input `index`, null where it is absent; refuses another shape than wanted. */
static OrtStatus *input(const OrtApi *api, const OrtKernelContext *context, size_t index,
                        size_t rank, int64_t *sizes, const void **data) {
  size_t count = 0, found = 0;
  const OrtValue *value = NULL;
  *data = NULL;
  OrtStatus *status = ORT(api, KernelContext_GetInputCount)(context, &count);
  if (!status && index < count) status = ORT(api, KernelContext_GetInput)(context, index, &value);
  if (status || !value) return status;
  OrtTensorInfo *info = NULL;
  status = ORT(api, GetTensorTypeAndShape)(value, &info);
  if (status) return status;
  status = ORT(api, GetDimensionsCount)(info, &found);
  if (!status && found != rank) status = refusal(api, "edgernn: an input has another rank");
  if (!status) status = ORT(api, GetDimensions)(info, sizes, rank);
  ORT(api, ReleaseTensorTypeAndShapeInfo)(info);
  void *content = NULL;
  /* There is no function for data that are only read in the table's first part. */
  if (!status) status = ORT(api, GetTensorMutableData)((OrtValue *)(uintptr_t)value, &content);
  *data = content;
  return status;
}

static OrtStatus *read_inputs(const kernel *own, const OrtKernelContext *context, call *run) {
  const OrtApi *api = own->api;
  int64_t sizes[3];
  const void *data;
  OrtStatus *status = input(api, context, X, 3, sizes, &data);
  if (status) return status;
  if (!data || sizes[2] != (int64_t)own->features) {
    return refusal(api, "edgernn: X must be [T, B, F] with the layer's number of features");
  }
  run->x = (const float *)data;
  run->steps = sizes[0];
  run->batch = sizes[1];
  status = input(api, context, LENGTHS, 1, sizes, &data);
  if (status) return status;
  run->lengths = (const int32_t *)data;
  if (data && sizes[0] != run->batch) {
    return refusal(api, "edgernn: sequence_lens must be [B]");
  }
  for (int64_t row = 0; data && row < run->batch; row++) {
    if (run->lengths[row] < 0 || run->lengths[row] > run->steps) {
      return refusal(api, "edgernn: sequence_lens must lie between 0 and T");
    }
  }
  for (uint32_t i = 0; i < own->states; i++) {
    status = input(api, context, INITIAL + i, 2, sizes, &data);
    if (status) return status;
    if (data && (sizes[0] != run->batch || sizes[1] != (int64_t)own->units)) {
      return refusal(api, "edgernn: initial states must be [B, H]");
    }
    run->initial[i] = (const float *)data;
  }
  return NULL;
}

static OrtStatus *output(const OrtApi *api, OrtKernelContext *context, size_t index,
                         const int64_t *sizes, size_t rank, float **data) {
  size_t count = 0;
  OrtValue *value = NULL;
  void *content = NULL;
  OrtStatus *status = ORT(api, KernelContext_GetOutputCount)(context, &count);
  if (!status && index < count) {
    status = ORT(api, KernelContext_GetOutput)(context, index, sizes, rank, &value);
  }
  if (!status && value) status = ORT(api, GetTensorMutableData)(value, &content);
  *data = (float *)content;
  return status;
}

static OrtStatus *make_outputs(const kernel *own, OrtKernelContext *context, call *run) {
  const int64_t sequence[] = {run->steps, run->batch, own->units};
  OrtStatus *status = output(own->api, context, 0, sequence, 3, &run->y);
  for (uint32_t i = 0; i < own->states && !status; i++) {
    status = output(own->api, context, 1 + i, sequence + 1, 2, &run->final[i]);
  }
  if (!status && run->y && !own->has_sequence) {
    status = failure(own->api, "edgernn: the layer gives states only, but Y is asked for");
  }
  return status;
}

/* Runs the steps of one row of the batch; the session goes from chunk to chunk by its states. */
static ernn_status run_row(const kernel *own, worker *with, const call *run, int64_t row) {
  size_t features = own->features, units = own->units, batch = (size_t)run->batch;
  size_t length = run->lengths ? (size_t)run->lengths[row] : (size_t)run->steps;
  int in_order = batch == 1 && !own->is_reversed;
  ernn_reset(with->session);
  for (size_t done = 0; done < length; done += CHUNK) {
    uint32_t steps = length - done < CHUNK ? (uint32_t)(length - done) : CHUNK;
    ernn_rows inputs[1 + MOST_STATES], outputs[1 + MOST_STATES];
    const float *x = run->x + done * features;
    float *y = run->y ? run->y + done * units : NULL;
    for (uint32_t i = 0; i < steps && !in_order; i++) {
      size_t step = own->is_reversed ? length - 1 - done - i : done + i;
      memcpy(with->x + i * features, run->x + (step * batch + (size_t)row) * features,
             features * sizeof(float));
    }
    inputs[0] = (ernn_rows){in_order ? (void *)(uintptr_t)x : with->x, steps};
    for (uint32_t i = 0; i < own->states; i++) {
      const float *given = done == 0 ? run->initial[i] : NULL;
      inputs[1 + i] = (ernn_rows){
          given ? (void *)(uintptr_t)(given + (size_t)row * units) : NULL, 1};
      float *last = run->final[i] ? run->final[i] + (size_t)row * units : NULL;
      outputs[i + (own->has_sequence ? 1 : 0)] = (ernn_rows){last, 1};
    }
    if (own->has_sequence) {
      outputs[0] = (ernn_rows){run->y ? (in_order ? y : with->y) : NULL, steps};
    }
    ernn_status status = ernn_run(with->session, inputs, outputs);
    if (status != ERNN_OK) return status;
    for (uint32_t i = 0; i < steps && run->y && !in_order; i++) {
      size_t step = own->is_reversed ? length - 1 - done - i : done + i;
      memcpy(run->y + (step * batch + (size_t)row) * units, with->y + i * units,
             units * sizeof(float));
    }
  }
  for (size_t step = length; run->y && step < (size_t)run->steps; step++) {
    memset(run->y + (step * batch + (size_t)row) * units, 0, units * sizeof(float));
  }
  for (uint32_t i = 0; i < own->states && length == 0; i++) {
    if (run->final[i]) memset(run->final[i] + (size_t)row * units, 0, units * sizeof(float));
  }
  return ERNN_OK;
}

static OrtStatus *compute(void *shared, OrtKernelContext *context) {
  kernel *own = (kernel *)shared;
  call run;
  memset(&run, 0, sizeof run);
  OrtStatus *status = read_inputs(own, context, &run);
  if (!status) status = make_outputs(own, context, &run);
  if (status) return status;
  worker *with = exchanged(own, NULL);
  if (!with) with = new_worker(own);
  if (!with) return failure(own->api, "edgernn: out of memory");
  ernn_status ran = ERNN_OK;
  for (int64_t row = 0; row < run.batch && ran == ERNN_OK; row++) {
    ran = run_row(own, with, &run, row);
  }
  free(exchanged(own, with));
  return ran == ERNN_OK ? NULL : failure(own->api, ernn_status_text(ran));
}

/* ---- What ONNX Runtime asks of an operator --------------------------------------------------- */

static const char *gru_name(const OrtCustomOp *op) { return (void)op, "IntegerGRU"; }
static const char *lstm_name(const OrtCustomOp *op) { return (void)op, "IntegerLSTM"; }
static const char *rnn_name(const OrtCustomOp *op) { return (void)op, "IntegerRNN"; }
static const char *on_the_cpu(const OrtCustomOp *op) { return (void)op, NULL; }

static size_t states_of(const OrtCustomOp *op) { return op->GetName == lstm_name ? 2 : 1; }
static size_t input_count(const OrtCustomOp *op) { return INITIAL + states_of(op); }
static size_t output_count(const OrtCustomOp *op) { return 1 + states_of(op); }

static int input_type(const OrtCustomOp *op, size_t index) {
  return (void)op, index == LENGTHS ? ORT_INT32 : ORT_FLOAT;
}

static int output_type(const OrtCustomOp *op, size_t index) {
  return (void)op, (void)index, ORT_FLOAT;
}

static int input_need(const OrtCustomOp *op, size_t index) {
  return (void)op, index == X ? ORT_REQUIRED : ORT_OPTIONAL;
}

static int output_need(const OrtCustomOp *op, size_t index) {
  return (void)op, (void)index, ORT_OPTIONAL;
}

static int in_main_memory(const OrtCustomOp *op, size_t index) {
  return (void)op, (void)index, 0;
}

static int nothing_variadic(const OrtCustomOp *op) { return (void)op, 1; }

#define OPERATOR(name)                                                                             \
  {                                                                                                \
    .version = ORT_OP_VERSION, .GetName = name, .GetExecutionProviderType = on_the_cpu,            \
    .GetInputType = input_type, .GetInputTypeCount = input_count, .GetOutputType = output_type,    \
    .GetOutputTypeCount = output_count, .KernelDestroy = destroy,                                  \
    .GetInputCharacteristic = input_need, .GetOutputCharacteristic = output_need,                  \
    .GetInputMemoryType = in_main_memory, .GetVariadicInputMinArity = nothing_variadic,            \
    .GetVariadicInputHomogeneity = nothing_variadic,                                               \
    .GetVariadicOutputMinArity = nothing_variadic,                                                 \
    .GetVariadicOutputHomogeneity = nothing_variadic, .CreateKernelV2 = create,                    \
    .KernelComputeV2 = compute                                                                     \
  }

static const OrtCustomOp operators[] = {OPERATOR(gru_name), OPERATOR(lstm_name),
                                        OPERATOR(rnn_name)};

/* Called by ONNX Runtime when the library is registered with a session's options.  The domain must
 * outlive the sessions, and nobody says when the last one ends: it stays until the process ends. */
EXPORTED OrtStatus *RegisterCustomOps(OrtSessionOptions *options, const OrtApiBase *base) {
  const OrtApi *api = base->GetApi(ORT_TABLE_VERSION);
  OrtCustomOpDomain *domain = NULL;
  OrtStatus *status = ORT(api, CreateCustomOpDomain)("org.edgernn", &domain);
  for (size_t i = 0; i < sizeof operators / sizeof *operators && !status; i++) {
    status = ORT(api, CustomOpDomain_Add)(domain, operators + i);
  }
  return status ? status : ORT(api, AddCustomOpDomain)(options, domain);
}
