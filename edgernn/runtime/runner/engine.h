/* engine.h: what library_run.c needs of a runtime that somebody else wrote: named tensors in and out. */
#ifndef EDGERNN_ENGINE_H
#define EDGERNN_ENGINE_H

#include "system.h"
#include "text.h"

/* Of the target's C library: all that is taken from it, beside memcpy and memset. */
void *dlopen(const char *path, int flags);
void *dlsym(void *library, const char *name);
char *dlerror(void);

/* The only flag that has one value in every C library: 32-bit Android numbers the others differently. */
enum { LOAD_LAZILY = 1 };

/* Two models: an encoder and its decoder. */
enum { MOST_PORTS = 64, MOST_AXES = 8, MOST_MODELS = 2 };

typedef struct element {
  const char *name; /* numpy's */
  uint32_t size;    /* bytes */
  int onnx, tflite; /* their numbers for it */
} element;

static const element elements[] = {
    {"float32", 4, 1, 1},  {"uint8", 1, 2, 3}, {"int8", 1, 3, 9},     {"int16", 2, 5, 7},
    {"int32", 4, 6, 2},    {"int64", 8, 7, 4}, {"bool", 1, 9, 6},     {"float16", 2, 10, 10},
    {"float64", 8, 11, 11},
};

static const element *element_of_onnx(int number) {
  for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
    if (elements[i].onnx == number) return &elements[i];
  }
  return NULL;
}

static const element *element_of_tflite(int number) {
  for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
    if (elements[i].tflite == number) return &elements[i];
  }
  return NULL;
}

typedef struct tensor {
  const char *name;
  const element *type;
  uint32_t rank;
  int64_t sizes[MOST_AXES]; /* -1 where a model leaves it free */
  void *data;
} tensor;

static size_t tensor_bytes(const tensor *one) {
  size_t count = one->type->size;
  for (uint32_t axis = 0; axis < one->rank; axis++) count *= (size_t)one->sizes[axis];
  return count;
}

/* Inputs and outputs of the model, as the runtime reports them. */
typedef struct ports {
  uint32_t number; /* of the model, from 0 */
  uint32_t inputs, outputs;
  tensor input[MOST_PORTS], output[MOST_PORTS];
} ports;

/* A runtime.  Each function returns NULL, or what is wrong. */
typedef struct engine {
  const char *name;
  const char *symbol; /* that the library has when it is this runtime */
  const char *(*start)(void *library, const char **version);
  /* `operators`: a library of more operators, or NULL. */
  const char *(*open)(const char *path, int threads, const char *operators, ports *model);
  /* `outputs` stay valid until the next call. */
  const char *(*call)(const ports *model, const tensor *inputs, tensor *outputs);
} engine;

#endif
