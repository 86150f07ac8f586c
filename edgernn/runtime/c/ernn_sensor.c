/* ernn_sensor.c: samples of sensors as rows. */

#include "ernn_internal.h"
#include "ernn_kernels.h"
#include "ernn_sensor.h"

#define SENSOR_MOST 1e18f /* so that a row is finite */

static const float *sensor_scaling(const ernn_sensor *sensor) {
  return (const float *)(const void *)((const uint8_t *)sensor + sensor->scaling);
}

ernn_status ernn_check_sensor(const void *record, size_t size) {
  const ernn_sensor *sensor = (const ernn_sensor *)record;
  if (size < sizeof *sensor) return ERNN_BAD_OFFSET;
  for (size_t i = 0; i < sizeof sensor->reserved / sizeof *sensor->reserved; i++) {
    if (sensor->reserved[i] != 0) return ERNN_FRONT_END;
  }
  if (sensor->rate == 0 || sensor->rate > ERNN_MOST_OF_SENSORS || sensor->width == 0 ||
      sensor->width > ERNN_MAX_CHANNELS || sensor->window > ERNN_MOST_OF_SENSORS ||
      sensor->hop == 0 || sensor->hop > ERNN_MOST_OF_SENSORS) {
    return ERNN_BAD_MODEL;
  }
  if (sensor->scaling == 0) return ERNN_OK;
  if (sensor->scaling % 4 != 0 || sensor->scaling < sizeof *sensor || sensor->scaling > size ||
      2 * sensor->width * sizeof(float) > size - sensor->scaling) {
    return ERNN_BAD_OFFSET;
  }
  for (uint32_t i = 0; i < 2 * sensor->width; i++) {
    float x = sensor_scaling(sensor)[i];
    if (!(x >= -1e9f && x <= 1e9f)) return ERNN_BAD_MODEL;
  }
  return ERNN_OK;
}

static const ernn_front_end *sensor_entry(const ernn_model *model) {
  for (uint32_t i = 0; model && i < model->header->front_end_count; i++) {
    if (ernn_front_ends(model)[i].kind == ERNN_FRONT_END_SENSOR) return ernn_front_ends(model) + i;
  }
  return NULL;
}

const void *ernn_sensor_record(const ernn_model *model, size_t *bytes) {
  const ernn_front_end *entry = sensor_entry(model);
  *bytes = entry ? entry->bytes : 0;
  return entry ? model->bytes + entry->offset : NULL;
}

int ernn_sensor_row(const ernn_sensor *sensor, const float *sample, float *row) {
  for (uint32_t i = 0; i < sensor->width; i++) {
    if (!(sample[i] >= -SENSOR_MOST && sample[i] <= SENSOR_MOST)) return 0;
  }
  const float *add = sensor_scaling(sensor), *multiply = add + sensor->width;
  for (uint32_t i = 0; i < sensor->width; i++) {
    row[i] = sensor->scaling == 0 ? sample[i] : (sample[i] + add[i]) * multiply[i];
  }
  return 1;
}

uint32_t ernn_sensor_rate(const ernn_model *model) {
  size_t bytes;
  const ernn_sensor *sensor = (const ernn_sensor *)ernn_sensor_record(model, &bytes);
  return sensor ? sensor->rate : 0;
}

uint32_t ernn_sensor_input(const ernn_model *model) {
  const ernn_front_end *entry = sensor_entry(model);
  return entry ? entry->input : 0;
}
