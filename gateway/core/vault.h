/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_VAULT_H
#define RETROGATE_CORE_VAULT_H

#include "core/state.h"
#include "keyring/keyring.h"

/* The vault key wraps each account's key; an account's key wraps its passphrase, route keys and invite links.
 * The node's own key and its TLS key are not in the vault, so that a locked gateway still links and relays.
 */

/* From the file, which is made (0600) when allowed; with neither the vault stays locked. */
bool vault_start(struct gateway *gateway, const char *file, bool create, struct error **error);
/* ERROR_DENIED when it is not the key of the existing accounts. Starts their routes. */
bool vault_unlock(struct gateway *gateway, const uint8_t key[VAULT_KEY_SIZE], struct error **error);

/* A fresh key and passphrase for a new account, wrapped. */
bool vault_new_account(struct account *account);
bool vault_wrap_for(const struct account *account, const char *what, struct bytes secret,
                    struct buffer *wrapped);
bool vault_unwrap_for(const struct account *account, const char *what, struct bytes wrapped,
                      struct buffer *secret);

/* For requests to the keyring that need the account's key: a view, for one call. */
enum { VAULT_HOME_SIZE = 24 };
struct keyring_secret vault_secret(const struct account *account, char home[VAULT_HOME_SIZE]);

/* Route keys: wrap from route->keys, or unwrap into it. 96 bytes: the invite's key (16), salt key (16), root
 * (32) and, at the inviter, the guest's claim (32). What there is not yet, or not any more, is zeros: once
 * the route is settled only the root is left. The caller wipes route->keys. */
enum { ROUTE_ROOT_AT = 32 };
bool vault_close_route(struct route *route);
bool vault_open_route(struct route *route);

#endif
