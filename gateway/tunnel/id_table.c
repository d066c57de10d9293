/* SPDX-License-Identifier: ISC */
#include "tunnel/id_table.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CELLS = 16, CACHE_LINE = 64 };

void id_table_init(struct id_table *table, size_t cell_size, const uint64_t key[2])
{
    *table = (struct id_table){.cell_size = (uint32_t)cell_size, .key = {key[0], key[1]}};
}

void id_table_free(struct id_table *table)
{
    free(table->cells);
    table->cells = NULL;
}

static struct id_cell *free_cell(const struct id_table *table, uint32_t id)
{
    uint32_t at = id_table_home(table, id);
    while (id_table_at(table, at)->handle != 0)
        at = (at + 1) & table->mask;
    return id_table_at(table, at);
}

static bool grow(struct id_table *table)
{
    struct id_table old = *table;
    size_t old_count = old.cells == NULL ? 0 : (size_t)old.mask + 1;
    size_t count = old_count == 0 ? FIRST_CELLS : old_count * 2;
    if (count > (size_t)UINT32_MAX / 2)
        return false;
    uint8_t *cells = aligned_alloc(CACHE_LINE, count * table->cell_size);
    if (cells == NULL)
        return false;
    memset(cells, 0, count * table->cell_size);
    table->cells = cells;
    table->mask = (uint32_t)count - 1;
    for (uint32_t i = 0; i < old_count; i++) {
        const struct id_cell *cell = id_table_at(&old, i);
        if (cell->handle != 0)
            memcpy(free_cell(table, cell->id), cell, table->cell_size);
    }
    free(old.cells);
    return true;
}

struct id_cell *id_table_add(struct id_table *table, uint32_t id, uint32_t handle)
{
    if (table->cells == NULL || table->count + 1 > table->mask / 4 * 3) {
        if (!grow(table))
            return NULL;
    }
    struct id_cell *cell = free_cell(table, id);
    *cell = (struct id_cell){id, handle};
    table->count++;
    return cell;
}

/* Moves later cells of the run back instead of leaving a mark: finding stays short however often ids change.
 */
void id_table_remove(struct id_table *table, uint32_t id)
{
    struct id_cell *hole = id_table_cell(table, id);
    if (hole == NULL)
        return;
    uint32_t hole_at = (uint32_t)((size_t)((uint8_t *)hole - table->cells) / table->cell_size);
    for (uint32_t at = (hole_at + 1) & table->mask;; at = (at + 1) & table->mask) {
        struct id_cell *cell = id_table_at(table, at);
        if (cell->handle == 0)
            break;
        uint32_t home = id_table_home(table, cell->id);
        if (((at - home) & table->mask) >= ((at - hole_at) & table->mask)) {
            memcpy(hole, cell, table->cell_size);
            hole = cell;
            hole_at = at;
        }
    }
    memset(hole, 0, table->cell_size);
    table->count--;
}
