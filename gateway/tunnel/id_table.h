/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TUNNEL_ID_TABLE_H
#define RETROGATE_TUNNEL_ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 32-bit ids to handles: open addressing, linear probing, at most 3/4 full. A cell may be larger than its
 * head, so that what is needed with the id is found in the same cache line. Strangers choose the ids, so
 * cells are picked by a mix with a secret key. uthash would cost 56 bytes an entry and two more cache misses.
 */
struct id_cell {
    uint32_t id;
    uint32_t handle; /* 0: free */
};

struct id_table {
    uint8_t *cells;
    uint32_t cell_size;
    uint32_t mask;
    uint32_t count;
    uint64_t key[2];
};

/* `cell_size` is that of a struct whose first member is an id_cell: a power of two, 64 at most, so that no
 * cell stands in two cache lines. */
void id_table_init(struct id_table *table, size_t cell_size, const uint64_t key[2]);
void id_table_free(struct id_table *table);
/* The id must not be in the table; the handle is not 0. The cell, zero but for its head; NULL without memory:
 * nothing changed. Cells move with every add and remove. */
struct id_cell *id_table_add(struct id_table *table, uint32_t id, uint32_t handle);
void id_table_remove(struct id_table *table, uint32_t id);

static inline struct id_cell *id_table_at(const struct id_table *table, uint32_t position)
{
    return (struct id_cell *)(table->cells + (size_t)position * table->cell_size);
}

/* Where the search for an id begins. */
static inline uint32_t id_table_home(const struct id_table *table, uint32_t id)
{
    uint64_t mixed = (id ^ table->key[0]) * (table->key[1] | 1);
    mixed ^= mixed >> 32;
    mixed *= 0x9e3779b97f4a7c15U;
    return (uint32_t)(mixed >> 32) & table->mask;
}

/* NULL: not there. */
static inline struct id_cell *id_table_cell(const struct id_table *table, uint32_t id)
{
    if (table->cells == NULL)
        return NULL;
    for (uint32_t at = id_table_home(table, id);; at = (at + 1) & table->mask) {
        struct id_cell *cell = id_table_at(table, at);
        if (cell->handle == 0)
            return NULL;
        if (cell->id == id)
            return cell;
    }
}

/* 0: not there. */
static inline uint32_t id_table_find(const struct id_table *table, uint32_t id)
{
    const struct id_cell *cell = id_table_cell(table, id);
    return cell == NULL ? 0 : cell->handle;
}

#endif
