/* SPDX-License-Identifier: ISC */
#include "tunnel/rate.h"

enum { FOLD_MS = 2000, ASSUMED_REQUEST_SIZE = 50, FORGOTTEN = 200 /* periods without requests */ };

struct bucket bucket_make(double per_second, double burst, uint64_t now)
{
    return (struct bucket){.per_second = per_second, .burst = burst, .tokens = burst, .at = now};
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static double tokens_at(const struct bucket *bucket, uint64_t now)
{
    return smaller(bucket->burst, bucket->tokens + (double)(now - bucket->at) / 1000 * bucket->per_second);
}

bool bucket_take(struct bucket *bucket, uint64_t now)
{
    bucket->tokens = tokens_at(bucket, now);
    bucket->at = now;
    if (bucket->tokens < 1)
        return false;
    bucket->tokens -= 1;
    return true;
}

uint64_t bucket_next(const struct bucket *bucket, uint64_t now)
{
    double missing = 1 - tokens_at(bucket, now);
    return missing <= 0 ? now : now + (uint64_t)(missing / bucket->per_second * 1000) + 1;
}

void request_flow_fold(struct request_flow *flow, uint64_t now)
{
    uint64_t periods = (now - flow->folded) / FOLD_MS;
    if (periods == 0)
        return;
    flow->folded += periods * FOLD_MS;
    flow->up = 0.9 * flow->up + 0.1 * (double)flow->up_bytes * 1000 / FOLD_MS;
    flow->down = 0.9 * flow->down + 0.1 * (double)flow->down_bytes * 1000 / FOLD_MS;
    flow->up_bytes = 0;
    flow->down_bytes = 0;
    for (uint64_t quiet = periods < FORGOTTEN ? periods : FORGOTTEN; quiet > 1; quiet--) {
        flow->up *= 0.9;
        flow->down *= 0.9;
    }
}

/* e to the power of -x, for x >= 0. Not the mathematics library's: a simulation then gives the same numbers
 * anywhere. */
static double decay(double x)
{
    if (x > 700)
        return 0;
    double small = x / 1024;
    double result = 1 - small * (1 - small / 2 * (1 - small / 3 * (1 - small / 4)));
    for (int i = 0; i < 10; i++)
        result *= result;
    return result;
}

double forward_chance(const struct request_flow *flow, uint16_t depth, size_t neighbours, uint32_t per_second)
{
    /* -ln of 1, 0.99, 0.9, 0.7, 0.6, 0.5, 0.4 */
    static const double by_depth[] = {0,
                                      0.010050335853501441,
                                      0.10536051565782628,
                                      0.35667494393873238,
                                      0.51082562376599072,
                                      0.69314718055994531,
                                      0.91629073187415507};
    double limit = (double)ASSUMED_REQUEST_SIZE * per_second;
    double load = smaller(100, flow->up / limit);
    double load_2 = load * load;
    double load_8 = load_2 * load_2 * load_2 * load_2;
    double chance = decay(by_depth[depth < 6 ? depth : 6] * load_8);
    double count = (double)neighbours;
    if (neighbours > 0 && chance * count < 1) {
        chance = 1 / count;
        if (flow->down > limit)
            chance *= limit / flow->down;
    }
    return chance;
}
