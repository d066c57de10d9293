/* SPDX-License-Identifier: ISC */
#include "base/sip.h"

#include <string.h>

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t value, unsigned by)
{
    return value << by | value >> (64 - by);
}

static void rounds(struct sip *s, unsigned count)
{
    while (count-- > 0) {
        s->a += s->b;
        s->b = rotate(s->b, 13) ^ s->a;
        s->a = rotate(s->a, 32);
        s->c += s->d;
        s->d = rotate(s->d, 16) ^ s->c;
        s->a += s->d;
        s->d = rotate(s->d, 21) ^ s->a;
        s->c += s->b;
        s->b = rotate(s->b, 17) ^ s->c;
        s->c = rotate(s->c, 32);
    }
}

static uint64_t little_endian(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

uint64_t sip_hash(const uint8_t key[16], const void *data, size_t size, unsigned c, unsigned d)
{
    uint64_t k0 = little_endian(key, 8), k1 = little_endian(key + 8, 8);
    struct sip s = {k0 ^ 0x736f6d6570736575U, k1 ^ 0x646f72616e646f6dU, k0 ^ 0x6c7967656e657261U,
                    k1 ^ 0x7465646279746573U};
    const uint8_t *at = data;
    size_t left = size;
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word = little_endian(at, 8);
        s.d ^= word;
        rounds(&s, c);
        s.a ^= word;
    }
    uint64_t last = (uint64_t)(size & 0xff) << 56 | (left > 0 ? little_endian(at, left) : 0);
    s.d ^= last;
    rounds(&s, c);
    s.a ^= last;
    s.c ^= 0xff;
    rounds(&s, d);
    return s.a ^ s.b ^ s.c ^ s.d;
}
