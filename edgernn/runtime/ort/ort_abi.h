/* ort_abi.h: the part of ONNX Runtime's C interface that an operator library needs, and a program that
 * runs models (runner/ort_engine.h).
 *
 * ONNX Runtime's interface is a table of functions that only ever grows at its end, and structures
 * that carry the version their author knew.  What is declared here has kept its place since ONNX
 * Runtime 1.16 (the table's part since 1.0), so that one library serves every version from there
 * on, on every processor, without headers of any of them. */
#ifndef EDGERNN_ORT_ABI_H
#define EDGERNN_ORT_ABI_H

#include <stddef.h>
#include <stdint.h>

typedef struct OrtStatus OrtStatus;                   /* null: success */
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtCustomOpDomain OrtCustomOpDomain;
typedef struct OrtKernelInfo OrtKernelInfo;           /* a node's attributes */
typedef struct OrtKernelContext OrtKernelContext;     /* a call's inputs and outputs */
typedef struct OrtValue OrtValue;
typedef struct OrtTensorInfo OrtTensorInfo;           /* OrtTensorTypeAndShapeInfo */
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtAllocator OrtAllocator;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtMemoryInfo OrtMemoryInfo;

/* The functions by position; each has a type of its own and is reached through `ort_function`. */
typedef struct OrtApi {
  void (*functions[100])(void);
} OrtApi;

typedef struct OrtApiBase {
  const OrtApi *(*GetApi)(uint32_t version);
  const char *(*GetVersionString)(void);
} OrtApiBase;

enum { ORT_TABLE_VERSION = 1 };

/* name, position, result, parameters */
#define ORT_FUNCTION_LIST(X)                                                                       \
  X(CreateStatus, 0, OrtStatus *, (int code, const char *text))                                    \
  X(GetErrorMessage, 2, const char *, (const OrtStatus *status))                                   \
  X(CreateEnv, 3, OrtStatus *, (int log_level, const char *name, OrtEnv **env))                    \
  X(CreateSession, 7, OrtStatus *,                                                                 \
    (OrtEnv *env, const char *path, const OrtSessionOptions *options, OrtSession **session))       \
  X(Run, 9, OrtStatus *,                                                                           \
    (OrtSession *session, const void *run_options, const char *const *input_names,                 \
     const OrtValue *const *inputs, size_t input_count, const char *const *output_names,           \
     size_t output_count, OrtValue **outputs))                                                     \
  X(CreateSessionOptions, 10, OrtStatus *, (OrtSessionOptions **options))                          \
  X(SetIntraOpNumThreads, 24, OrtStatus *, (OrtSessionOptions *options, int count))                \
  X(SetInterOpNumThreads, 25, OrtStatus *, (OrtSessionOptions *options, int count))                \
  X(CreateCustomOpDomain, 26, OrtStatus *, (const char *name, OrtCustomOpDomain **domain))         \
  X(CustomOpDomain_Add, 27, OrtStatus *, (OrtCustomOpDomain *domain, const void *op))              \
  X(AddCustomOpDomain, 28, OrtStatus *, (OrtSessionOptions *options, OrtCustomOpDomain *domain))   \
  X(RegisterCustomOpsLibrary, 29, OrtStatus *,                                                     \
    (OrtSessionOptions *options, const char *path, void **library))                                \
  X(SessionGetInputCount, 30, OrtStatus *, (const OrtSession *session, size_t *count))             \
  X(SessionGetOutputCount, 31, OrtStatus *, (const OrtSession *session, size_t *count))            \
  X(SessionGetInputTypeInfo, 33, OrtStatus *,                                                      \
    (const OrtSession *session, size_t index, OrtTypeInfo **info))                                 \
  X(SessionGetOutputTypeInfo, 34, OrtStatus *,                                                     \
    (const OrtSession *session, size_t index, OrtTypeInfo **info))                                 \
  X(SessionGetInputName, 36, OrtStatus *,                                                          \
    (const OrtSession *session, size_t index, OrtAllocator *allocator, char **name))               \
  X(SessionGetOutputName, 37, OrtStatus *,                                                         \
    (const OrtSession *session, size_t index, OrtAllocator *allocator, char **name))               \
  X(CreateTensorWithDataAsOrtValue, 49, OrtStatus *,                                               \
    (const OrtMemoryInfo *where, void *data, size_t size, const int64_t *sizes, size_t rank,       \
     int type, OrtValue **value))                                                                  \
  X(GetTensorMutableData, 51, OrtStatus *, (OrtValue *value, void **data))                         \
  X(CastTypeInfoToTensorInfo, 55, OrtStatus *,                                                     \
    (const OrtTypeInfo *type, const OrtTensorInfo **info))                                         \
  X(GetTensorElementType, 60, OrtStatus *, (const OrtTensorInfo *info, int *type))                 \
  X(GetDimensionsCount, 61, OrtStatus *, (const OrtTensorInfo *info, size_t *rank))                \
  X(GetDimensions, 62, OrtStatus *, (const OrtTensorInfo *info, int64_t *sizes, size_t rank))      \
  X(GetTensorTypeAndShape, 65, OrtStatus *, (const OrtValue *value, OrtTensorInfo **info))         \
  X(CreateCpuMemoryInfo, 69, OrtStatus *, (int allocator, int kind, OrtMemoryInfo **where))        \
  X(GetAllocatorWithDefaultOptions, 78, OrtStatus *, (OrtAllocator **allocator))                   \
  X(KernelInfoGetAttribute_int64, 86, OrtStatus *,                                                 \
    (const OrtKernelInfo *info, const char *name, int64_t *value))                                 \
  X(KernelInfoGetAttribute_string, 87, OrtStatus *,                                                \
    (const OrtKernelInfo *info, const char *name, char *value, size_t *size))                      \
  X(KernelContext_GetInputCount, 88, OrtStatus *, (const OrtKernelContext *context, size_t *count)) \
  X(KernelContext_GetOutputCount, 89, OrtStatus *,                                                 \
    (const OrtKernelContext *context, size_t *count))                                              \
  X(KernelContext_GetInput, 90, OrtStatus *,                                                       \
    (const OrtKernelContext *context, size_t index, const OrtValue **value))                       \
  X(KernelContext_GetOutput, 91, OrtStatus *,                                                      \
    (OrtKernelContext *context, size_t index, const int64_t *sizes, size_t rank,                   \
     OrtValue **value))                                                                            \
  X(ReleaseStatus, 93, void, (OrtStatus *status))                                                  \
  X(ReleaseValue, 96, void, (OrtValue *value))                                                     \
  X(ReleaseTensorTypeAndShapeInfo, 99, void, (OrtTensorInfo *info))

#define ORT_FUNCTION_TYPE(name, position, result, parameters)                                      \
  typedef result(*ort_type_##name) parameters;                                                     \
  enum { ort_position_##name = position };
ORT_FUNCTION_LIST(ORT_FUNCTION_TYPE)
#undef ORT_FUNCTION_TYPE

/* ORT(api, GetDimensions)(info, sizes, rank) */
#define ORT(api, name) ((ort_type_##name)(api)->functions[ort_position_##name])

enum { ORT_FAIL = 1, ORT_INVALID_ARGUMENT = 2 };
enum { ORT_FLOAT = 1, ORT_INT32 = 6 };        /* ONNX's numbers of element types */
enum { ORT_REQUIRED = 0, ORT_OPTIONAL = 1 };  /* whether a node must have an input or output */

/* An operator, as of interface version 16: the first where a kernel can say what went wrong. */
enum { ORT_OP_VERSION = 16 };

typedef struct OrtCustomOp OrtCustomOp;
struct OrtCustomOp {
  uint32_t version;
  void *(*CreateKernel)(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info);
  const char *(*GetName)(const OrtCustomOp *op);
  const char *(*GetExecutionProviderType)(const OrtCustomOp *op);
  int (*GetInputType)(const OrtCustomOp *op, size_t index);
  size_t (*GetInputTypeCount)(const OrtCustomOp *op);
  int (*GetOutputType)(const OrtCustomOp *op, size_t index);
  size_t (*GetOutputTypeCount)(const OrtCustomOp *op);
  void (*KernelCompute)(void *kernel, OrtKernelContext *context);
  void (*KernelDestroy)(void *kernel);
  int (*GetInputCharacteristic)(const OrtCustomOp *op, size_t index);
  int (*GetOutputCharacteristic)(const OrtCustomOp *op, size_t index);
  int (*GetInputMemoryType)(const OrtCustomOp *op, size_t index);
  int (*GetVariadicInputMinArity)(const OrtCustomOp *op);
  int (*GetVariadicInputHomogeneity)(const OrtCustomOp *op);
  int (*GetVariadicOutputMinArity)(const OrtCustomOp *op);
  int (*GetVariadicOutputHomogeneity)(const OrtCustomOp *op);
  OrtStatus *(*CreateKernelV2)(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info,
                               void **kernel);
  OrtStatus *(*KernelComputeV2)(void *kernel, OrtKernelContext *context);
  void *unused[16]; /* what later versions added; not read, since `version` says so */
};

#endif
