/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_BASE_SOURCE_H
#define RETROGATE_BASE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

/* Where randomness comes from: the system's generator in the daemon, a seeded one in tests and simulations.
 * Time has no such interface: pure rooms take `now` as an argument, in milliseconds. */
struct random_source {
    void (*fill)(void *state, void *into, size_t size);
    void *state;
};

extern const struct random_source random_system; /* getrandom through OpenSSL; ends the process if it fails */

/* xoshiro256**, for tests: the same seed gives the same bytes. */
struct random_seeded {
    uint64_t words[4];
};
struct random_source random_from_seed(struct random_seeded *state, uint64_t seed);

uint32_t random_u32(const struct random_source *source);
uint64_t random_u64(const struct random_source *source);
uint32_t random_below(const struct random_source *source, uint32_t bound); /* uniform; bound > 0 */

uint64_t clock_monotonic_ms(void);
int64_t clock_wall_ms(void); /* Unix time, milliseconds */

#endif
