/* ernn_sensor.h: the record of a front end for sensors in an .ernn file: scaling and windows. */
#ifndef ERNN_SENSOR_H
#define ERNN_SENSOR_H

#include "ernn_format.h"

/* docs/sensors.md says the same in words. */
typedef struct ernn_sensor {
  uint32_t rate;         /* samples a second */
  uint32_t width;        /* numbers in a sample, and in a row */
  uint32_t window;       /* samples that an answer is for; 0: the model runs sample by sample */
  uint32_t hop;          /* samples from one answer to the next */
  uint32_t scaling;      /* bytes from the record's first: what is added to each number, then what it is
                            multiplied by, float32 [2][width]; 0: none */
  uint32_t reserved[11]; /* zero */
} ernn_sensor;

#define ERNN_MAX_CHANNELS 4096u
#define ERNN_MOST_OF_SENSORS (1u << 20) /* of the rate, the window and the hop */

/* Checks a record of ERNN_FRONT_END_SENSOR and ERNN_SENSOR_VERSION. */
ernn_status ernn_check_sensor(const void *record, size_t size);

/* The record of a model's front end for sensors, and its length; null where it has none. */
const void *ernn_sensor_record(const ernn_model *model, size_t *bytes);

/* A sample as the model's row.  0 where it holds NaN or more than 1e18: `row` is as it was. */
int ernn_sensor_row(const ernn_sensor *sensor, const float *sample, float *row);

#endif
