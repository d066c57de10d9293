/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "crypto/openpgp.h"
#include "friend/addresses.h"

static bool take_key(struct friend_record *out, const struct friend_text *text, struct error **error)
{
    struct openpgp_key key;
    if (!openpgp_key_parse(&key, text->key_block, error))
        return error_prefix(error, "the PGP key in the certificate");
    if (text->has_fingerprint && memcmp(text->fingerprint, key.fingerprint, sizeof key.fingerprint) != 0)
        return error_set(error, ERROR_INVALID,
                         "the PGP key in the certificate has another fingerprint than named");
    memcpy(out->fingerprint, key.fingerprint, sizeof out->fingerprint);
    out->key_block = text->key_block;
    snprintf(out->name, sizeof out->name, "%s", key.name[0] ? key.name : text->name);
    return true;
}

bool friend_record_from_text(struct friend_record *out, const struct friend_text *text, struct error **error)
{
    *out = (struct friend_record){0};
    if (!text->has_location)
        return error_set(error, ERROR_INVALID,
                         "the text holds a PGP key but no location: ask for the whole invitation");
    memcpy(out->location, text->location, sizeof out->location);
    if (text->is_short) {
        if (!text->has_fingerprint)
            return error_set(error, ERROR_INVALID, "the short invite names no PGP fingerprint");
        memcpy(out->fingerprint, text->fingerprint, sizeof out->fingerprint);
        snprintf(out->name, sizeof out->name, "%s", text->name);
    } else if (!take_key(out, text, error)) {
        return false;
    }
    if (text->hidden[0]) { /* instead of the others: protocol 11 §2.1 */
        snprintf(out->hidden, sizeof out->hidden, "%s", text->hidden);
        out->hidden_port = text->hidden_port;
        return true;
    }
    addresses_add(out, &text->local4);
    addresses_add(out, &text->external4);
    snprintf(out->dns, sizeof out->dns, "%s", text->dns);
    out->dns_port = text->dns_port              ? text->dns_port
                    : text->external4.port != 0 ? text->external4.port
                                                : text->local4.port;
    for (size_t i = 0; i < text->locator_count; i++)
        addresses_add(out, &text->locators[i]);
    return true;
}
