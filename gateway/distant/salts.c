/* SPDX-License-Identifier: ISC */
#include "distant/salts.h"

#include <stdlib.h>

#include "crypto/salt.h"

enum { SMALLEST = 16 };

static size_t place(const uint8_t key[16], size_t capacity, uint64_t salt)
{
    return (size_t)siphash24(key, &salt, sizeof salt) & (capacity - 1);
}

/* The slot that holds the salt, or the free one where it belongs. The table is never full. */
static size_t find(const struct salt_table *table, const uint8_t key[16], uint64_t salt)
{
    size_t at = place(key, table->capacity, salt);
    while (table->slots[at] != 0 && table->slots[at] != salt)
        at = (at + 1) & (table->capacity - 1);
    return at;
}

static bool has(const struct salt_table *table, const uint8_t key[16], uint64_t salt)
{
    if (salt == 0)
        return table->zero;
    return table->capacity > 0 && table->slots[find(table, key, salt)] == salt;
}

static bool grow(struct salt_table *table, const uint8_t key[16])
{
    struct salt_table larger = *table;
    larger.capacity = table->capacity == 0 ? SMALLEST : table->capacity * 2;
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->slots[i] != 0)
            larger.slots[find(&larger, key, table->slots[i])] = table->slots[i];
    }
    free(table->slots);
    *table = larger;
    return true;
}

static bool add(struct salt_table *table, const uint8_t key[16], uint64_t salt)
{
    if (has(table, key, salt))
        return true;
    if (salt == 0) {
        table->zero = true;
    } else {
        if (table->count >= table->capacity / 2 && !grow(table, key))
            return false;
        table->slots[find(table, key, salt)] = salt;
    }
    table->count++;
    return true;
}

void salts_init(struct salts *salts, const struct random_source *random)
{
    *salts = (struct salts){0};
    random->fill(random->state, salts->key, sizeof salts->key);
}

void salts_free(struct salts *salts)
{
    free(salts->lasting.slots);
    free(salts->passing[0].slots);
    free(salts->passing[1].slots);
    *salts = (struct salts){0};
}

bool salts_seen(const struct salts *salts, uint64_t salt)
{
    return has(&salts->lasting, salts->key, salt) || has(&salts->passing[0], salts->key, salt) ||
           has(&salts->passing[1], salts->key, salt);
}

bool salts_keep(struct salts *salts, uint64_t salt)
{
    return add(&salts->lasting, salts->key, salt);
}

bool salts_note(struct salts *salts, uint64_t salt)
{
    if (salts->passing[0].count >= SALTS_PASSING) {
        free(salts->passing[1].slots);
        salts->passing[1] = salts->passing[0];
        salts->passing[0] = (struct salt_table){0};
    }
    return add(&salts->passing[0], salts->key, salt);
}

size_t salts_kept(const struct salts *salts)
{
    return salts->lasting.count;
}
