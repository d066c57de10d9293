/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_CORE_H
#define RETROGATE_CORE_CORE_H

#include <uv.h>

#include <retrogate/gateway.h>

#include "friend/friends.h"
#include "tunnel/router.h"

/* What main gives the core. Strings and arrays are copied or used only during gateway_open(). */
struct core_options {
    const char *directory; /* state: database, blobs, keys; absolute, at most 60 bytes */
    const char *keyring_program;
    unsigned keyring_workers;
    const char *node_name;      /* location name shown to friends */
    const char *mail_forward;   /* the server that posts are forwarded through; NULL or "": none */
    const char *mail_maildir;   /* folder of the accounts' Maildirs; NULL or "": none */
    const char *vault_key_file; /* NULL: the vault stays locked until "unlock" */
    bool vault_key_create;      /* make the file when it does not exist */
    struct friends_options friends;
    struct router_options router;
    const char *mail_domain; /* of addresses; NULL: "distant.alt" */
    unsigned typing_default; /* new accounts send typing notices */
};

/* Opens the store, starts the keyring, makes the node's key and location at the first start (in the
 * background), and then opens the friend links. Returns before the node is ready; `status` tells. */
struct gateway *gateway_open(uv_loop_t *loop, const struct core_options *options, struct error **error);

/* Ends all sessions, tells open conversations' friends nothing, sends what is queued, commits, closes; then
 * `closed`. The gateway is freed by then. */
void gateway_close(struct gateway *gateway, void (*closed)(void *arg), void *arg);

/* Called once when the node is ready (its listeners are open) or has failed for good. */
void gateway_on_ready(struct gateway *gateway, void (*ready)(void *arg, const struct error *error),
                      void *arg);

/* For `status`: what other rooms listen on, as a JSON object that the core keeps. */
void gateway_set_listening(struct gateway *gateway, json_t *listening);
/* For a reload: what may change while running. */
void gateway_set_node_name(struct gateway *gateway, const char *name);

#endif
