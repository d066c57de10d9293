/* SPDX-License-Identifier: ISC */
#include "tunnel/id_table.h"

#include <stdlib.h>

enum { FIRST_CELLS = 16 };

void id_table_init(struct id_table *table, const uint64_t key[2])
{
    *table = (struct id_table){.key = {key[0], key[1]}};
}

void id_table_free(struct id_table *table)
{
    free(table->cells);
    table->cells = NULL;
}

static void put(struct id_table *table, struct id_cell cell)
{
    uint32_t at = id_table_cell(table, cell.id);
    while (table->cells[at].handle != 0)
        at = (at + 1) & table->mask;
    table->cells[at] = cell;
}

static bool grow(struct id_table *table)
{
    size_t old_size = table->cells == NULL ? 0 : (size_t)table->mask + 1;
    size_t size = old_size == 0 ? FIRST_CELLS : old_size * 2;
    if (size > (size_t)UINT32_MAX / 2)
        return false;
    struct id_cell *old = table->cells;
    struct id_cell *cells = calloc(size, sizeof *cells);
    if (cells == NULL)
        return false;
    table->cells = cells;
    table->mask = (uint32_t)size - 1;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].handle != 0)
            put(table, old[i]);
    }
    free(old);
    return true;
}

bool id_table_add(struct id_table *table, uint32_t id, uint32_t handle)
{
    if (table->cells == NULL || table->count + 1 > table->mask / 4 * 3) {
        if (!grow(table))
            return false;
    }
    put(table, (struct id_cell){id, handle});
    table->count++;
    return true;
}

/* Moves later cells of the run back instead of leaving a mark: finding stays short however often ids change.
 */
void id_table_remove(struct id_table *table, uint32_t id)
{
    if (id_table_find(table, id) == 0)
        return;
    uint32_t hole = id_table_cell(table, id);
    while (table->cells[hole].id != id)
        hole = (hole + 1) & table->mask;
    for (uint32_t at = (hole + 1) & table->mask; table->cells[at].handle != 0; at = (at + 1) & table->mask) {
        uint32_t home = id_table_cell(table, table->cells[at].id);
        if (((at - home) & table->mask) >= ((at - hole) & table->mask)) {
            table->cells[hole] = table->cells[at];
            hole = at;
        }
    }
    table->cells[hole] = (struct id_cell){0};
    table->count--;
}
