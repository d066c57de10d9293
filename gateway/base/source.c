/* SPDX-License-Identifier: ISC */
#include "base/source.h"

#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

static void fill_system(void *state, void *into, size_t size)
{
    (void)state;
    uint8_t *at = into;
    while (size > 0) {
        int piece = size > 4096 ? 4096 : (int)size;
        /* Going on without randomness would be worse than not going on. */
        if (RAND_bytes(at, piece) != 1)
            fatal("the system's random generator failed");
        at += piece;
        size -= (size_t)piece;
    }
}

const struct random_source random_system = {fill_system, NULL};

static uint64_t rotate(uint64_t value, unsigned by)
{
    return value << by | value >> (64 - by);
}

static uint64_t seeded_next(struct random_seeded *state)
{
    uint64_t *s = state->words;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void fill_seeded(void *state, void *into, size_t size)
{
    uint8_t *at = into;
    while (size > 0) {
        uint64_t word = seeded_next(state);
        size_t piece = size < sizeof word ? size : sizeof word;
        memcpy(at, &word, piece);
        at += piece;
        size -= piece;
    }
}

struct random_source random_from_seed(struct random_seeded *state, uint64_t seed)
{
    /* splitmix64 spreads the seed, as the generator's authors advise. */
    for (size_t i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15U;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
        z = (z ^ z >> 27) * 0x94d049bb133111ebU;
        state->words[i] = z ^ z >> 31;
    }
    return (struct random_source){fill_seeded, state};
}

uint32_t random_u32(const struct random_source *source)
{
    uint32_t value;
    source->fill(source->state, &value, sizeof value);
    return value;
}

uint64_t random_u64(const struct random_source *source)
{
    uint64_t value;
    source->fill(source->state, &value, sizeof value);
    return value;
}

uint32_t random_below(const struct random_source *source, uint32_t bound)
{
    /* Values of the last, incomplete range would favour the low results. */
    uint32_t unusable = (uint32_t)(-bound) % bound;
    uint32_t value;
    do {
        value = random_u32(source);
    } while (value < unusable);
    return value % bound;
}

static struct timespec now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time;
}

uint64_t clock_monotonic_ms(void)
{
    struct timespec time = now(CLOCK_MONOTONIC);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    struct timespec time = now(CLOCK_REALTIME);
    return (int64_t)time.tv_sec * 1000 + (int64_t)time.tv_nsec / 1000000;
}
