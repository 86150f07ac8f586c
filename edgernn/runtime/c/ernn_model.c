/* ernn_model.c: describes a model to its user. */

#include "ernn_internal.h"

const char *ernn_version(void) { return ERNN_LIBRARY_VERSION; }

size_t ernn_model_size(void) { return sizeof(ernn_model); }

const char *ernn_status_text(ernn_status status) {
  static const char *const texts[] = {
#define ERNN_STATUS_TEXT(name, text) text,
      ERNN_STATUS_LIST(ERNN_STATUS_TEXT)
#undef ERNN_STATUS_TEXT
  };
  return (uint32_t)status < ERNN_STATUS_COUNT ? texts[status] : "an unknown status";
}

uint32_t ernn_input_count(const ernn_model *model) { return model->header->input_count; }

uint32_t ernn_output_count(const ernn_model *model) { return model->header->output_count; }

static ernn_status describe(const ernn_model *model, uint32_t index, ernn_port *port) {
  const ernn_port_record *record = ernn_ports(model) + index;
  const ernn_edge *edge = ernn_edges(model) + record->edge;
  port->name = (const char *)model->bytes + record->name;
  port->dtype = (ernn_dtype)edge->dtype;
  port->is_sequence = edge->is_sequence;
  port->steps = edge->steps;
  port->width = edge->width;
  port->state = record->state;
  return ERNN_OK;
}

ernn_status ernn_input(const ernn_model *model, uint32_t index, ernn_port *port) {
  if (!model || !port || index >= ernn_input_count(model)) return ERNN_ARGUMENT;
  return describe(model, index, port);
}

ernn_status ernn_output(const ernn_model *model, uint32_t index, ernn_port *port) {
  if (!model || !port || index >= ernn_output_count(model)) return ERNN_ARGUMENT;
  return describe(model, ernn_input_count(model) + index, port);
}

/* By explicit states: the file computes one step and hands its states on. */
static int is_step_model(const ernn_model *model) {
  int has_state = 0;
  for (uint32_t i = 0; i < ernn_input_count(model); i++) {
    const ernn_edge *edge = ernn_edges(model) + i;
    if (ernn_ports(model)[i].state != 0) {
      has_state = 1;
    } else if (edge->is_sequence && edge->steps != 1) {
      return 0;
    }
  }
  return has_state;
}

int ernn_is_streaming(const ernn_model *model) {
  return model->causal != 0 || is_step_model(model);
}

static int same_text(const char *left, const char *right) {
  while (*left && *left == *right) {
    left++;
    right++;
  }
  return *left == *right;
}

/* The digits of a text; 0 for anything else, and what is absent. */
static uint32_t number_of(const char *text) {
  uint32_t value = 0;
  for (; text && *text; text++) {
    if (*text < '0' || *text > '9' || value > ERNN_MAX_STEPS) return 0;
    value = value * 10 + (uint32_t)(*text - '0');
  }
  return value;
}

uint32_t ernn_result_steps(const ernn_model *model, uint32_t *first) {
  uint32_t every = number_of(ernn_metadata(model, "result_every"));
  *first = number_of(ernn_metadata(model, "first_result"));
  if (!is_step_model(model) || *first > ERNN_MAX_STEPS || every > ERNN_MAX_STEPS) return 0;
  return every;
}

const char *ernn_label(const ernn_model *model, uint32_t index) {
  for (uint32_t i = 0; i < model->header->text_count; i++) {
    const ernn_text *text = ernn_texts(model) + i;
    if (text->key_bytes == 0 && index-- == 0) return (const char *)model->bytes + text->value;
  }
  return NULL;
}

ernn_status ernn_metadata_at(const ernn_model *model, uint32_t index, const char **key,
                             const char **value) {
  for (uint32_t i = 0; i < model->header->text_count; i++) {
    const ernn_text *text = ernn_texts(model) + i;
    if (text->key_bytes > 0 && index-- == 0) {
      *key = (const char *)model->bytes + text->key;
      *value = (const char *)model->bytes + text->value;
      return ERNN_OK;
    }
  }
  return ERNN_ARGUMENT;
}

const char *ernn_metadata(const ernn_model *model, const char *wanted) {
  const char *key, *value;
  for (uint32_t i = 0; ernn_metadata_at(model, i, &key, &value) == ERNN_OK; i++) {
    if (same_text(key, wanted)) return value;
  }
  return NULL;
}
