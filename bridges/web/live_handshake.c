/* SPDX-License-Identifier: ISC */
#include <openssl/crypto.h>
#include <string.h>

#include "fields.h"
#include "head.h"
#include "live_channel.h"

enum { FIELD_SIZE = 512, TOKEN_DIGITS = ENTRY_TOKEN_SIZE - 1 };

static const struct head_refusal
    not_here = {"404 Not Found", "No WebSocket is served at this path."},
    no_protocol = {"400 Bad Request", "The first protocol named must be one of this path."},
    unknown_host = {"421 Misdirected Request",
                    "This gateway does not know itself by that name; its operator can add it to web.names."},
    doubled = {"400 Bad Request", "A field that must be single is there twice."},
    foreign = {"403 Forbidden", "Pages of another origin may not connect here."},
    not_signed_in = {"403 Forbidden", "Sign in first: the cookie or the token is missing or wrong."};

static const struct carrier *refuse(struct lws *wsi, const struct head_refusal *refusal)
{
    char answer[LWS_PRE + HEAD_REFUSAL_MAX];
    size_t size = head_refuse(answer + LWS_PRE, refusal);
    lws_write(wsi, (unsigned char *)answer + LWS_PRE, size, LWS_WRITE_HTTP_HEADERS);
    return NULL;
}

/* A single field; false when it is there twice or too long. An absent one is empty. */
static bool field(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size, struct bytes *value)
{
    int got = lws_hdr_copy(wsi, out, (int)size, token);
    *value = bytes_of(out, got > 0 ? (size_t)got : 0);
    return got >= 0 && lws_hdr_fragment_length(wsi, token, 1) == 0;
}

static struct bytes find_token(struct bytes protocols)
{
    static const char prefix[] = "token.";
    while (protocols.size > 0) {
        struct bytes name = fields_cut(&protocols, ',');
        if (name.size == sizeof prefix - 1 + TOKEN_DIGITS &&
            memcmp(name.data, prefix, sizeof prefix - 1) == 0)
            return bytes_of(name.data + sizeof prefix - 1, TOKEN_DIGITS);
    }
    return bytes_of(NULL, 0);
}

bool handshake_entry(struct entry *entry, struct lws *wsi, const struct place *place)
{
    char cookies[HEAD_MAX];
    int size = lws_hdr_copy(wsi, cookies, sizeof cookies, WSI_TOKEN_HTTP_COOKIE);
    bool found = size > 0 && entry_cookie_read(entry, place, bytes_of(cookies, (size_t)size));
    OPENSSL_cleanse(cookies, sizeof cookies);
    return found;
}

static bool signed_in(struct lws *wsi, const struct place *place, struct bytes protocols)
{
    struct entry entry = {0};
    bool right = handshake_entry(&entry, wsi, place) && entry_token_right(find_token(protocols), &entry);
    OPENSSL_cleanse(&entry, sizeof entry);
    return right;
}

/* libwebsockets takes the first protocol of the list that it knows; that must be the one we looked at. */
static const struct carrier *find_carrier(struct bytes path, struct bytes protocol, bool *path_known)
{
    static const struct carrier *const carriers[] = LIVE_CARRIERS;
    *path_known = false;
    for (size_t i = 0; i < sizeof carriers / sizeof carriers[0]; i++) {
        if (!bytes_equal(path, bytes_of_string(carriers[i]->path)))
            continue;
        *path_known = true;
        if (bytes_equal(protocol, bytes_of_string(carriers[i]->protocol)))
            return carriers[i];
    }
    return NULL;
}

const struct carrier *handshake_look(struct lws *wsi, const struct channel *channel)
{
    char host_text[FIELD_SIZE], origin_text[FIELD_SIZE], protocols_text[FIELD_SIZE], *path = NULL;
    const struct site *site = channel->live->site;
    struct bytes host, origin, protocols;
    int path_size = 0;
    bool path_known = false;
    if (!field(wsi, WSI_TOKEN_HOST, host_text, sizeof host_text, &host) ||
        !field(wsi, WSI_TOKEN_ORIGIN, origin_text, sizeof origin_text, &origin) ||
        !field(wsi, WSI_TOKEN_PROTOCOL, protocols_text, sizeof protocols_text, &protocols))
        return refuse(wsi, &doubled);
    if (!entry_host_known(site, host))
        return refuse(wsi, &unknown_host);
    if (lws_http_get_uri_and_method(wsi, &path, &path_size) < 0)
        return refuse(wsi, &not_here);
    struct bytes rest = protocols;
    const struct carrier *carrier =
        find_carrier(bytes_of(path, (size_t)path_size), fields_cut(&rest, ','), &path_known);
    if (!path_known || (carrier != NULL && carrier != &live_api && site->irc == NULL))
        return refuse(wsi, &not_here);
    if (carrier == NULL)
        return refuse(wsi, &no_protocol);
    if (carrier != &live_api)
        return entry_origin_may_irc(site, origin, host, channel->place->secure) ? carrier
                                                                                : refuse(wsi, &foreign);
    if (!entry_origin_same(origin, host, channel->place->secure))
        return refuse(wsi, &foreign);
    return signed_in(wsi, channel->place, protocols) ? carrier : refuse(wsi, &not_signed_in);
}
