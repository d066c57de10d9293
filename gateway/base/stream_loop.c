/* SPDX-License-Identifier: ISC */
#include "base/stream_internal.h"

#include <stdlib.h>

#include "base/map.h"

/* Loops may run in threads of their own; each is looked up when a stream opens and forgotten with its last
 * stream. */
static uv_mutex_t lock;
static uv_once_t lock_once = UV_ONCE_INIT;
static struct stream_loop *loops;

static void lock_make(void)
{
    if (uv_mutex_init(&lock) != 0)
        abort();
}

static void on_turn_end(uv_prepare_t *prepare)
{
    struct stream_loop *shared = prepare->data;
    struct stream *stream = NULL;
    /* Reading first: what it makes others write then leaves with this turn. */
    DL_FOREACH(shared->visits, stream)
    {
        if (stream->hungry)
            stream_feed(stream);
    }
    struct stream *visits = shared->visits;
    shared->visits = NULL;
    while (visits != NULL) {
        stream = visits;
        DL_DELETE(visits, stream);
        stream->listed = false;
        stream_visit(stream);
    }
    if (shared->visits == NULL)
        uv_idle_stop(&shared->idle);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void on_closed(uv_handle_t *handle)
{
    struct stream_loop *shared = handle->data;
    if (--shared->handles > 0)
        return;
    while (shared->spares > 0)
        buffer_free(&shared->spare[--shared->spares]);
    free(shared);
}

struct stream_loop *stream_loop_get(uv_loop_t *loop)
{
    uv_once(&lock_once, lock_make);
    uv_mutex_lock(&lock);
    struct stream_loop *shared = loops;
    while (shared != NULL && shared->loop != loop)
        shared = shared->next;
    if (shared == NULL && (shared = calloc(1, sizeof *shared)) != NULL) {
        shared->loop = loop;
        shared->handles = 2;
        shared->prepare.data = shared->idle.data = shared;
        uv_prepare_init(loop, &shared->prepare);
        uv_prepare_start(&shared->prepare, on_turn_end);
        uv_idle_init(loop, &shared->idle);
        LL_PREPEND(loops, shared);
    }
    if (shared != NULL)
        shared->streams++;
    uv_mutex_unlock(&lock);
    return shared;
}

void stream_loop_put(struct stream_loop *shared)
{
    if (--shared->streams > 0)
        return;
    uv_mutex_lock(&lock);
    LL_DELETE(loops, shared);
    uv_mutex_unlock(&lock);
    uv_close((uv_handle_t *)&shared->prepare, on_closed);
    uv_close((uv_handle_t *)&shared->idle, on_closed);
}

void stream_mark(struct stream *stream)
{
    if (stream->listed)
        return;
    stream->listed = true;
    DL_APPEND(stream->shared->visits, stream);
    /* A mark made by the end of a turn needs another turn at once. */
    uv_idle_start(&stream->shared->idle, on_idle);
}

void stream_unmark(struct stream *stream)
{
    if (stream->listed)
        DL_DELETE(stream->shared->visits, stream);
    stream->listed = false;
}

struct buffer stream_chunk_spare(struct stream_loop *shared)
{
    return shared->spares > 0 ? shared->spare[--shared->spares] : buffer_make(STREAM_CHUNK);
}

struct buffer stream_chunk_take(struct stream_loop *shared)
{
    struct buffer chunk = stream_chunk_spare(shared);
    if (chunk.memory == NULL && buffer_reserve(&chunk, STREAM_CHUNK) == NULL)
        buffer_free(&chunk);
    return chunk;
}

void stream_chunk_give(struct stream_loop *shared, struct buffer *chunk)
{
    size_t most = sizeof shared->spare / sizeof *shared->spare;
    if (chunk->capacity > STREAM_CHUNK && chunk->capacity <= 2 * STREAM_CHUNK && shared->spares < most) {
        buffer_clear(chunk);
        shared->spare[shared->spares++] = *chunk;
        *chunk = buffer_make(chunk->ceiling);
    } else {
        buffer_free(chunk);
    }
}
