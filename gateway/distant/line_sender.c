/* SPDX-License-Identifier: ISC */
#include "distant/line_sender.h"

#include <stdlib.h>
#include <string.h>

#include "wire/sealed.h"

enum { SMALLEST = 16 };
static const uint64_t NEVER = UINT64_MAX;
static const uint64_t JUMP_MOST = UINT64_C(1) << 32; /* SEALED.md §7 */

struct entry {
    uint64_t number;
    uint64_t line; /* 0: a void, or not committed yet */
    int64_t time;
    uint8_t *text; /* NULL: none, or acknowledged */
    size_t size;   /* counted in `bytes` while not acknowledged */
    bool awaited;  /* its commit is under way */
};

/* A ring, ascending by number. A number without an entry is a void: of an earlier run and not put again, or
 * passed over by an acknowledgement from the future. Acknowledged ones stay until line_sender_delivered()
 * took them. */
struct line_sender {
    struct entry *ring;
    size_t capacity; /* a power of two, or 0 */
    size_t head, count;
    size_t bytes;

    uint64_t restored; /* numbers up to it are of an earlier run */
    bool started;      /* those of them without an entry are void */
    uint64_t assigned;
    uint64_t base;   /* lowest not acknowledged */
    uint64_t cursor; /* next to be sent; what lies between base and it is in flight */
    uint64_t sent;   /* highest ever sent */

    uint64_t timer; /* NEVER: nothing is in flight */
    uint64_t timed; /* the number whose round trip is measured; 0: none */
    uint64_t timed_at;
    uint64_t smoothed; /* round trip, in eighths of ms; 0: not measured yet */
    unsigned doubled;
};

struct line_sender *line_sender_new(uint64_t assigned, uint64_t acked)
{
    struct line_sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL)
        return NULL;
    if (assigned < acked)
        assigned = acked;
    sender->restored = sender->assigned = sender->sent = assigned;
    sender->base = sender->cursor = acked + 1;
    sender->timer = NEVER;
    return sender;
}

static struct entry *entry_at(const struct line_sender *sender, size_t index)
{
    return &sender->ring[(sender->head + index) & (sender->capacity - 1)];
}

void line_sender_free(struct line_sender *sender)
{
    if (sender == NULL)
        return;
    for (size_t i = 0; i < sender->count; i++)
        free(entry_at(sender, i)->text);
    free(sender->ring);
    free(sender);
}

/* The index of the first entry whose number is not lower. */
static size_t find(const struct line_sender *sender, uint64_t number)
{
    size_t low = 0, high = sender->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry_at(sender, middle)->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *find_exact(const struct line_sender *sender, uint64_t number)
{
    size_t index = find(sender, number);
    if (index == sender->count || entry_at(sender, index)->number != number)
        return NULL;
    return entry_at(sender, index);
}

static bool grow(struct line_sender *sender)
{
    size_t capacity = sender->capacity == 0 ? SMALLEST : sender->capacity * 2;
    struct entry *ring = calloc(capacity, sizeof *ring);
    if (ring == NULL)
        return false;
    for (size_t i = 0; i < sender->count; i++)
        ring[i] = *entry_at(sender, i);
    free(sender->ring);
    sender->ring = ring;
    sender->capacity = capacity;
    sender->head = 0;
    return true;
}

static struct entry *push(struct line_sender *sender, uint64_t number)
{
    if (sender->count == sender->capacity && !grow(sender))
        return NULL;
    struct entry *entry = entry_at(sender, sender->count++);
    *entry = (struct entry){.number = number};
    return entry;
}

static void pop(struct line_sender *sender)
{
    sender->head = (sender->head + 1) & (sender->capacity - 1);
    if (--sender->count > 0)
        return;
    free(sender->ring); /* most routes are silent most of the time */
    sender->ring = NULL;
    sender->capacity = sender->head = 0;
}

static void release(struct line_sender *sender, struct entry *entry)
{
    free(entry->text);
    entry->text = NULL;
    sender->bytes -= entry->size;
    entry->size = 0;
}

size_t line_sender_room(const struct line_sender *sender, size_t size)
{
    uint64_t open = sender->assigned + 1 - sender->base;
    size_t held =
        open > sender->count ? (size_t)(open < LINE_WINDOW_LINES ? open : LINE_WINDOW_LINES) : sender->count;
    if (held >= LINE_WINDOW_LINES)
        return 0;
    size_t lines = LINE_WINDOW_LINES - held;
    uint64_t numbers = SEALED_NUMBER_MAX - sender->assigned;
    if (numbers < lines)
        lines = (size_t)numbers;
    size_t left = sender->bytes < LINE_WINDOW_BYTES ? LINE_WINDOW_BYTES - sender->bytes : 0;
    size_t fit = size == 0 ? lines : left / size;
    if (fit == 0 && sender->bytes == 0)
        fit = 1;
    return fit < lines ? fit : lines;
}

uint64_t line_sender_assign(struct line_sender *sender, size_t size)
{
    if (line_sender_room(sender, size) == 0)
        return 0;
    struct entry *entry = push(sender, sender->assigned + 1);
    if (entry == NULL)
        return 0;
    sender->started = true;
    entry->awaited = true;
    entry->size = size;
    sender->bytes += size;
    return ++sender->assigned;
}

/* The awaited entry of this number. For a line of an earlier run it is made here. */
static struct entry *awaited(struct line_sender *sender, uint64_t number)
{
    struct entry *entry = find_exact(sender, number);
    if (entry != NULL)
        return entry->awaited ? entry : NULL;
    bool in_order = sender->count == 0 || entry_at(sender, sender->count - 1)->number < number;
    if (sender->started || number == 0 || number > sender->restored || !in_order)
        return NULL;
    entry = push(sender, number);
    if (entry != NULL)
        entry->awaited = true;
    return entry;
}

bool line_sender_put(struct line_sender *sender, uint64_t number, uint64_t line, int64_t time,
                     struct bytes text)
{
    uint8_t *copy = malloc(text.size > 0 ? text.size : 1);
    struct entry *entry = copy == NULL ? NULL : awaited(sender, number);
    if (entry == NULL) {
        free(copy);
        return false;
    }
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    release(sender, entry);
    entry->line = line;
    entry->time = time;
    entry->text = copy;
    entry->size = text.size;
    sender->bytes += text.size;
    entry->awaited = false;
    if (number < sender->base)
        release(sender, entry);
    return true;
}

void line_sender_void(struct line_sender *sender, uint64_t number)
{
    struct entry *entry = find_exact(sender, number);
    if (entry == NULL || !entry->awaited)
        return;
    release(sender, entry);
    entry->awaited = false;
}

/* Twice the smoothed round trip, doubled with each failure. */
static uint64_t patience(const struct line_sender *sender)
{
    uint64_t ms = sender->smoothed / 4;
    ms = ms < LINE_AGAIN_LEAST_MS ? LINE_AGAIN_LEAST_MS : ms;
    ms = ms > LINE_AGAIN_MOST_MS ? LINE_AGAIN_MOST_MS : ms << sender->doubled;
    return ms > LINE_AGAIN_MOST_MS ? LINE_AGAIN_MOST_MS : ms;
}

static void measure(struct line_sender *sender, uint64_t round_trip)
{
    sender->smoothed =
        sender->smoothed == 0 ? round_trip * 8 : sender->smoothed - sender->smoothed / 8 + round_trip;
    sender->doubled = 0;
}

bool line_sender_ack(struct line_sender *sender, uint64_t ack, uint64_t now)
{
    if (ack > sender->assigned && (ack - sender->assigned > JUMP_MOST || ack > SEALED_NUMBER_MAX))
        return false;
    if (ack < sender->base)
        return true;
    for (size_t i = find(sender, sender->base); i < sender->count; i++) {
        struct entry *entry = entry_at(sender, i);
        if (entry->number > ack)
            break;
        release(sender, entry);
    }
    if (sender->timed != 0 && sender->timed <= ack) {
        measure(sender, now - sender->timed_at);
        sender->timed = 0;
    }
    sender->base = ack + 1;
    if (sender->assigned < ack)
        sender->assigned =
            ack < SEALED_NUMBER_MAX - LINE_WINDOW_LINES ? ack + LINE_WINDOW_LINES : SEALED_NUMBER_MAX;
    if (sender->sent < ack)
        sender->sent = ack;
    if (sender->cursor < sender->base)
        sender->cursor = sender->base;
    sender->timer = sender->cursor > sender->base ? now + patience(sender) : NEVER;
    return true;
}

bool line_sender_delivered(struct line_sender *sender, uint64_t *line)
{
    while (sender->count > 0) {
        const struct entry *entry = entry_at(sender, 0);
        if (entry->number >= sender->base || entry->awaited)
            return false;
        *line = entry->line;
        pop(sender);
        if (*line != 0)
            return true;
    }
    return false;
}

bool line_sender_next(struct line_sender *sender, uint64_t now, struct sent_line *out)
{
    uint64_t number = sender->cursor;
    if (number > sender->assigned || number - sender->base >= LINE_WINDOW_LINES)
        return false;
    sender->started = true;
    *out = (struct sent_line){.number = number};
    const struct entry *entry = find_exact(sender, number);
    if (entry != NULL) {
        if (entry->awaited)
            return false;
        out->line = entry->line;
        out->time = entry->time;
        out->text = bytes_of(entry->text, entry->size);
    }
    if (number > sender->sent) {
        sender->sent = number;
        if (sender->timed == 0) {
            sender->timed = number;
            sender->timed_at = now;
        }
    }
    if (sender->timer == NEVER)
        sender->timer = now + patience(sender);
    sender->cursor++;
    return true;
}

static void rewind_to_base(struct line_sender *sender)
{
    sender->cursor = sender->base;
    sender->timer = NEVER;
    sender->timed = 0;
}

void line_sender_again(struct line_sender *sender)
{
    rewind_to_base(sender);
    sender->doubled = 0;
}

bool line_sender_tick(struct line_sender *sender, uint64_t now)
{
    if (now < sender->timer)
        return false;
    rewind_to_base(sender);
    if (patience(sender) < LINE_AGAIN_MOST_MS)
        sender->doubled++;
    return true;
}

uint64_t line_sender_deadline(const struct line_sender *sender)
{
    return sender->timer;
}

uint64_t line_sender_base(const struct line_sender *sender)
{
    return sender->base < SEALED_NUMBER_MAX ? sender->base : SEALED_NUMBER_MAX;
}

uint64_t line_sender_assigned(const struct line_sender *sender)
{
    return sender->assigned;
}

size_t line_sender_unacknowledged(const struct line_sender *sender)
{
    return (size_t)(sender->assigned + 1 - sender->base);
}

bool line_sender_drain(struct line_sender *sender, uint64_t *line)
{
    while (sender->count > 0) {
        struct entry *entry = entry_at(sender, 0);
        *line = entry->number < sender->base ? 0 : entry->line;
        release(sender, entry);
        pop(sender);
        if (*line != 0)
            return true;
    }
    sender->started = true;
    sender->base = sender->assigned + 1;
    rewind_to_base(sender);
    return false;
}
