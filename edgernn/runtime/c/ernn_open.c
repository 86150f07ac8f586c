/* ernn_open.c: checks a file before anything in it is used. */

#include "ernn_audio.h"
#include "ernn_check.h"
#include "ernn_sensor.h"
#include "ernn_sound.h"
#include "ernn_tokenizer.h"

/* A table of `count` records inside the file, aligned to 4. */
static int is_table(const ernn_header *header, uint32_t offset, uint32_t count, size_t record) {
  return count <= ERNN_MAX_RECORDS && offset % 4 == 0 && offset >= sizeof(ernn_header) &&
         offset <= header->file_bytes && count * record <= header->file_bytes - offset;
}

static int is_text(const ernn_model *model, uint32_t offset, uint32_t bytes) {
  uint32_t end = model->header->file_bytes;
  return offset < end && bytes < end - offset && model->bytes[offset + bytes] == 0;
}

/* Keeps where the record is that the check at hand is about. */
static void look_at(ernn_refusal *refusal, const ernn_model *model, const void *record) {
  refusal->offset = (size_t)((const uint8_t *)record - model->bytes);
  refusal->layer = NULL;
}

static ernn_status check_header(const ernn_model *model, size_t size, ernn_refusal *refusal) {
  const ernn_header *header = model->header;
  if (header->magic == 0x45524E4Eu) return ERNN_BYTE_ORDER;
  if (header->magic != ERNN_MAGIC) return ERNN_NOT_ERNN;
  look_at(refusal, model, &header->version);
  if (header->version != ERNN_FORMAT_VERSION) return ERNN_VERSION;
  look_at(refusal, model, &header->file_bytes);
  if (header->file_bytes != size) return ERNN_TRUNCATED;
  look_at(refusal, model, &header->crc32);
  if (ernn_crc32((const uint8_t *)header + 16, size - 16) != header->crc32) return ERNN_CHECKSUM;
  look_at(refusal, model, &header->features);
  if (header->features & ~ERNN_FEATURES_KNOWN) return ERNN_FEATURE;
  look_at(refusal, model, header->reserved);
  for (size_t i = 0; i < sizeof header->reserved / sizeof *header->reserved; i++) {
    if (header->reserved[i] != 0) return ERNN_FEATURE;
  }
  look_at(refusal, model, &header->edge_count);
  if (header->input_count > ERNN_MAX_RECORDS || header->output_count > ERNN_MAX_RECORDS ||
      !is_table(header, header->edge_offset, header->edge_count, sizeof(ernn_edge)) ||
      !is_table(header, header->op_offset, header->op_count, sizeof(ernn_op)) ||
      !is_table(header, header->constant_offset, header->constant_count, sizeof(ernn_constant)) ||
      !is_table(header, header->port_offset, header->input_count, sizeof(ernn_port_record)) ||
      !is_table(header, header->port_offset, header->input_count + header->output_count,
                sizeof(ernn_port_record)) ||
      !is_table(header, header->text_offset, header->text_count, sizeof(ernn_text)) ||
      (header->front_end_count > 0 && !is_table(header, header->front_end_offset,
                                                header->front_end_count, sizeof(ernn_front_end)))) {
    return ERNN_BAD_OFFSET;
  }
  int has_ports = header->input_count > 0 && header->output_count > 0;
  return has_ports && header->slot_count <= header->edge_count ? ERNN_OK : ERNN_BAD_MODEL;
}

static int reads(const ernn_op *op, uint32_t edge) {
  for (uint32_t i = 0; i < ERNN_OP_INPUTS; i++) {
    if (op->inputs[i] == edge) return 1;
  }
  return 0;
}

/* Whether this library has the layer that a file names, below ERNN_OP_COUNT.  In two words: compilers
 * for 32-bit processors call a library of theirs to shift 64 bits by a variable. */
static int has_op(uint32_t kind) {
  static const uint32_t words[2] = {(uint32_t)ERNN_ONLY_THESE, (uint32_t)(ERNN_ONLY_THESE >> 32)};
  return ERNN_ONLY_THESE == 0 || (words[kind >> 5] >> (kind & 31u) & 1u) != 0;
}

/* What a reader must know to run the layer: the header has to say so, for readers that do not. */
static uint32_t needed_features(const ernn_op *op) {
  uint32_t kind = op->kind, features = 0;
  int is_image = (kind >= ERNN_OP_CONV2D && kind <= ERNN_OP_SWAP) ||
                 op->arguments[ERNN_AXIS_SIZE] != 0 || op->arguments[ERNN_AXIS_ROWS] != 0;
  int is_integer = kind == ERNN_OP_QDENSE || kind == ERNN_OP_QCONV || kind == ERNN_OP_QCONV2D ||
                   kind == ERNN_OP_QDEPTHWISE2D || (kind >= ERNN_OP_QGRU && kind <= ERNN_OP_QRNN);
  if (is_image) features |= ERNN_FEATURE_IMAGES;
  if (is_integer) features |= ERNN_FEATURE_INTEGER;
  if (kind == ERNN_OP_ATTENTION || kind == ERNN_OP_DOT) features |= ERNN_FEATURE_ATTENTION;
  if (kind >= ERNN_OP_CAST && kind <= ERNN_OP_WHERE) features |= ERNN_FEATURE_CHOICES;
  return features;
}

/* Edges are numbered in the order in which they are written, the model's inputs first. */
static ernn_status check_ops(const ernn_model *model, ernn_refusal *refusal) {
  const ernn_header *header = model->header;
  uint32_t written = header->input_count;
  for (uint32_t i = 0; i < header->op_count; i++) {
    const ernn_op *op = ernn_ops(model) + i;
    look_at(refusal, model, op);
    if (!is_text(model, op->name, op->name_bytes)) return ERNN_BAD_OFFSET;
    refusal->layer = (const char *)model->bytes + op->name;
    if (op->kind >= ERNN_OP_COUNT || !has_op(op->kind)) return ERNN_UNKNOWN_LAYER;
    if (needed_features(op) & ~header->features) return ERNN_BAD_MODEL;
    for (uint32_t k = 0; k < ERNN_OP_INPUTS; k++) {
      if (op->inputs[k] != ERNN_NONE && op->inputs[k] >= written) return ERNN_BAD_MODEL;
    }
    uint32_t before = written;
    for (uint32_t k = 0; k < ERNN_OP_OUTPUTS; k++) {
      if (op->outputs[k] == ERNN_NONE) continue;
      if (op->outputs[k] != written || written >= header->edge_count) return ERNN_BAD_MODEL;
      if (ernn_edges(model)[written].slot >= header->slot_count) return ERNN_BAD_MODEL;
      written++;
    }
    if (written == before || !ernn_is_op(model, op)) return ERNN_BAD_MODEL;
  }
  look_at(refusal, model, ernn_edges(model) + written);
  return written == header->edge_count ? ERNN_OK : ERNN_BAD_MODEL;
}

/* The op that reads edge `edge` last: its own writer where none does, the number of ops where it is an
 * output of the model. */
static uint32_t end_of_use(const ernn_model *model, uint32_t edge, uint32_t writer) {
  const ernn_header *header = model->header;
  for (uint32_t port = 0; port < header->output_count; port++) {
    if (ernn_ports(model)[header->input_count + port].edge == edge) return header->op_count;
  }
  for (uint32_t op = header->op_count - 1; op > writer; op--) {
    if (reads(ernn_ops(model) + op, edge)) return op;
  }
  return writer;
}

/* Two edges may share a buffer when the first is done with before the second is written. */
static ernn_status check_slots(const ernn_model *model, ernn_refusal *refusal) {
  const ernn_header *header = model->header;
  const ernn_edge *edges = ernn_edges(model);
  for (uint32_t i = 0; i < header->op_count; i++) {
    const ernn_op *op = ernn_ops(model) + i;
    for (uint32_t k = 0; k < ERNN_OP_OUTPUTS; k++) {
      uint32_t edge = op->outputs[k];
      if (edge == ERNN_NONE) continue;
      uint32_t end = end_of_use(model, edge, i);
      /* Edges are numbered in the order in which they are written. */
      for (uint32_t later = i; later <= end && later < header->op_count; later++) {
        const ernn_op *writer = ernn_ops(model) + later;
        for (uint32_t n = 0; n < ERNN_OP_OUTPUTS; n++) {
          uint32_t other = writer->outputs[n];
          if (other == ERNN_NONE || other <= edge || edges[other].slot != edges[edge].slot) continue;
          look_at(refusal, model, writer);
          refusal->layer = (const char *)model->bytes + writer->name;
          return ERNN_BAD_MODEL;
        }
      }
    }
  }
  return ERNN_OK;
}

static ernn_status check_ports(const ernn_model *model, ernn_refusal *refusal) {
  const ernn_header *header = model->header;
  for (uint32_t i = 0; i < header->input_count + header->output_count; i++) {
    const ernn_port_record *port = ernn_ports(model) + i;
    int is_input = i < header->input_count;
    look_at(refusal, model, port);
    if (!is_text(model, port->name, port->name_bytes)) return ERNN_BAD_OFFSET;
    if (port->edge >= header->edge_count || (is_input && port->edge != i)) return ERNN_BAD_MODEL;
    if (port->state > (is_input ? header->output_count : 0)) return ERNN_BAD_MODEL;
  }
  /* A state is handed on as it is, so it must have a fixed size. */
  for (uint32_t i = 0; i < header->input_count; i++) {
    const ernn_port_record *port = ernn_ports(model) + i;
    look_at(refusal, model, port);
    if (port->state == 0) continue;
    const ernn_edge *from =
        ernn_edges(model) + ernn_ports(model)[header->input_count + port->state - 1].edge;
    const ernn_edge *to = ernn_edges(model) + port->edge;
    int fits = from->dtype == to->dtype && from->width == to->width &&
               from->is_sequence == to->is_sequence && (!to->is_sequence || to->steps > 0);
    if (!fits) return ERNN_BAD_MODEL;
  }
  return ERNN_OK;
}

#ifndef ERNN_WITHOUT_SOUND
static ernn_status check_sound(const ernn_edge *edge, const void *record, uint32_t bytes) {
  const ernn_sound *sound = (const ernn_sound *)record;
  ernn_status status = ernn_check_sound(record, bytes);
  if (status != ERNN_OK) return status;
  return edge->dtype == ERNN_FLOAT32 && edge->width == sound->width ? ERNN_OK : ERNN_BAD_MODEL;
}

/* A window is the input's fixed number of steps. */
static ernn_status check_sensor(const ernn_edge *edge, const void *record, uint32_t bytes) {
  const ernn_sensor *sensor = (const ernn_sensor *)record;
  ernn_status status = ernn_check_sensor(record, bytes);
  if (status != ERNN_OK) return status;
  int fits = edge->dtype == ERNN_FLOAT32 && edge->is_sequence && edge->width == sensor->width &&
             (edge->steps <= 1 || sensor->window == edge->steps);
  return fits ? ERNN_OK : ERNN_BAD_MODEL;
}
#endif

#ifndef ERNN_WITHOUT_TEXT
static ernn_status check_text(const ernn_edge *edge, const void *record, uint32_t bytes) {
  ernn_status status = ernn_check_text(record, bytes);
  if (status != ERNN_OK) return status;
  return edge->dtype == ERNN_INT32 && edge->width == 1 ? ERNN_OK : ERNN_BAD_MODEL;
}
#endif

/* The feature that a front end of this kind and version has; 0 where this library knows none. */
static uint32_t front_end_feature(const ernn_front_end *entry) {
  if (entry->kind == ERNN_FRONT_END_SOUND && entry->version == ERNN_SOUND_VERSION) {
    return ERNN_FEATURE_SOUND;
  }
  if (entry->kind == ERNN_FRONT_END_TEXT && entry->version == ERNN_TEXT_VERSION) {
    return ERNN_FEATURE_TOKENS;
  }
  if (entry->kind == ERNN_FRONT_END_SENSOR && entry->version == ERNN_SENSOR_VERSION) {
    return ERNN_FEATURE_SENSORS;
  }
  return 0;
}

static ernn_status check_front_end(const ernn_model *model, const ernn_front_end *entry) {
  const ernn_edge *edge = ernn_edges(model) + ernn_ports(model)[entry->input].edge;
  const void *record = model->bytes + entry->offset;
  (void)edge, (void)record; /* of a library without both */
#ifndef ERNN_WITHOUT_SOUND
  if (entry->kind == ERNN_FRONT_END_SOUND) return check_sound(edge, record, entry->bytes);
  if (entry->kind == ERNN_FRONT_END_SENSOR) return check_sensor(edge, record, entry->bytes);
#endif
#ifndef ERNN_WITHOUT_TEXT
  if (entry->kind == ERNN_FRONT_END_TEXT) return check_text(edge, record, entry->bytes);
#endif
  return ERNN_FRONT_END;
}

/* At most one front end for an input; its rows or tokens are the input's. */
static ernn_status check_front_ends(const ernn_model *model, ernn_refusal *refusal) {
  const ernn_header *header = model->header;
  uint32_t features = 0;
  look_at(refusal, model, &header->front_end_count);
  if (header->front_end_count > ERNN_MAX_FRONT_ENDS) return ERNN_BAD_MODEL;
  for (uint32_t i = 0; i < header->front_end_count; i++) {
    const ernn_front_end *entry = ernn_front_ends(model) + i;
    look_at(refusal, model, entry);
    if (front_end_feature(entry) == 0) return ERNN_FRONT_END;
    features |= front_end_feature(entry);
    for (uint32_t k = 0; k < sizeof entry->reserved / sizeof *entry->reserved; k++) {
      if (entry->reserved[k] != 0) return ERNN_FRONT_END;
    }
    if (entry->offset % ERNN_ALIGNMENT != 0 || entry->offset > header->file_bytes ||
        entry->bytes > header->file_bytes - entry->offset) {
      return ERNN_BAD_OFFSET;
    }
    if (entry->input >= header->input_count) return ERNN_BAD_MODEL;
    for (uint32_t k = 0; k < i; k++) {
      if (ernn_front_ends(model)[k].input == entry->input) return ERNN_BAD_MODEL;
    }
    ernn_status status = check_front_end(model, entry);
    if (status != ERNN_OK) return status;
  }
  look_at(refusal, model, &header->front_end_count);
  uint32_t claimed = header->features & (ERNN_FEATURE_FRONT_END | ERNN_FEATURE_TEXT | ERNN_FEATURE_SENSOR);
  return features == claimed ? ERNN_OK : ERNN_BAD_MODEL;
}

static ernn_status check_content(const ernn_model *model, ernn_refusal *refusal) {
  const ernn_header *header = model->header;
  for (uint32_t i = 0; i < header->edge_count; i++) {
    const ernn_edge *edge = ernn_edges(model) + i;
    int is_input = i < header->input_count;
    look_at(refusal, model, edge);
    if (edge->dtype > ERNN_BOOL || edge->is_sequence > 1 || edge->reserved != 0 ||
        edge->width == 0 || edge->width > ERNN_MAX_WIDTH || edge->steps > ERNN_MAX_STEPS ||
        (edge->steps != 0 && !(is_input && edge->is_sequence)) ||
        (edge->slot == ERNN_NONE) != is_input) {
      return ERNN_BAD_MODEL;
    }
  }
  for (uint32_t i = 0; i < header->constant_count; i++) {
    look_at(refusal, model, ernn_constants(model) + i);
    ernn_status status = ernn_check_constant(model, i);
    if (status != ERNN_OK) return status;
  }
  for (uint32_t i = 0; i < header->text_count; i++) {
    const ernn_text *text = ernn_texts(model) + i;
    look_at(refusal, model, text);
    if (!is_text(model, text->key, text->key_bytes) ||
        !is_text(model, text->value, text->value_bytes)) {
      return ERNN_BAD_OFFSET;
    }
  }
  ernn_status status = check_ports(model, refusal);
  if (status == ERNN_OK) status = check_ops(model, refusal);
  if (status == ERNN_OK) status = check_slots(model, refusal);
  if (status == ERNN_OK) status = check_front_ends(model, refusal);
  return status;
}

/* A model is causal when each layer takes a sequence in parts, every sequence has the same steps,
 * and all that is done once a sequence (the head) comes after what is done at each step. */
static uint32_t is_causal(const ernn_model *model) {
  const ernn_header *header = model->header;
  int in_head = 0, has_sequence = 0;
  for (uint32_t i = 0; i < header->input_count; i++) {
    if (ernn_ports(model)[i].state != 0 || !ernn_edges(model)[i].is_sequence) return 0;
  }
  for (uint32_t i = 0; i < header->op_count; i++) {
    const ernn_op *op = ernn_ops(model) + i;
    int takes_sequence = 0;
    for (uint32_t k = 0; k < ERNN_OP_INPUTS; k++) {
      if (op->inputs[k] == ERNN_NONE) continue;
      takes_sequence |= ernn_edges(model)[op->inputs[k]].is_sequence;
    }
    if (!takes_sequence) {
      in_head = 1;
      if (ernn_edges(model)[op->outputs[0]].is_sequence) return 0;
    } else if (in_head || !ernn_op_is_causal(model, op)) {
      return 0;
    }
    has_sequence |= takes_sequence;
  }
  return has_sequence != 0;
}

ernn_status ernn_open_or_explain(ernn_model *model, const void *bytes, size_t size,
                                 ernn_refusal *refusal) {
  if (!refusal) return ERNN_ARGUMENT;
  refusal->offset = 0;
  refusal->layer = NULL;
  if (!model || !bytes) return ERNN_ARGUMENT;
  if ((uintptr_t)bytes % ERNN_ALIGNMENT != 0) return ERNN_MISALIGNED;
  if (size < sizeof(ernn_header)) return ERNN_TRUNCATED;
  ernn_model opened = {(const uint8_t *)bytes, (const ernn_header *)bytes, 0};
  ernn_status status = check_header(&opened, size, refusal);
  if (status == ERNN_OK) status = check_content(&opened, refusal);
  if (status != ERNN_OK) return status;
  opened.causal = is_causal(&opened);
  *model = opened;
  return ERNN_OK;
}

ernn_status ernn_open(ernn_model *model, const void *bytes, size_t size) {
  ernn_refusal refusal;
  return ernn_open_or_explain(model, bytes, size, &refusal);
}
