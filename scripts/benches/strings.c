/* A QEMU plugin that counts what the counted clock counts too often: a repeated string instruction (rep movsb and its
 * kin) is one instruction of a processor, but a step of the clock for each element that it moves.
 *
 * Argument: out=FILE. Each time the instruction MARK runs, a line goes there: the further steps so far of dom0, of
 * guests and of Xen. Code that runs before the first mark is dom0's, and with it the 2 MiB of memory that it lies in;
 * all else is a guest's. One processor.
 */

#include "plugin.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What domain-time (netstack/bench/src/bin) runs: a no-op with a displacement that nobody else writes. */
static const uint8_t MARK[] = {0x0f, 0x1f, 0x84, 0x00, 'h', 'p', 'g', '!'};

/* Xen's own addresses (xen/include/asm-x86/config.h, "XEN_VIRT_START" and what lies around it). */
#define XEN_BEGIN 0xffff82d000000000u
#define XEN_END 0xffff830000000000u

enum { DOM0, GUEST, XEN, OWNERS };
static uint64_t further[OWNERS];

/* 2 MiB runs of the host's memory in which dom0's code lies. */
#define RUN 21
#define PLACES 65536u
static uint64_t places[PLACES];
static bool learning = true;
static FILE *out;

static bool is_dom0s(uint64_t run)
{
    for (uint32_t at = (uint32_t)(run * 0x9e3779b1u) % PLACES;; at = (at + 1) % PLACES) {
        if (places[at] == run)
            return true;
        if (!places[at]) {
            if (learning)
                places[at] = run;
            return learning;
        }
    }
}

static void marked(unsigned processor, void *data)
{
    (void)processor;
    (void)data;
    learning = false;
    fprintf(out, "%llu %llu %llu\n", (unsigned long long)further[DOM0], (unsigned long long)further[GUEST],
            (unsigned long long)further[XEN]);
    fflush(out);
}

/* Whether an instruction is a string instruction with a prefix that repeats it. */
static bool repeats(const uint8_t *code, size_t size)
{
    bool repeated = false;
    for (size_t at = 0; at < size; at++) {
        uint8_t byte = code[at];
        if (byte == 0xf2 || byte == 0xf3)
            repeated = true;
        else if (byte != 0x66 && byte != 0x67 && (byte & 0xf0) != 0x40)
            return repeated && ((byte >= 0xa4 && byte <= 0xa7) || (byte >= 0xaa && byte <= 0xaf));
    }
    return false;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t index = 0; index < qemu_plugin_tb_n_insns(tb); index++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, index);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        bool xen = address >= XEN_BEGIN && address < XEN_END;
        uint64_t run = (uint64_t)(uintptr_t)qemu_plugin_insn_haddr(insn) >> RUN;
        int owner = xen ? XEN : is_dom0s(run) ? DOM0 : GUEST;
        const uint8_t *code = qemu_plugin_insn_data(insn);
        size_t size = qemu_plugin_insn_size(insn);
        /* The first step ends the block that leads to it; each further one is a block of its own. */
        if (index == 0 && repeats(code, size))
            qemu_plugin_register_vcpu_insn_exec_inline(insn, 0, &further[owner], 1);
        if (size == sizeof MARK && !memcmp(code, MARK, sizeof MARK))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, 0, NULL);
    }
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) || !(out = fopen(argv[0] + 4, "w")))
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
