/* A QEMU plugin that counts how often each block of instructions runs, on one processor.
 *
 * Arguments: orders=FIFO, out=FILE. A byte in the FIFO writes what ran since the last one, and starts anew: records of
 * four 64-bit words (address, address in the host's memory, instructions, executions). When FILE.done is there, it is
 * whole. A repeated string instruction is a block of its own from its second round on, so each round counts as one
 * instruction, as it does for -icount.
 */

#include "plugin.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A block stays for good, also when QEMU translates it again: a table by what it is. */
struct block {
    struct block *next;
    uint64_t address, place, instructions, executions;
};

#define BUCKETS (1u << 20)
static struct block *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *orders, *out;

static void runs(unsigned processor, void *data)
{
    (void)processor;
    ((struct block *)data)->executions++;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
    uint64_t address = qemu_plugin_insn_vaddr(first);
    uint64_t place = (uint64_t)(uintptr_t)qemu_plugin_insn_haddr(first);
    uint64_t instructions = qemu_plugin_tb_n_insns(tb);
    uint64_t hash = (address * 31 + place) * 31 + instructions;
    pthread_mutex_lock(&lock);
    struct block **bucket = &buckets[(hash * 0x9e3779b97f4a7c15u) >> 44];
    struct block *block = *bucket;
    while (block && (block->address != address || block->place != place || block->instructions != instructions))
        block = block->next;
    if (!block && (block = calloc(1, sizeof *block))) {
        *block = (struct block){*bucket, address, place, instructions, 0};
        *bucket = block;
    }
    pthread_mutex_unlock(&lock);
    if (block)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, runs, 0, block);
}

static void write_all(void)
{
    FILE *file = fopen(out, "w");
    if (!file)
        return;
    pthread_mutex_lock(&lock);
    for (size_t index = 0; index < BUCKETS; index++)
        for (struct block *block = buckets[index]; block; block = block->next)
            if (block->executions) {
                fwrite(&block->address, sizeof(uint64_t), 4, file);
                block->executions = 0;
            }
    pthread_mutex_unlock(&lock);
    fclose(file);
}

static void *listens(void *data)
{
    (void)data;
    char order;
    int fifo = open(orders, O_RDWR);
    while (fifo >= 0 && read(fifo, &order, 1) == 1) {
        write_all();
        char done[4096];
        snprintf(done, sizeof done, "%s.done", out);
        rename(out, done);
    }
    return NULL;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int index = 0; index < argc; index++) {
        if (!strncmp(argv[index], "orders=", 7))
            orders = strdup(argv[index] + 7);
        else if (!strncmp(argv[index], "out=", 4))
            out = strdup(argv[index] + 4);
    }
    pthread_t thread;
    if (!orders || !out || pthread_create(&thread, NULL, listens, NULL))
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
