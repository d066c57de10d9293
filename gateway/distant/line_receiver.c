/* SPDX-License-Identifier: ISC */
#include "distant/line_receiver.h"

#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 16 };

struct slot {
    uint64_t number; /* 0: free */
    int64_t time;
    uint8_t *text; /* NULL: a void, or handed over */
    size_t size;
};

/* stored <= handed. Slots lie at number modulo capacity, for numbers above `stored`; those up to `handed`
 * only keep their size. */
struct line_receiver {
    struct slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count, bytes;
    uint64_t stored;
    uint64_t handed;
    uint64_t lost;    /* nothing up to it will come any more */
    uint64_t refused; /* after a failure: answers up to this number do not count; 0: they do */
    uint8_t *lent;    /* the text that the owner looks at */
};

struct line_receiver *line_receiver_new(uint64_t stored)
{
    struct line_receiver *receiver = calloc(1, sizeof *receiver);
    if (receiver != NULL)
        receiver->stored = receiver->handed = stored;
    return receiver;
}

static void drop(struct line_receiver *receiver, struct slot *slot)
{
    receiver->bytes -= slot->size;
    receiver->count--;
    free(slot->text);
    *slot = (struct slot){0};
}

static void drop_all(struct line_receiver *receiver)
{
    for (size_t i = 0; i < receiver->capacity; i++) {
        if (receiver->slots[i].number != 0)
            drop(receiver, &receiver->slots[i]);
    }
}

static void shrink(struct line_receiver *receiver)
{
    if (receiver->count > 0)
        return;
    free(receiver->slots); /* most routes are silent most of the time */
    receiver->slots = NULL;
    receiver->capacity = 0;
}

void line_receiver_free(struct line_receiver *receiver)
{
    if (receiver == NULL)
        return;
    drop_all(receiver);
    free(receiver->slots);
    free(receiver->lent);
    free(receiver);
}

static struct slot *slot_of(const struct line_receiver *receiver, uint64_t number)
{
    return &receiver->slots[number & (receiver->capacity - 1)];
}

static bool has(const struct line_receiver *receiver, uint64_t number)
{
    return receiver->capacity > 0 && slot_of(receiver, number)->number == number;
}

static bool grow(struct line_receiver *receiver, size_t span)
{
    struct line_receiver larger = *receiver;
    if (larger.capacity == 0)
        larger.capacity = SMALLEST;
    while (larger.capacity < span)
        larger.capacity *= 2;
    if (larger.capacity == receiver->capacity)
        return true;
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < receiver->capacity; i++) {
        if (receiver->slots[i].number != 0)
            *slot_of(&larger, receiver->slots[i].number) = receiver->slots[i];
    }
    free(receiver->slots);
    *receiver = larger;
    return true;
}

bool line_receiver_take(struct line_receiver *receiver, uint64_t number, int64_t time, struct bytes text)
{
    uint64_t passed = receiver->lost > receiver->handed ? receiver->lost : receiver->handed;
    /* While a commit is under way the window begins at what is stored, else above the gap. */
    uint64_t origin = receiver->handed > receiver->stored ? receiver->stored : passed;
    if (number <= passed || number - origin > LINE_EARLY_LINES)
        return false;
    /* The later copy counts: an early one may be of a life that the sender lost. */
    if (has(receiver, number))
        drop(receiver, slot_of(receiver, number));
    bool fits = text.size <= LINE_EARLY_BYTES && receiver->bytes <= LINE_EARLY_BYTES - text.size;
    if (!fits && number != origin + 1)
        return false;
    uint8_t *copy = NULL;
    if (text.size > 0 && (copy = malloc(text.size)) == NULL)
        return false;
    if (!grow(receiver, (size_t)(number - origin))) {
        free(copy);
        return false;
    }
    if (copy != NULL)
        memcpy(copy, text.data, text.size);
    *slot_of(receiver, number) = (struct slot){number, time, copy, text.size};
    receiver->count++;
    receiver->bytes += text.size;
    return true;
}

static void drop_between(struct line_receiver *receiver, uint64_t above, uint64_t last)
{
    for (size_t i = 0; i < receiver->capacity; i++) {
        struct slot *slot = &receiver->slots[i];
        if (slot->number > above && slot->number <= last)
            drop(receiver, slot);
    }
    shrink(receiver);
}

void line_receiver_base(struct line_receiver *receiver, uint64_t base)
{
    if (base == 0 || base - 1 <= receiver->handed || base - 1 <= receiver->lost)
        return;
    receiver->lost = base - 1;
    drop_between(receiver, receiver->handed, receiver->lost);
}

void line_receiver_forget_early(struct line_receiver *receiver)
{
    drop_between(receiver, receiver->handed, UINT64_MAX);
}

bool line_receiver_next(struct line_receiver *receiver, struct received_line *out)
{
    free(receiver->lent);
    receiver->lent = NULL;
    if (receiver->refused != 0)
        return false;
    bool gap = receiver->lost > receiver->handed;
    uint64_t missing = gap ? receiver->lost - receiver->handed : 0;
    uint64_t number = receiver->handed + missing + 1;
    if (has(receiver, number)) {
        struct slot *slot = slot_of(receiver, number);
        *out = (struct received_line){number, slot->time, bytes_of(slot->text, slot->size), missing};
        receiver->lent = slot->text;
        slot->text = NULL;
    } else if (gap) {
        *out = (struct received_line){.number = receiver->lost, .missing = missing};
    } else {
        return false;
    }
    receiver->handed = out->number;
    return true;
}

/* Is this the answer to a line that was handed over? After one failed, those to the lines behind it are still
 * to come, and count for nothing. */
static bool is_awaited(struct line_receiver *receiver, uint64_t number)
{
    if (receiver->refused == 0)
        return number > receiver->stored && number <= receiver->handed;
    if (number >= receiver->refused)
        receiver->refused = 0;
    return false;
}

void line_receiver_stored(struct line_receiver *receiver, uint64_t number)
{
    if (!is_awaited(receiver, number))
        return;
    uint64_t span = number - receiver->stored;
    for (uint64_t i = 0; i < span && i < receiver->capacity; i++) {
        if (has(receiver, number - i))
            drop(receiver, slot_of(receiver, number - i));
    }
    receiver->stored = number;
    shrink(receiver);
}

void line_receiver_failed(struct line_receiver *receiver, uint64_t number)
{
    if (!is_awaited(receiver, number))
        return;
    /* Answers come in order, so everything handed over before this one is stored. */
    receiver->refused = number < receiver->handed ? receiver->handed : 0;
    receiver->handed = receiver->stored;
    drop_all(receiver);
    shrink(receiver);
}

uint64_t line_receiver_ack(const struct line_receiver *receiver)
{
    return receiver->stored;
}
