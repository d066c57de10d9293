/* SPDX-License-Identifier: ISC */
#include "sim/measure.h"

#include <stdio.h>
#include <sys/resource.h>

static struct setting *setting_find(struct setting *settings, const char *name, size_t size)
{
    for (; settings->name != NULL; settings++) {
        if (strlen(settings->name) == size && memcmp(settings->name, name, size) == 0)
            return settings;
    }
    return NULL;
}

void settings_read(struct setting *settings, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        struct setting *found =
            equals == NULL ? NULL : setting_find(settings, argv[i], (size_t)(equals - argv[i]));
        char *end = NULL;
        if (found != NULL)
            found->value = strtoull(equals + 1, &end, 10);
        if (end != NULL && *end == '\0' && end != equals + 1)
            continue;
        fprintf(stderr, "usage: %s [name=number ...]\n", argv[0]);
        for (; settings->name != NULL; settings++)
            fprintf(stderr, "  %-10s %s\n", settings->name, settings->meaning);
        exit(2);
    }
}

uint64_t setting(const struct setting *settings, const char *name)
{
    for (; settings->name != NULL; settings++) {
        if (strcmp(settings->name, name) == 0)
            return settings->value;
    }
    abort();
}

void times_add(struct times *times, uint64_t time)
{
    times->list = network_grow(times->list, times->count, sizeof *times->list);
    times->list[times->count++] = time;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t times_at(struct times *times, unsigned percent)
{
    if (times->count == 0)
        return 0;
    qsort(times->list, times->count, sizeof *times->list, by_value);
    return times->list[(times->count - 1) * percent / 100];
}

void times_free(struct times *times)
{
    free(times->list);
    *times = (struct times){0};
}

void counts_item(struct counts *counts, struct bytes item)
{
    counts->bytes += item.size;
    switch (item.data[3]) {
    case TURTLE_OPEN:
        counts->requests++;
        break;
    case TURTLE_OK:
        counts->answers++;
        break;
    default:
        counts->data++;
    }
}

void world_begin(struct world *world, const struct setting *settings)
{
    uint32_t nodes = (uint32_t)setting(settings, "nodes");
    uint64_t seed = setting(settings, "seed");
    uint64_t wire = setting(settings, "wire");
    if (nodes <= FRIENDS_MOST) {
        fprintf(stderr, "too few nodes for so many friends\n");
        exit(2);
    }
    if (wire == 0)
        wire = strcmp(RULES, "2013") == 0 ? 5 : 6;
    world->generation = wire == 5 ? TURTLE_05 : TURTLE_06;
    struct random_source random = random_from_seed(&world->graph_state, seed);
    world->graph = graph_make(nodes, &random);
    world->plan = random_from_seed(&world->plan_state, seed + 1000000007);
    network_init(&world->network, nodes, seed, NULL);
    graph_connect(&world->graph, &world->network, world->generation);
}

void world_end(struct world *world)
{
    network_free(&world->network);
    graph_free(&world->graph);
}

uint32_t world_node(struct world *world)
{
    return random_below(&world->plan, world->graph.count);
}

void hash_of(uint8_t hash[TURTLE_HASH_SIZE], char kind, uint32_t number)
{
    memset(hash, 0, TURTLE_HASH_SIZE);
    hash[0] = (uint8_t)kind;
    memcpy(hash + 4, &number, sizeof number);
}

bool hash_is(const uint8_t hash[TURTLE_HASH_SIZE], char kind, uint32_t *number)
{
    memcpy(number, hash + 4, sizeof *number);
    return hash[0] == (uint8_t)kind;
}

void result_begin(const char *simulation, const struct setting *settings)
{
    printf("{\"sim\": \"%s\", \"rules\": \"%s\"", simulation, RULES);
    for (; settings->name != NULL; settings++)
        printf(", \"%s\": %llu", settings->name, (unsigned long long)settings->value);
}

void result_number(const char *name, double value)
{
    printf(", \"%s\": %.6g", name, value);
}

void result_times(const char *name, struct times *times)
{
    printf(", \"%s_count\": %zu, \"%s_median\": %.3f, \"%s_95\": %.3f", name, times->count, name,
           (double)times_at(times, 50) / 1000, name, (double)times_at(times, 95) / 1000);
}

void result_counts(const char *name, const struct counts *counts, uint32_t nodes, uint64_t ms)
{
    double node_seconds = (double)nodes * (double)ms / 1000;
    printf(", \"%s_requests\": %.6g, \"%s_answers\": %.6g, \"%s_data\": %.6g, \"%s_bytes\": %.6g", name,
           (double)counts->requests / node_seconds, name, (double)counts->answers / node_seconds, name,
           (double)counts->data / node_seconds, name, (double)counts->bytes / node_seconds);
}

void result_list(const char *name, const double *values, size_t count)
{
    printf(", \"%s\": [", name);
    for (size_t i = 0; i < count; i++)
        printf("%s%.6g", i == 0 ? "" : ", ", values[i]);
    printf("]");
}

void result_end(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("}\n");
    fprintf(stderr, "memory %.0f MB, processor %.1f s\n", (double)usage.ru_maxrss / 1024,
            (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6);
}
