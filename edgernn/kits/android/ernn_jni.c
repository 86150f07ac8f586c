/* ernn_jni.c: the native methods of dev.edgernn.Native. Java checks sizes and nulls; what comes here fits.
 * Addresses are longs; memory is that of direct buffers, which Java holds. */

#include <jni.h>

#include "ernn.h"

#define NATIVE(type, name) JNIEXPORT type JNICALL Java_dev_edgernn_Native_##name
#define UNUSED (void)env, (void)cls

static void *at(jlong address) { return (void *)(uintptr_t)address; }

static jstring text(JNIEnv *env, const char *chars) {
  return chars ? (*env)->NewStringUTF(env, chars) : NULL;
}

NATIVE(jlong, address)(JNIEnv *env, jclass cls, jobject buffer) {
  (void)cls;
  return (jlong)(uintptr_t)(*env)->GetDirectBufferAddress(env, buffer);
}

NATIVE(jstring, statusText)(JNIEnv *env, jclass cls, jint status) {
  (void)cls;
  return text(env, ernn_status_text((ernn_status)status));
}

NATIVE(jint, modelSize)(JNIEnv *env, jclass cls) {
  UNUSED;
  return (jint)ernn_model_size();
}

NATIVE(jint, open)(JNIEnv *env, jclass cls, jlong model, jlong bytes, jlong size) {
  UNUSED;
  return (jint)ernn_open(at(model), at(bytes), (size_t)size);
}

NATIVE(jint, count)(JNIEnv *env, jclass cls, jlong model, jboolean outputs) {
  UNUSED;
  return (jint)(outputs ? ernn_output_count(at(model)) : ernn_input_count(at(model)));
}

/* dtype, is_sequence, steps, width, state of a port. */
NATIVE(jint, port)(JNIEnv *env, jclass cls, jlong model, jboolean outputs, jint index, jintArray facts) {
  (void)cls;
  ernn_port port;
  ernn_status status = outputs ? ernn_output(at(model), (uint32_t)index, &port)
                               : ernn_input(at(model), (uint32_t)index, &port);
  if (status == ERNN_OK) {
    const jint values[] = {(jint)port.dtype, (jint)port.is_sequence, (jint)port.steps, (jint)port.width,
                           (jint)port.state};
    (*env)->SetIntArrayRegion(env, facts, 0, 5, values);
  }
  return (jint)status;
}

/* UTF-8 bytes, since NewStringUTF takes another encoding; null where there is no such text. */
static jbyteArray bytes_of(JNIEnv *env, const char *chars) {
  jsize length = 0;
  if (!chars) return NULL;
  while (chars[length]) length++;
  jbyteArray bytes = (*env)->NewByteArray(env, length);
  if (bytes) (*env)->SetByteArrayRegion(env, bytes, 0, length, (const jbyte *)chars);
  return bytes;
}

NATIVE(jbyteArray, portName)(JNIEnv *env, jclass cls, jlong model, jboolean outputs, jint index) {
  (void)cls;
  ernn_port port;
  ernn_status status = outputs ? ernn_output(at(model), (uint32_t)index, &port)
                               : ernn_input(at(model), (uint32_t)index, &port);
  return status == ERNN_OK ? bytes_of(env, port.name) : NULL;
}

NATIVE(jbyteArray, label)(JNIEnv *env, jclass cls, jlong model, jint index) {
  (void)cls;
  return bytes_of(env, ernn_label(at(model), (uint32_t)index));
}

NATIVE(jboolean, isStreaming)(JNIEnv *env, jclass cls, jlong model) {
  UNUSED;
  return ernn_is_streaming(at(model)) != 0;
}

NATIVE(jint, soundRate)(JNIEnv *env, jclass cls, jlong model) {
  UNUSED;
  return (jint)ernn_audio_rate(at(model));
}

/* The size of a session's arena, or minus the status. */
NATIVE(jlong, sessionSize)(JNIEnv *env, jclass cls, jlong model, jint maxSteps) {
  UNUSED;
  size_t bytes;
  const ernn_options options = {.max_steps = (uint32_t)maxSteps};
  ernn_status status = ernn_session_size(at(model), &options, &bytes);
  return status == ERNN_OK ? (jlong)bytes : -(jlong)status;
}

/* The session's place in its arena, or minus the status. */
NATIVE(jlong, sessionInit)(JNIEnv *env, jclass cls, jlong model, jint maxSteps, jlong arena, jlong size) {
  UNUSED;
  ernn_session *session;
  const ernn_options options = {.max_steps = (uint32_t)maxSteps};
  ernn_status status = ernn_session_init(&session, at(model), at(arena), (size_t)size, &options);
  return status == ERNN_OK ? (jlong)(uintptr_t)((uint8_t *)session - (uint8_t *)at(arena)) : -(jlong)status;
}

NATIVE(jint, reset)(JNIEnv *env, jclass cls, jlong session) {
  UNUSED;
  return (jint)ernn_reset(at(session));
}

/* inputs, outputs: memory of pointers, filled here from their addresses. */
NATIVE(jint, step)(JNIEnv *env, jclass cls, jlong session, jlongArray inputs, jlongArray outputs, jlong memory) {
  (void)cls;
  jsize ins = (*env)->GetArrayLength(env, inputs), outs = (*env)->GetArrayLength(env, outputs);
  const void **in = at(memory);
  void **out = (void **)at(memory) + ins;
  for (jsize i = 0; i < ins + outs; i++) {
    jlong address = 0;
    (*env)->GetLongArrayRegion(env, i < ins ? inputs : outputs, i < ins ? i : i - ins, 1, &address);
    if (i < ins) in[i] = at(address);
    else out[i - ins] = at(address);
  }
  return (jint)ernn_step(at(session), in, out);
}

/* steps: those of the inputs, then those of the outputs; `run` 0: only counts the outputs' rows. */
NATIVE(jint, run)(JNIEnv *env, jclass cls, jlong session, jlongArray inputs, jlongArray outputs, jintArray steps,
                  jlong memory, jboolean run) {
  (void)cls;
  jsize ins = (*env)->GetArrayLength(env, inputs), outs = (*env)->GetArrayLength(env, outputs);
  ernn_rows *rows = at(memory);
  for (jsize i = 0; i < ins + outs; i++) {
    jlong address = 0;
    jint count = 0;
    (*env)->GetLongArrayRegion(env, i < ins ? inputs : outputs, i < ins ? i : i - ins, 1, &address);
    (*env)->GetIntArrayRegion(env, steps, i, 1, &count);
    rows[i].data = at(address), rows[i].steps = (uint32_t)count;
  }
  ernn_status status = run ? ernn_run(at(session), rows, rows + ins)
                           : ernn_output_steps(at(session), rows, rows + ins);
  for (jsize i = ins; i < ins + outs; i++) {
    const jint count = (jint)rows[i].steps;
    (*env)->SetIntArrayRegion(env, steps, i, 1, &count);
  }
  return (jint)status;
}

NATIVE(jbyteArray, refusingLayer)(JNIEnv *env, jclass cls, jlong session) {
  (void)cls;
  return bytes_of(env, ernn_refusing_layer(at(session)));
}

NATIVE(jint, sensorRate)(JNIEnv *env, jclass cls, jlong model) {
  UNUSED;
  return (jint)ernn_sensor_rate(at(model));
}

/* How many numbers a sample of the model's sensors has. */
NATIVE(jint, sensorWidth)(JNIEnv *env, jclass cls, jlong model) {
  UNUSED;
  ernn_port port;
  return ernn_input(at(model), ernn_sensor_input(at(model)), &port) == ERNN_OK ? (jint)port.width : 0;
}

/* As sessionSize. */
NATIVE(jlong, listenerSize)(JNIEnv *env, jclass cls, jlong model, jint rate, jfloat threshold, jint smooth,
                            jfloat pause, jfloat every) {
  UNUSED;
  size_t bytes;
  const ernn_listening deciding = {threshold, (uint32_t)smooth, pause, every};
  ernn_status status = ernn_listener_size(at(model), (uint32_t)rate, &deciding, &bytes);
  return status == ERNN_OK ? (jlong)bytes : -(jlong)status;
}

/* As sessionInit. */
NATIVE(jlong, listenerInit)(JNIEnv *env, jclass cls, jlong model, jint rate, jfloat threshold, jint smooth,
                            jfloat pause, jfloat every, jlong arena, jlong size) {
  UNUSED;
  ernn_listener *listener;
  const ernn_listening deciding = {threshold, (uint32_t)smooth, pause, every};
  ernn_status status =
      ernn_listener_init(&listener, at(model), (uint32_t)rate, &deciding, at(arena), (size_t)size);
  return status == ERNN_OK ? (jlong)(uintptr_t)((uint8_t *)listener - (uint8_t *)at(arena)) : -(jlong)status;
}

static void keep(JNIEnv *env, jdoubleArray heard, const ernn_heard *one) {
  const jdouble values[] = {one->seconds, (jdouble)one->label, (jdouble)one->score};
  (*env)->SetDoubleArrayRegion(env, heard, 0, 3, values);
}

/* Samples taken; minus one more where `heard` (seconds, label, score) was written. */
NATIVE(jint, feed)(JNIEnv *env, jclass cls, jlong listener, jlong pcm, jint count, jboolean floats,
                   jdoubleArray heard) {
  (void)cls;
  ernn_heard one;
  int decided;
  size_t used = floats ? ernn_listener_feed_f32(at(listener), at(pcm), (size_t)count, &one, &decided)
                       : ernn_listener_feed_s16(at(listener), at(pcm), (size_t)count, &one, &decided);
  if (decided) keep(env, heard, &one);
  return decided ? -(jint)used - 1 : (jint)used;
}

NATIVE(jint, listenerStatus)(JNIEnv *env, jclass cls, jlong listener) {
  UNUSED;
  return (jint)ernn_listener_status(at(listener));
}

NATIVE(jint, whole)(JNIEnv *env, jclass cls, jlong listener, jdoubleArray heard) {
  (void)cls;
  ernn_heard one;
  ernn_status status = ernn_listener_whole(at(listener), &one);
  if (status == ERNN_OK) keep(env, heard, &one);
  return (jint)status;
}

NATIVE(jint, listenerReset)(JNIEnv *env, jclass cls, jlong listener) {
  UNUSED;
  return (jint)ernn_listener_reset(at(listener));
}
