/* ort_engine.h: ONNX Runtime's shared library, of any version since 1.0. */
#ifndef EDGERNN_ORT_ENGINE_H
#define EDGERNN_ORT_ENGINE_H

#include "../ort/ort_abi.h"
#include "engine.h"

enum { ORT_LOG_ERRORS = 3, ORT_ARENA = 1, ORT_DEFAULT_MEMORY = 0 };

static const OrtApi *ort;
static OrtSession *ort_sessions[MOST_MODELS];
static OrtMemoryInfo *ort_memory;
static OrtValue *ort_values[MOST_MODELS][MOST_PORTS]; /* outputs of the last call */

/* The text of what went wrong, which then lives on: the program ends with it. */
static const char *ort_problem(OrtStatus *status) {
  return status ? ORT(ort, GetErrorMessage)(status) : NULL;
}

static const char *ort_start(void *library, const char **version) {
  const OrtApiBase *(*base)(void) = (const OrtApiBase *(*)(void))dlsym(library, "OrtGetApiBase");
  *version = base()->GetVersionString();
  ort = base()->GetApi(ORT_TABLE_VERSION);
  return ort ? NULL : "it does not offer version 1 of its interface";
}

static const char *ort_describe(const OrtTensorInfo *info, tensor *port) {
  int type;
  size_t rank;
  const char *problem = ort_problem(ORT(ort, GetTensorElementType)(info, &type));
  if (!problem) problem = ort_problem(ORT(ort, GetDimensionsCount)(info, &rank));
  if (problem) return problem;
  port->type = element_of_onnx(type);
  if (!port->type) return "a tensor is of a type that is not supported";
  if (rank > MOST_AXES) return "a tensor has too many axes";
  port->rank = (uint32_t)rank;
  return ort_problem(ORT(ort, GetDimensions)(info, port->sizes, rank));
}

static const char *ort_port(OrtSession *session, int is_input, size_t index,
                            OrtAllocator *allocator, tensor *port) {
  char *name;
  OrtTypeInfo *type;
  const OrtTensorInfo *info;
  OrtStatus *status = is_input
                          ? ORT(ort, SessionGetInputName)(session, index, allocator, &name)
                          : ORT(ort, SessionGetOutputName)(session, index, allocator, &name);
  if (status) return ort_problem(status);
  port->name = name;
  status = is_input ? ORT(ort, SessionGetInputTypeInfo)(session, index, &type)
                    : ORT(ort, SessionGetOutputTypeInfo)(session, index, &type);
  if (!status) status = ORT(ort, CastTypeInfoToTensorInfo)(type, &info);
  if (status) return ort_problem(status);
  return info ? ort_describe(info, port) : "an input or output is no tensor";
}

static const char *ort_open(const char *path, int threads, const char *operators, ports *model) {
  OrtEnv *env;
  OrtSessionOptions *options;
  OrtAllocator *allocator;
  size_t inputs, outputs;
  OrtSession **session = &ort_sessions[model->number];
  OrtStatus *status = ORT(ort, CreateEnv)(ORT_LOG_ERRORS, "edgernn", &env);
  if (!status) status = ORT(ort, CreateSessionOptions)(&options);
  if (!status) status = ORT(ort, SetIntraOpNumThreads)(options, threads);
  if (!status) status = ORT(ort, SetInterOpNumThreads)(options, 1);
  void *library;
  if (!status && operators) {
    status = ORT(ort, RegisterCustomOpsLibrary)(options, operators, &library);
  }
  if (!status) status = ORT(ort, CreateSession)(env, path, options, session);
  if (!status) status = ORT(ort, GetAllocatorWithDefaultOptions)(&allocator);
  if (!status) status = ORT(ort, CreateCpuMemoryInfo)(ORT_ARENA, ORT_DEFAULT_MEMORY, &ort_memory);
  if (!status) status = ORT(ort, SessionGetInputCount)(*session, &inputs);
  if (!status) status = ORT(ort, SessionGetOutputCount)(*session, &outputs);
  if (status) return ort_problem(status);
  if (inputs > MOST_PORTS || outputs > MOST_PORTS) return "too many inputs or outputs";
  model->inputs = (uint32_t)inputs;
  model->outputs = (uint32_t)outputs;
  const char *problem = NULL;
  for (size_t i = 0; i < inputs && !problem; i++) {
    problem = ort_port(*session, 1, i, allocator, &model->input[i]);
  }
  for (size_t i = 0; i < outputs && !problem; i++) {
    problem = ort_port(*session, 0, i, allocator, &model->output[i]);
  }
  return problem;
}

static const char *ort_call(const ports *model, const tensor *inputs, tensor *outputs) {
  const char *input_names[MOST_PORTS], *output_names[MOST_PORTS];
  OrtValue *values[MOST_PORTS], **made = ort_values[model->number];
  OrtStatus *status = NULL;
  for (uint32_t i = 0; i < model->inputs && !status; i++) {
    const tensor *given = &inputs[i];
    input_names[i] = model->input[i].name;
    status = ORT(ort, CreateTensorWithDataAsOrtValue)(ort_memory, given->data, tensor_bytes(given),
                                                      given->sizes, given->rank, given->type->onnx,
                                                      &values[i]);
  }
  if (status) return ort_problem(status);
  for (uint32_t i = 0; i < model->outputs; i++) {
    output_names[i] = model->output[i].name;
    if (made[i]) ORT(ort, ReleaseValue)(made[i]);
    made[i] = NULL;
  }
  status = ORT(ort, Run)(ort_sessions[model->number], NULL, input_names, (const OrtValue *const *)values,
                         model->inputs, output_names, model->outputs, made);
  for (uint32_t i = 0; i < model->inputs; i++) ORT(ort, ReleaseValue)(values[i]);
  for (uint32_t i = 0; i < model->outputs && !status; i++) {
    OrtTensorInfo *info;
    status = ORT(ort, GetTensorTypeAndShape)(made[i], &info);
    if (status) break;
    const char *problem = ort_describe(info, &outputs[i]);
    ORT(ort, ReleaseTensorTypeAndShapeInfo)(info);
    if (problem) return problem;
    status = ORT(ort, GetTensorMutableData)(made[i], &outputs[i].data);
  }
  return ort_problem(status);
}

static const engine ort_engine = {"onnxruntime", "OrtGetApiBase", ort_start, ort_open, ort_call};

#endif
