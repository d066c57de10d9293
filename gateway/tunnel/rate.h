/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_TUNNEL_RATE_H
#define RETROGATE_TUNNEL_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A token bucket; begins full. Times in milliseconds. */
struct bucket {
    double per_second;
    double burst;
    double tokens;
    uint64_t at;
};

struct bucket bucket_make(double per_second, double burst, uint64_t now);
bool bucket_take(struct bucket *bucket, uint64_t now);
uint64_t bucket_next(const struct bucket *bucket, uint64_t now); /* when one token is there */

/* Smoothed bytes per second of tunnel requests, folded every 2 s (protocol 02 §7). */
struct request_flow {
    double up;
    double down;
    uint64_t up_bytes; /* since the last fold */
    uint64_t down_bytes;
    uint64_t folded;
};

void request_flow_fold(struct request_flow *flow, uint64_t now);

/* The chance, 0 to 1, that a request received at `depth` is sent on to one neighbour. */
double forward_chance(const struct request_flow *flow, uint16_t depth, size_t neighbours,
                      uint32_t per_second);

#endif
