/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TUNNEL_ID_TABLE_H
#define RETROGATE_TUNNEL_ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 32-bit ids to handles: open addressing, linear probing, 8 bytes a cell, at most 3/4 full. Strangers choose
 * the ids, so cells are picked by a mix with a secret key. uthash would cost 56 bytes an entry and two more
 * cache misses. */
struct id_cell {
    uint32_t id;
    uint32_t handle; /* 0: free */
};

struct id_table {
    struct id_cell *cells;
    uint32_t mask;
    uint32_t count;
    uint64_t key[2];
};

void id_table_init(struct id_table *table, const uint64_t key[2]);
void id_table_free(struct id_table *table);
/* The id must not be in the table; the handle is not 0. False without memory: nothing changed. */
bool id_table_add(struct id_table *table, uint32_t id, uint32_t handle);
void id_table_remove(struct id_table *table, uint32_t id);

static inline uint32_t id_table_cell(const struct id_table *table, uint32_t id)
{
    uint64_t mixed = (id ^ table->key[0]) * (table->key[1] | 1);
    mixed ^= mixed >> 32;
    mixed *= 0x9e3779b97f4a7c15U;
    return (uint32_t)(mixed >> 32) & table->mask;
}

/* 0: not there. */
static inline uint32_t id_table_find(const struct id_table *table, uint32_t id)
{
    if (table->cells == NULL)
        return 0;
    for (uint32_t at = id_table_cell(table, id);; at = (at + 1) & table->mask) {
        const struct id_cell *cell = &table->cells[at];
        if (cell->handle == 0 || cell->id == id)
            return cell->handle;
    }
}

#endif
