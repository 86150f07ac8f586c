/* ernn_tokenizer.h: the record of a front end for text in an .ernn file: how text becomes tokens. */
#ifndef ERNN_TOKENIZER_H
#define ERNN_TOKENIZER_H

#include "ernn_format.h"

/* docs/text.md says the same in words.  Offsets count bytes from the record's first. */
typedef struct ernn_tokenizer {
  uint32_t flags;
  uint32_t length;      /* tokens of each text: cut, or filled up with 0; 0: as many as there are */
  uint32_t unknown;     /* the token of words that the vocabulary lacks; ERNN_NONE: they are refused */
  uint32_t count;       /* words */
  uint32_t words;       /* ernn_word [count + 1], by their bytes; of the last only `start` counts */
  uint32_t bytes;       /* of all words, one after the other */
  uint32_t byte_count;
  uint32_t reserved[5]; /* zero */
} ernn_tokenizer;

/* A word begins at bytes[start] and ends where the next one begins. */
typedef struct ernn_word {
  uint32_t start, token;
} ernn_word;

enum {
  ERNN_TEXT_LOWER = 1,      /* A to Z only, as TensorFlow does without an encoding */
  ERNN_TEXT_STRIP = 2,      /* the 32 punctuation marks of ASCII are left out */
  ERNN_TEXT_SPACES = 4,     /* words are what is between ASCII's white space */
  ERNN_TEXT_CHARACTERS = 8, /* each code point is a word.  Neither: the whole text is one */
  ERNN_TEXT_FLAGS = 15
};

#define ERNN_MAX_WORDS (1u << 20)
#define ERNN_MAX_WORD_BYTES (1u << 26) /* of all words together */

/* Checks a record of ERNN_FRONT_END_TEXT and ERNN_TEXT_VERSION.  After ERNN_OK nothing in it can lead
 * outside of its `size` bytes. */
ernn_status ernn_check_text(const void *record, size_t size);

/* As ernn_tokenize, for a record that ernn_check_text accepted. */
ernn_status ernn_text_tokens(const void *record, const char *text, size_t bytes, int32_t *tokens,
                             uint32_t capacity, uint32_t *count);

/* The record of a model's front end for text, and its length; null where it has none. */
const void *ernn_text_record(const ernn_model *model, size_t *bytes);

#endif
