/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CRYPTO_SALT_H
#define RETROGATE_CRYPTO_SALT_H

#include <stddef.h>
#include <stdint.h>

/* Our own salts (protocol 00 decision 19): a keyed permutation of a counter, so that they never repeat, look
 * random, and can be recognised without a table when somebody returns one of our own packets. 64-bit block: a
 * 10-round Feistel network with SipHash-2-4 (16-byte key) as its round function, halves of 32 bits, round
 * number in the input. */
uint64_t salt_from_counter(const uint8_t key[16], uint64_t counter);
uint64_t salt_to_counter(const uint8_t key[16], uint64_t salt);

/* SipHash-2-4, 64-bit result; also used as the router's keyed print. */
uint64_t siphash24(const uint8_t key[16], const void *data, size_t size);

#endif
