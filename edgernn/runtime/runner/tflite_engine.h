/* tflite_engine.h: a library with TensorFlow Lite's C interface (tensorflow/lite/c/c_api.h), which
 * libtensorflowlite_jni.so of its Android package has, and libtensorflowlite_c.so. */
#ifndef EDGERNN_TFLITE_ENGINE_H
#define EDGERNN_TFLITE_ENGINE_H

#include "engine.h"

typedef struct TfLiteModel TfLiteModel;
typedef struct TfLiteInterpreterOptions TfLiteInterpreterOptions;
typedef struct TfLiteInterpreter TfLiteInterpreter;
typedef struct TfLiteTensor TfLiteTensor;

/* result, name, parameters.  A status is 0, or something is wrong. */
#define TFLITE_FUNCTION_LIST(X)                                                                    \
  X(const char *, Version, (void))                                                                 \
  X(TfLiteModel *, ModelCreateFromFile, (const char *path))                                        \
  X(TfLiteInterpreterOptions *, InterpreterOptionsCreate, (void))                                  \
  X(void, InterpreterOptionsSetNumThreads, (TfLiteInterpreterOptions *options, int32_t count))     \
  X(TfLiteInterpreter *, InterpreterCreate,                                                        \
    (const TfLiteModel *model, const TfLiteInterpreterOptions *options))                           \
  X(int32_t, InterpreterGetInputTensorCount, (const TfLiteInterpreter *interpreter))               \
  X(int32_t, InterpreterGetOutputTensorCount, (const TfLiteInterpreter *interpreter))              \
  X(TfLiteTensor *, InterpreterGetInputTensor,                                                     \
    (const TfLiteInterpreter *interpreter, int32_t index))                                         \
  X(const TfLiteTensor *, InterpreterGetOutputTensor,                                              \
    (const TfLiteInterpreter *interpreter, int32_t index))                                         \
  X(int, InterpreterResizeInputTensor,                                                             \
    (TfLiteInterpreter *interpreter, int32_t index, const int *sizes, int32_t rank))               \
  X(int, InterpreterAllocateTensors, (TfLiteInterpreter *interpreter))                             \
  X(int, InterpreterInvoke, (TfLiteInterpreter *interpreter))                                      \
  X(int, TensorType, (const TfLiteTensor *one))                                                    \
  X(int32_t, TensorNumDims, (const TfLiteTensor *one))                                             \
  X(int32_t, TensorDim, (const TfLiteTensor *one, int32_t axis))                                   \
  X(size_t, TensorByteSize, (const TfLiteTensor *one))                                             \
  X(const char *, TensorName, (const TfLiteTensor *one))                                           \
  X(int, TensorCopyFromBuffer, (TfLiteTensor *one, const void *data, size_t size))                 \
  X(int, TensorCopyToBuffer, (const TfLiteTensor *one, void *data, size_t size))

#define TFLITE_FUNCTION_POINTER(result, name, parameters) result(*name) parameters;
static struct {
  TFLITE_FUNCTION_LIST(TFLITE_FUNCTION_POINTER)
  /* Of the experimental part: a library may lack it, and then forgets nothing between calls. */
  int (*InterpreterResetVariableTensors)(TfLiteInterpreter *interpreter);
} tflite;
#undef TFLITE_FUNCTION_POINTER

static TfLiteInterpreter *tflite_interpreters[MOST_MODELS];
static tensor tflite_current[MOST_MODELS][MOST_PORTS]; /* the inputs' sizes as they are allocated */
static size_t tflite_room[MOST_MODELS][MOST_PORTS]; /* bytes that an output's data may take */

static const char *tflite_start(void *library, const char **version) {
#define TFLITE_FUNCTION_FOUND(result, name, parameters)                                            \
  tflite.name = (result(*) parameters)dlsym(library, "TfLite" #name);                              \
  if (!tflite.name) return "it lacks TfLite" #name " of TensorFlow Lite's C interface";
  TFLITE_FUNCTION_LIST(TFLITE_FUNCTION_FOUND)
#undef TFLITE_FUNCTION_FOUND
  tflite.InterpreterResetVariableTensors =
      (int (*)(TfLiteInterpreter *))dlsym(library, "TfLiteInterpreterResetVariableTensors");
  *version = tflite.Version();
  return NULL;
}

static const char *tflite_describe(const TfLiteTensor *one, tensor *port) {
  if (!one) return "an input or output is missing";
  port->name = tflite.TensorName(one);
  if (!port->name) port->name = "";
  port->type = element_of_tflite(tflite.TensorType(one));
  if (!port->type) return "a tensor is of a type that is not supported";
  int32_t rank = tflite.TensorNumDims(one);
  if (rank < 0 || rank > MOST_AXES) return "a tensor has too many axes";
  port->rank = (uint32_t)rank;
  for (int32_t axis = 0; axis < rank; axis++) port->sizes[axis] = tflite.TensorDim(one, axis);
  return NULL;
}

static const char *tflite_open(const char *path, int threads, const char *operators,
                               ports *model) {
  if (operators) return "more operators are for ONNX Runtime";
  TfLiteModel *file = tflite.ModelCreateFromFile(path);
  if (!file) return "TensorFlow Lite refuses the model";
  TfLiteInterpreterOptions *options = tflite.InterpreterOptionsCreate();
  tflite.InterpreterOptionsSetNumThreads(options, threads);
  TfLiteInterpreter *interpreter = tflite.InterpreterCreate(file, options);
  tflite_interpreters[model->number] = interpreter;
  if (!interpreter) return "no interpreter could be made for the model";
  if (tflite.InterpreterAllocateTensors(interpreter)) return "tensors cannot be allocated";
  int32_t inputs = tflite.InterpreterGetInputTensorCount(interpreter);
  int32_t outputs = tflite.InterpreterGetOutputTensorCount(interpreter);
  if (inputs > MOST_PORTS || outputs > MOST_PORTS) return "too many inputs or outputs";
  model->inputs = (uint32_t)inputs;
  model->outputs = (uint32_t)outputs;
  const char *problem = NULL;
  for (int32_t i = 0; i < inputs && !problem; i++) {
    problem = tflite_describe(tflite.InterpreterGetInputTensor(interpreter, i),
                              &model->input[i]);
    tflite_current[model->number][i] = model->input[i];
  }
  for (int32_t i = 0; i < outputs && !problem; i++) {
    problem = tflite_describe(tflite.InterpreterGetOutputTensor(interpreter, i),
                              &model->output[i]);
  }
  return problem;
}

/* 1 when an input has other sizes than the interpreter allocated. */
static int tflite_differs(const tensor *given, const tensor *current) {
  for (uint32_t axis = 0; axis < given->rank; axis++) {
    if (given->sizes[axis] != current->sizes[axis]) return 1;
  }
  return given->rank != current->rank;
}

static const char *tflite_fit(const ports *model, const tensor *inputs) {
  TfLiteInterpreter *interpreter = tflite_interpreters[model->number];
  tensor *current = tflite_current[model->number];
  int is_resized = 0;
  for (uint32_t i = 0; i < model->inputs; i++) {
    if (!tflite_differs(&inputs[i], &current[i])) continue;
    int sizes[MOST_AXES];
    for (uint32_t axis = 0; axis < inputs[i].rank; axis++) sizes[axis] = (int)inputs[i].sizes[axis];
    if (tflite.InterpreterResizeInputTensor(interpreter, (int32_t)i, sizes,
                                            (int32_t)inputs[i].rank)) {
      return "an input does not take these sizes";
    }
    current[i] = inputs[i];
    is_resized = 1;
  }
  if (is_resized && tflite.InterpreterAllocateTensors(interpreter)) {
    return "tensors cannot be allocated for inputs of these sizes";
  }
  return NULL;
}

static const char *tflite_call(const ports *model, const tensor *inputs, tensor *outputs) {
  TfLiteInterpreter *interpreter = tflite_interpreters[model->number];
  size_t *room = tflite_room[model->number];
  const char *problem = tflite_fit(model, inputs);
  for (uint32_t i = 0; i < model->inputs && !problem; i++) {
    TfLiteTensor *to = tflite.InterpreterGetInputTensor(interpreter, (int32_t)i);
    if (tflite.TensorCopyFromBuffer(to, inputs[i].data, tensor_bytes(&inputs[i]))) {
      problem = "an input does not fit";
    }
  }
  if (problem) return problem;
  /* A call is a whole sequence; an LSTM that is one operator remembers the one before. */
  if (tflite.InterpreterResetVariableTensors) {
    tflite.InterpreterResetVariableTensors(interpreter);
  }
  if (tflite.InterpreterInvoke(interpreter)) return "the model fails while it runs";
  for (uint32_t i = 0; i < model->outputs; i++) {
    const TfLiteTensor *from = tflite.InterpreterGetOutputTensor(interpreter, (int32_t)i);
    problem = tflite_describe(from, &outputs[i]);
    if (problem) return problem;
    size_t size = tflite.TensorByteSize(from);
    if (size > room[i]) {
      outputs[i].data = system_map(-1, size);
      if (!outputs[i].data) return "there is not enough memory";
      room[i] = size;
    }
    if (tflite.TensorCopyToBuffer(from, outputs[i].data, size)) return "an output cannot be read";
  }
  return NULL;
}

static const engine tflite_engine = {"tflite", "TfLiteModelCreateFromFile", tflite_start,
                                     tflite_open, tflite_call};

#endif
