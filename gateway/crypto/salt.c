/* SPDX-License-Identifier: ISC */
#include "crypto/salt.h"

#include "base/sip.h"

enum { FEISTEL_ROUNDS = 10 };

uint64_t siphash24(const uint8_t key[16], const void *data, size_t size)
{
    return sip_hash(key, data, size, 2, 4);
}

/* The round number first, then the half, big-endian. */
static uint32_t round_function(const uint8_t key[16], unsigned round, uint32_t half)
{
    uint8_t input[5] = {(uint8_t)round, (uint8_t)(half >> 24), (uint8_t)(half >> 16), (uint8_t)(half >> 8),
                        (uint8_t)half};
    return (uint32_t)siphash24(key, input, sizeof(input));
}

uint64_t salt_from_counter(const uint8_t key[16], uint64_t counter)
{
    uint32_t left = (uint32_t)(counter >> 32), right = (uint32_t)counter;
    for (unsigned round = 0; round < FEISTEL_ROUNDS; round++) {
        uint32_t next = left ^ round_function(key, round, right);
        left = right;
        right = next;
    }
    return (uint64_t)left << 32 | right;
}

uint64_t salt_to_counter(const uint8_t key[16], uint64_t salt)
{
    uint32_t left = (uint32_t)(salt >> 32), right = (uint32_t)salt;
    for (unsigned round = FEISTEL_ROUNDS; round-- > 0;) {
        uint32_t previous = right ^ round_function(key, round, left);
        right = left;
        left = previous;
    }
    return (uint64_t)left << 32 | right;
}
