/* SPDX-License-Identifier: ISC */
#include "distant/chat_internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

/* The owner takes all outputs after each call, and no call makes more than a full queue of lines does. */
enum { OUTPUTS_LIMIT = 16384 };

static struct bytes copy(uint8_t **at, struct bytes bytes)
{
    struct bytes kept = {*at, bytes.size};
    if (bytes.size > 0)
        memcpy(*at, bytes.data, bytes.size);
    *at += bytes.size;
    return kept;
}

/* Keys and texts pass through here. */
void chat_output_free(struct output *output)
{
    if (output == NULL)
        return;
    if (output->value.secret.size > 0)
        OPENSSL_cleanse((void *)(uintptr_t)output->value.secret.data, output->value.secret.size);
    free(output);
}

bool chat_output_add(struct output_queue *queue, const struct chat_output *value)
{
    if (queue->count >= OUTPUTS_LIMIT)
        return false;
    size_t salts_size = value->salt_count * sizeof *value->salts;
    struct output *output =
        malloc(sizeof *output + salts_size + value->payload.size + value->text.size + value->secret.size);
    if (output == NULL)
        return false;
    output->value = *value;
    uint8_t *at = (uint8_t *)output->data;
    output->value.salts = output->data;
    copy(&at, bytes_of(value->salts, salts_size));
    output->value.payload = copy(&at, value->payload);
    output->value.text = copy(&at, value->text);
    output->value.secret = copy(&at, value->secret);
    DL_APPEND(queue->head, output);
    queue->count++;
    return true;
}

void chat_outputs_move(struct output_queue *to, struct output_queue *from)
{
    DL_CONCAT(to->head, from->head);
    to->count += from->count;
    *from = (struct output_queue){0};
}

void chat_outputs_drop(struct output_queue *queue)
{
    struct output *output, *next;
    DL_FOREACH_SAFE(queue->head, output, next)
    {
        chat_output_free(output);
    }
    *queue = (struct output_queue){0};
}

bool chat_put(struct chat *chat, const struct chat_output *value)
{
    return chat_output_add(&chat->outputs, value);
}

bool chat_next(struct chat *chat, struct chat_output *out)
{
    chat_output_free(chat->taken);
    struct output *output = chat->taken = chat->outputs.head;
    if (output == NULL)
        return false;
    DL_DELETE(chat->outputs.head, output);
    chat->outputs.count--;
    *out = output->value;
    return true;
}
