/* SPDX-License-Identifier: ISC */
#include "tunnel/pool.h"

#include <stdlib.h>
#include <string.h>

void pool_init(struct pool *pool, size_t record_size, size_t limit)
{
    const size_t most = (size_t)POOL_FIRST * ((1U << POOL_BLOCKS) - 1);
    *pool = (struct pool){.record_size = record_size, .limit = (uint32_t)(limit < most ? limit : most)};
}

void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < POOL_BLOCKS; i++)
        free(pool->blocks[i]);
    pool_init(pool, pool->record_size, pool->limit);
}

static bool block_for(struct pool *pool, uint32_t position)
{
    unsigned block = 31U - (unsigned)__builtin_clz(position / POOL_FIRST + 1);
    if (pool->blocks[block] == NULL) {
        size_t size = ((size_t)POOL_FIRST << block) * pool->record_size;
        pool->blocks[block] = malloc(size);
    }
    return pool->blocks[block] != NULL;
}

uint32_t pool_take(struct pool *pool)
{
    if (pool->taken >= pool->limit)
        return 0;
    uint32_t handle = pool->returned;
    if (handle != 0) {
        memcpy(&pool->returned, pool_at(pool, handle), sizeof pool->returned);
    } else {
        if (!block_for(pool, pool->fresh))
            return 0;
        handle = ++pool->fresh;
    }
    pool->taken++;
    memset(pool_at(pool, handle), 0, pool->record_size);
    return handle;
}

void pool_return(struct pool *pool, uint32_t handle)
{
    memcpy(pool_at(pool, handle), &pool->returned, sizeof pool->returned);
    pool->returned = handle;
    pool->taken--;
}
