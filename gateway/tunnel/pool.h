/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TUNNEL_POOL_H
#define RETROGATE_TUNNEL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Records of one size, named by 32-bit handles (half of a pointer) and never moved. The n-th block holds 64
 * << n records, so a small router is small, and a handle is found without a table of blocks that grows. */
enum { POOL_FIRST = 64, POOL_BLOCKS = 20 };

struct pool {
    uint8_t *blocks[POOL_BLOCKS];
    size_t record_size; /* at least 4 */
    uint32_t limit;     /* most records taken at a time */
    uint32_t taken;
    uint32_t fresh;    /* handles above this were never used */
    uint32_t returned; /* head of the chain of returned handles */
};

void pool_init(struct pool *pool, size_t record_size, size_t limit);
void pool_free(struct pool *pool);
/* A zeroed record; 0 when the limit is reached or memory is out. */
uint32_t pool_take(struct pool *pool);
void pool_return(struct pool *pool, uint32_t handle);

static inline void *pool_at(const struct pool *pool, uint32_t handle)
{
    uint32_t position = handle - 1;
    unsigned block = 31U - (unsigned)__builtin_clz(position / POOL_FIRST + 1);
    size_t within = position - POOL_FIRST * ((1U << block) - 1);
    return pool->blocks[block] + within * pool->record_size;
}

/* Doubly linked lists of records of one pool. `at` gives the links of a node; given as a constant, it is
 * inlined. */
struct links {
    uint32_t previous;
    uint32_t next;
};

struct list {
    uint32_t first;
    uint32_t last;
    uint32_t count;
};

typedef struct links *links_at(const struct pool *pool, uint32_t node);

static inline void list_append(struct list *list, const struct pool *pool, links_at *at, uint32_t node)
{
    *at(pool, node) = (struct links){.previous = list->last};
    if (list->last != 0)
        at(pool, list->last)->next = node;
    else
        list->first = node;
    list->last = node;
    list->count++;
}

static inline void list_remove(struct list *list, const struct pool *pool, links_at *at, uint32_t node)
{
    struct links links = *at(pool, node);
    if (links.previous != 0)
        at(pool, links.previous)->next = links.next;
    else
        list->first = links.next;
    if (links.next != 0)
        at(pool, links.next)->previous = links.previous;
    else
        list->last = links.previous;
    list->count--;
}

#endif
