/* sound_and_text: what the C library answers to wrong sound, text and recipes, a line for each.
 *
 *     sound_and_text FOLDER    with sound.ernn, arrays.ernn, text.ernn, and files to refuse */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ernn.h"

enum { ROOM = 1 << 20 };

static const char *folder;

static void show(const char *name, ernn_status status) { printf("%s: %s\n", name, ernn_status_text(status)); }

static void *room(size_t bytes) { return aligned_alloc(ERNN_ALIGNMENT, (bytes + 63) / 64 * 64); }

static ernn_status opened(ernn_model *model, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  void *content = room(ROOM); /* a model reads it for as long as it is used */
  if (!file) exit(2);
  size_t size = fread(content, 1, ROOM, file);
  fclose(file);
  return ernn_open(model, content, size);
}

static void of_sound(const ernn_model *model) {
  ernn_audio *audio;
  ernn_listener *listener;
  ernn_heard heard;
  size_t bytes;
  int ready;
  float row[64], unusable[3] = {0, NAN, 0};
  int16_t one = 0;
  show("a rate below the recipe's", ernn_audio_size(model, 4000, &bytes));
  show("no rate", ernn_listener_size(model, 0, NULL, &bytes));
  ernn_audio_size(model, 8000, &bytes);
  ernn_audio_init(&audio, model, 8000, room(bytes), bytes);
  ernn_audio_feed_s16(audio, &one, 0, row, &ready);
  printf("no samples: %d rows\n", ready);
  ernn_audio_feed_f32(audio, unusable, 3, row, &ready);
  show("NaN", ernn_audio_status(audio));
  ernn_listener_size(model, 8000, NULL, &bytes);
  ernn_listener_init(&listener, model, 8000, NULL, room(bytes), bytes);
  show("nothing heard yet", ernn_listener_whole(listener, &heard));
  ernn_listener_feed_f32(listener, unusable, 3, &heard, &ready);
  show("NaN, heard", ernn_listener_status(listener));
  show("NaN, and an answer", ernn_listener_whole(listener, &heard));
}

static void of_text(const ernn_model *model, const char *name, const char *text) {
  int32_t tokens[8];
  uint32_t count;
  show(name, ernn_tokenize(model, text, strlen(text), tokens, 8, &count));
}

int main(int argc, char **argv) {
  ernn_model sound, arrays, text, refused;
  size_t bytes;
  if (argc < 2) return 2;
  folder = argv[1];
  if (opened(&sound, "sound.ernn") || opened(&arrays, "arrays.ernn") || opened(&text, "text.ernn")) return 1;
  of_sound(&sound);
  show("sound for a model of rows", ernn_listener_size(&arrays, 8000, NULL, &bytes));
  show("sound for a model of text", ernn_audio_size(&text, 8000, &bytes));
  of_text(&arrays, "text for a model of rows", "good");
  of_text(&text, "a byte that is no text", "good \xff");
  of_text(&text, "half a character", "\xe6\x97");
  of_text(&text, "a half of a pair", "\xed\xa0\x80");
  show("a newer recipe of sound", opened(&refused, "newer_sound.ernn"));
  show("a newer recipe of text", opened(&refused, "newer_text.ernn"));
  show("a word twice", opened(&refused, "repeated.ernn"));
  return 0;
}
