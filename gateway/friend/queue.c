/* SPDX-License-Identifier: ISC */
#include "friend/queue.h"

#include <stdlib.h>
#include <string.h>

struct chunk {
    struct chunk *next;
    size_t start, end, capacity;
    uint8_t bytes[]; /* records: size_t size, then the item */
};

/* With malloc's own header just under 16 KiB. */
enum { CHUNK_CAPACITY = 16384 - sizeof(struct chunk) - 16 };

struct level {
    struct chunk *head, *tail;
};

struct queue {
    size_t limit, size; /* of records */
    uint32_t counters[QUEUE_LEVELS];
    unsigned filled;
    struct level levels[QUEUE_LEVELS];
    struct chunk *spent; /* holds the item that queue_pop() gave last */
    struct chunk *spare; /* kept for the next push */
};

struct queue *queue_new(size_t limit)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (queue)
        queue->limit = limit;
    return queue;
}

static void chunks_free(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    for (size_t i = 0; i < QUEUE_LEVELS; i++)
        chunks_free(queue->levels[i].head);
    free(queue->spent);
    free(queue->spare);
    free(queue);
}

size_t queue_size(const struct queue *queue)
{
    return queue->size;
}

/* Gives back the chunk of the last popped item. */
static void reclaim(struct queue *queue)
{
    struct chunk *chunk = queue->spent;
    queue->spent = NULL;
    if (chunk && !queue->spare && chunk->capacity == CHUNK_CAPACITY)
        queue->spare = chunk;
    else
        free(chunk);
}

static struct chunk *chunk_for(struct queue *queue, size_t need)
{
    struct chunk *chunk = queue->spare;
    if (chunk && need <= CHUNK_CAPACITY) {
        queue->spare = NULL;
    } else {
        size_t capacity = need > CHUNK_CAPACITY ? need : CHUNK_CAPACITY;
        chunk = malloc(sizeof *chunk + capacity);
        if (!chunk)
            return NULL;
        chunk->capacity = capacity;
    }
    chunk->next = NULL;
    chunk->start = chunk->end = 0;
    return chunk;
}

bool queue_push(struct queue *queue, unsigned level, struct bytes item)
{
    reclaim(queue);
    if (level >= QUEUE_LEVELS)
        level = QUEUE_LEVELS - 1;
    size_t share = level == QUEUE_LEVELS - 1 ? queue->limit : queue->limit / 16 * (level + 7);
    size_t need = sizeof item.size + item.size;
    if (need < item.size || queue->size > share || need > share - queue->size)
        return false;

    struct level *into = &queue->levels[level];
    struct chunk *tail = into->tail;
    if (!tail || tail->capacity - tail->end < need) {
        struct chunk *chunk = chunk_for(queue, need);
        if (!chunk)
            return false;
        if (tail)
            tail->next = chunk;
        else
            into->head = chunk;
        into->tail = tail = chunk;
    }
    memcpy(tail->bytes + tail->end, &item.size, sizeof item.size);
    if (item.size)
        memcpy(tail->bytes + tail->end + sizeof item.size, item.data, item.size);
    tail->end += need;
    queue->size += need;
    queue->filled |= 1u << level;
    return true;
}

unsigned queue_pick(uint32_t counters[QUEUE_LEVELS], unsigned filled)
{
    unsigned top = QUEUE_LEVELS - 1;
    while (top > 0 && !(filled >> top & 1))
        top--;
    uint32_t increment = top == QUEUE_LEVELS - 1 ? 1 : 2;
    unsigned served = top;
    for (unsigned level = top + 1; level-- > 0;) {
        if (!(filled >> level & 1))
            continue;
        uint32_t threshold = UINT32_C(1) << (QUEUE_LEVELS - 1 - level);
        counters[level] += increment;
        if (counters[level] >= threshold) {
            counters[level] -= threshold;
            served = level;
        }
    }
    return served;
}

bool queue_pop(struct queue *queue, struct bytes *item)
{
    reclaim(queue);
    if (!queue->filled)
        return false;
    unsigned served = queue_pick(queue->counters, queue->filled);
    struct level *from = &queue->levels[served];
    struct chunk *head = from->head;

    size_t size;
    memcpy(&size, head->bytes + head->start, sizeof size);
    *item = bytes_of(head->bytes + head->start + sizeof size, size);
    head->start += sizeof size + size;
    queue->size -= sizeof size + size;
    if (head->start == head->end) {
        from->head = head->next;
        if (!from->head) {
            from->tail = NULL;
            queue->filled &= ~(1u << served);
        }
        queue->spent = head;
    }
    return true;
}
