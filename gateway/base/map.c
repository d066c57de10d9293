/* SPDX-License-Identifier: ISC */
#include "base/map.h"

#include <pthread.h>

#include "base/sip.h"
#include "base/source.h"

static uint8_t key[16];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void draw_key(void)
{
    random_system.fill(NULL, key, sizeof key);
}

uint32_t map_hash(const void *data, size_t size)
{
    pthread_once(&once, draw_key);
    return (uint32_t)sip_hash(key, data, size, 1, 3);
}
