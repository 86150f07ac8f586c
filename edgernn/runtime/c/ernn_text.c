/* ernn_text.c: text into tokens, by the rules of Keras' TextVectorization and StringLookup. */

#include "ernn_internal.h"
#include "ernn_tokenizer.h"

typedef struct text_part {
  const uint8_t *at, *end;
} text_part;

static const ernn_word *text_words(const ernn_tokenizer *rules) {
  return (const ernn_word *)(const void *)((const uint8_t *)rules + rules->words);
}

static text_part text_word(const ernn_tokenizer *rules, uint32_t index) {
  const uint8_t *bytes = (const uint8_t *)rules + rules->bytes;
  const ernn_word *word = text_words(rules) + index;
  const text_part part = {bytes + word[0].start, bytes + word[1].start};
  return part;
}

/* The next byte as it is looked up; -1 at the end.  Shorter words so come before longer ones. */
static int text_next(uint32_t flags, text_part *part) {
  while (part->at < part->end) {
    uint32_t c = *part->at++;
    uint32_t lower = c | 32u, is_letter = lower - 'a' < 26u;
    uint32_t is_mark = c - '!' < 94u && !is_letter && c - '0' >= 10u;
    if (is_mark && (flags & ERNN_TEXT_STRIP)) continue;
    return (int)(is_letter && (flags & ERNN_TEXT_LOWER) ? lower : c);
  }
  return -1;
}

/* Below 0, 0 or above 0, as memcmp, for `part` by the rules and the bytes of `word`. */
static int text_compare(uint32_t flags, text_part part, text_part word) {
  for (;;) {
    int left = text_next(flags, &part), right = text_next(0, &word);
    if (left != right || left < 0) return left - right;
  }
}

static uint32_t text_find(const ernn_tokenizer *rules, text_part part) {
  uint32_t low = 0, high = rules->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    int order = text_compare(rules->flags, part, text_word(rules, middle));
    if (order == 0) return text_words(rules)[middle].token;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return rules->unknown;
}

/* Bytes of the code point at `part`; 0 where they are not UTF-8: cut off, overlong, a surrogate or
 * beyond U+10FFFF. */
static uint32_t text_code_point(text_part part) {
  uint32_t first = *part.at, bytes = 1;
  if (first < 0x80) return 1;
  if (first - 0xC2 < 0x1E) bytes = 2;
  else if (first - 0xE0 < 0x10) bytes = 3;
  else if (first - 0xF0 < 5) bytes = 4;
  else return 0;
  if ((size_t)(part.end - part.at) < bytes) return 0;
  for (uint32_t i = 1; i < bytes; i++) {
    if ((part.at[i] & 0xC0) != 0x80) return 0;
  }
  uint32_t second = part.at[1];
  int is_wrong = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                 (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return is_wrong ? 0 : bytes;
}

static int text_is_space(uint32_t c) { return c == ' ' || c - '\t' < 5u; }

/* The next word of `rest`, which begins behind it then; 0 where there is none.  A word of punctuation
 * marks only is none where they are left out. */
static int text_split(uint32_t flags, text_part *rest, text_part *word) {
  int is_left_out;
  do {
    if (flags & ERNN_TEXT_SPACES) {
      while (rest->at < rest->end && text_is_space(*rest->at)) rest->at++;
    }
    if (rest->at >= rest->end) return 0;
    word->at = rest->at;
    if (flags & ERNN_TEXT_CHARACTERS) {
      rest->at += text_code_point(*rest);
    } else {
      while (rest->at < rest->end && !text_is_space(*rest->at)) rest->at++;
    }
    word->end = rest->at;
    text_part kept = *word;
    is_left_out = text_next(flags, &kept) < 0;
  } while (is_left_out);
  return 1;
}

ernn_status ernn_text_tokens(const void *record, const char *text, size_t bytes, int32_t *tokens,
                             uint32_t capacity, uint32_t *count) {
  const ernn_tokenizer *rules = (const ernn_tokenizer *)record;
  if (!count || (!text && bytes > 0) || (!tokens && capacity > 0) || bytes > 0x7FFFFFFFu) {
    return ERNN_ARGUMENT;
  }
  *count = 0;
  const uint8_t *first = (const uint8_t *)(text ? text : "");
  text_part rest = {first, first + bytes}, word = rest;
  for (text_part at = rest; at.at < at.end;) {
    uint32_t length = text_code_point(at);
    if (length == 0) return ERNN_NOT_UTF8;
    at.at += length;
  }
  int is_split = (rules->flags & (ERNN_TEXT_SPACES | ERNN_TEXT_CHARACTERS)) != 0;
  uint32_t found = 0;
  while (is_split ? text_split(rules->flags, &rest, &word) : found == 0) {
    uint32_t token = text_find(rules, word);
    if (token == ERNN_NONE) return ERNN_WORD;
    if (found < capacity) tokens[found] = (int32_t)token;
    if (++found == rules->length) break;
  }
  for (uint32_t i = found; i < rules->length && i < capacity; i++) tokens[i] = 0;
  if (found < rules->length) found = rules->length;
  *count = found;
  return found > capacity ? ERNN_CAPACITY : ERNN_OK;
}

ernn_status ernn_check_text(const void *record, size_t size) {
  const ernn_tokenizer *rules = (const ernn_tokenizer *)record;
  if (size < sizeof *rules) return ERNN_BAD_OFFSET;
  for (size_t i = 0; i < sizeof rules->reserved / sizeof *rules->reserved; i++) {
    if (rules->reserved[i] != 0) return ERNN_FRONT_END;
  }
  if (rules->flags & ~(uint32_t)ERNN_TEXT_FLAGS) return ERNN_FRONT_END;
  uint32_t both = ERNN_TEXT_SPACES | ERNN_TEXT_CHARACTERS;
  if ((rules->flags & both) == both || rules->length > ERNN_MAX_STEPS ||
      rules->count > ERNN_MAX_WORDS || rules->byte_count > ERNN_MAX_WORD_BYTES ||
      (rules->unknown > 0x7FFFFFFFu && rules->unknown != ERNN_NONE)) {
    return ERNN_BAD_MODEL;
  }
  if (rules->words % 4 != 0 || rules->words < sizeof *rules || rules->words > size ||
      (rules->count + 1) * sizeof(ernn_word) > size - rules->words ||
      rules->bytes < sizeof *rules || rules->bytes > size || rules->byte_count > size - rules->bytes) {
    return ERNN_BAD_OFFSET;
  }
  const ernn_word *words = text_words(rules);
  for (uint32_t i = 0; i <= rules->count; i++) {
    uint32_t before = i == 0 ? 0 : words[i - 1].start;
    if (words[i].start < before || words[i].start > rules->byte_count) return ERNN_BAD_OFFSET;
    if (i < rules->count && words[i].token > 0x7FFFFFFFu) return ERNN_BAD_MODEL;
    /* In order, and so without repeats. */
    if (i > 1 && text_compare(0, text_word(rules, i - 2), text_word(rules, i - 1)) >= 0) {
      return ERNN_VOCABULARY;
    }
  }
  return ERNN_OK;
}

static const ernn_front_end *text_front_end(const ernn_model *model) {
  for (uint32_t i = 0; model && i < model->header->front_end_count; i++) {
    if (ernn_front_ends(model)[i].kind == ERNN_FRONT_END_TEXT) return ernn_front_ends(model) + i;
  }
  return NULL;
}

const void *ernn_text_record(const ernn_model *model, size_t *bytes) {
  const ernn_front_end *entry = text_front_end(model);
  *bytes = entry ? entry->bytes : 0;
  return entry ? model->bytes + entry->offset : NULL;
}

uint32_t ernn_text_input(const ernn_model *model) {
  const ernn_front_end *entry = text_front_end(model);
  return entry ? entry->input : 0;
}

uint32_t ernn_text_length(const ernn_model *model) {
  size_t bytes;
  const ernn_tokenizer *rules = (const ernn_tokenizer *)ernn_text_record(model, &bytes);
  return rules ? rules->length : 0;
}

ernn_status ernn_tokenize(const ernn_model *model, const char *text, size_t bytes, int32_t *tokens,
                          uint32_t capacity, uint32_t *count) {
  if (!model) return ERNN_ARGUMENT;
  size_t size;
  const void *record = ernn_text_record(model, &size);
  return record ? ernn_text_tokens(record, text, bytes, tokens, capacity, count) : ERNN_NO_TEXT;
}
