/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_WEB_ENTRY_H
#define RETROGATE_WEB_ENTRY_H

#include "base/buffer.h"
#include "site.h"

/* Who may come in: pure checks of what a browser brings. Nothing is kept here. The cookie of a signed-in
 * browser holds its account's name and an app password of its own (made at log-in, revoked at log-out, dead
 * after a time of disuse), so a restart signs nobody out and every browser stands in the list of app
 * passwords. */

enum { ENTRY_TOKEN_SIZE = 65, ENTRY_COOKIE_NAME_SIZE = 40 };

struct entry {
    char account[64];
    char password[64]; /* wiped by the caller */
};

/* "__Host-retrogate-8443" over TLS, "retrogate-8080" in plain: cookies do not know ports, two gateways of a
 * host do. */
void entry_cookie_name(char out[ENTRY_COOKIE_NAME_SIZE], const struct place *place);
/* The value of a Set-Cookie field. `keep_s` 0: until the browser closes. An empty password removes the
 * cookie. */
bool entry_cookie_write(struct buffer *out, const struct place *place, const struct entry *entry,
                        unsigned keep_s);
/* Finds ours in the value of a Cookie field; false when it is not there or malformed. */
bool entry_cookie_read(struct entry *entry, const struct place *place, struct bytes cookies);

/* What a page must show besides the cookie: HMAC-SHA-256 of a fixed text under the app password, in hex. A
 * page of another origin can have the browser send the cookie, but cannot know this. */
void entry_token(char out[ENTRY_TOKEN_SIZE], const struct entry *entry);
bool entry_token_right(struct bytes token, const struct entry *entry); /* in constant time */

/* Is this Host field one of ours: an address, localhost, or a name of the configuration, with or without a
 * port? */
bool entry_host_known(const struct site *site, struct bytes host);
/* Does the Origin field name the same host and port as the Host field, with the scheme of this connection? In
 * plain https will do too: then a proxy in front of us ended TLS, for nothing else can be there. */
bool entry_origin_same(struct bytes origin, struct bytes host, bool secure);
/* No Origin (`origin` is empty) is no browser, which may. */
bool entry_origin_may_irc(const struct site *site, struct bytes origin, struct bytes host, bool secure);

#endif
