/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_IRC_CLIENT_H
#define RETROGATE_IRC_CLIENT_H

#include <retrogate/gateway.h>

#include "base/buffer.h"
#include "message.h"

/* The session of one connected client, without socket, clock or timer: bytes and time come in, bytes go out
 * through `struct client_io`. server.c joins it to a stream; tests and the fuzz target join it to memory. */
struct client;

/* What all clients of one server share. Owned by server.c, alive longer than any client. */
struct site {
    struct gateway *gateway;
    const char *name; /* of the server; a host name */
    const char *network;
    int64_t created;  /* Unix milliseconds */
    unsigned clients; /* connected now */
    unsigned most_clients;
    unsigned replay_lines;    /* shown at most per conversation when a client comes back; at most 500 */
    size_t output_limit;      /* bytes; more than half of it waiting holds lines of people back */
    uint64_t registration_ms; /* until registration must be complete */
    uint64_t idle_ms;         /* silence after which PING is sent; twice that ends the client */
    uint64_t last_id;
};

struct client_io {
    bool (*write)(void *arg, const void *data, size_t size); /* false: the connection is ending */
    size_t (*queued)(void *arg);                             /* bytes not yet given to the system */
    void (*hold)(void *arg, bool on);                        /* stop, and go on, delivering input */
    void (*wake)(void *arg, uint64_t at);       /* call client_tick() at this time; UINT64_MAX: never */
    void (*end)(void *arg, const char *reason); /* send what is queued, then close */
    uint64_t (*now)(void *arg);                 /* monotonic, milliseconds */
    int64_t (*wall)(void *arg);                 /* Unix, milliseconds */
};

enum {
    CLIENT_INPUT_READ = 16384, /* most that one client_input() may bring */
    CLIENT_INPUT_HIGH = 16384, /* held back because of flood control; beyond it input is held */
    CLIENT_OUTPUT_LIMIT_LEAST = 512 * 1024,
};

/* NULL without memory. `address` is numeric. Client and io are freed by the caller when its connection has
 * gone. */
struct client *client_new(struct site *site, const char *address, bool secure, const struct client_io *io,
                          void *io_arg);
void client_free(struct client *client);

void client_input(struct client *client, struct bytes bytes); /* at most CLIENT_INPUT_READ bytes */
void client_tick(struct client *client);
void client_drained(struct client *client); /* output that was waiting has gone */
/* Says ERROR with the reason and has the connection closed. */
void client_end(struct client *client, const char *reason);

#endif
