/* ernn_crc32.c: the checksum of zip, png and Ethernet (reflected polynomial 0xEDB88320). */

#include "ernn_internal.h"

/* Four bytes a time ("slicing by 4").  The tables cost 4 KB of stack and 1024 steps to make: less
 * than they would cost as data in flash, and nothing beside reading a model. */
uint32_t ernn_crc32(const uint8_t *bytes, size_t size) {
  uint32_t table[4][256];
  for (uint32_t value = 0; value < 256; value++) {
    uint32_t remainder = value;
    for (int bit = 0; bit < 8; bit++) {
      remainder = (remainder >> 1) ^ (0xEDB88320u & (0u - (remainder & 1u)));
    }
    table[0][value] = remainder;
  }
  for (uint32_t value = 0; value < 256; value++) {
    for (int ahead = 1; ahead < 4; ahead++) {
      uint32_t previous = table[ahead - 1][value];
      table[ahead][value] = (previous >> 8) ^ table[0][previous & 0xFFu];
    }
  }
  uint32_t crc = 0xFFFFFFFFu;
  for (; size >= 4; size -= 4, bytes += 4) {
    crc ^= (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
    crc = table[3][crc & 0xFFu] ^ table[2][crc >> 8 & 0xFFu] ^ table[1][crc >> 16 & 0xFFu] ^
          table[0][crc >> 24];
  }
  for (; size > 0; size--, bytes++) {
    crc = (crc >> 8) ^ table[0][(crc ^ *bytes) & 0xFFu];
  }
  return ~crc;
}
