/* count_instructions.c: a plugin for qemu-user that counts what a program executes between two calls
 * that only it makes.
 *
 *     qemu-aarch64 -plugin count_instructions.so[,to=FILE] PROGRAM ...
 *
 * The program reads a file of which nothing exists with openat(-7777, ...): each such call ends a
 * span, whose number of instructions is written as a line to FILE, else to standard error.  Counts
 * repeat to the instruction where milliseconds under emulation say nothing.
 *
 * Debian's qemu-user brings no header: the declarations below follow the interface's version 1 as
 * its documentation describes it (QEMU, "QEMU TCG Plugins"). */

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef void (*on_translation)(qemu_plugin_id_t id, void *block);
typedef void (*on_system_call)(qemu_plugin_id_t id, unsigned int cpu, int64_t number, uint64_t a1,
                               uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                               uint64_t a7, uint64_t a8);
enum { ADD_U64 = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, on_translation callback);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id, on_system_call callback);
size_t qemu_plugin_tb_n_insns(const void *block);
void *qemu_plugin_tb_get_insn(const void *block, size_t index);
void qemu_plugin_register_vcpu_insn_exec_inline(void *instruction, int operation, void *counter,
                                                uint64_t amount);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { MARK = -7777 };
static uint64_t executed, at_last_mark;
static FILE *counts;

/* Before each instruction, not each block: a block may be left in its middle. */
static void translated(qemu_plugin_id_t id, void *block) {
  (void)id;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
    void *instruction = qemu_plugin_tb_get_insn(block, i);
    qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD_U64, &executed, 1);
  }
}

static void system_called(qemu_plugin_id_t id, unsigned int cpu, int64_t number, uint64_t a1,
                          uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                          uint64_t a7, uint64_t a8) {
  (void)id, (void)cpu, (void)number, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7;
  (void)a8;
  if ((int32_t)a1 != MARK) return;
  fprintf(counts, "%" PRIu64 "\n", executed - at_last_mark);
  fflush(counts);
  at_last_mark = executed;
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const void *info, int argc,
                                                               char **argv) {
  (void)info;
  counts = argc > 0 && strncmp(argv[0], "to=", 3) == 0 ? fopen(argv[0] + 3, "w") : stderr;
  if (!counts) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, system_called);
  return 0;
}
