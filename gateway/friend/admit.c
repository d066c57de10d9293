/* SPDX-License-Identifier: ISC */
#include "friend/set.h"

#include <openssl/x509.h>
#include <string.h>

#include "crypto/openpgp.h"

/* Who is at the other end (00 decision 6, protocol 11 §1.4). A pinned certificate is accepted by comparison;
 * another one costs one gpg operation, and only when it claims a friend's location and a friend's key. */

static void refuse(struct link *link, const char *reason)
{
    set_attempt(link->set, link, reason);
    link_end(link, reason, false);
}

static void accept_link(struct link *link, bool limited)
{
    struct member *member = link->member;
    if (!limited)
        buffer_free(&link->certificate);
    link_open(link, limited);
    member_take(member, link);
}

static void pin(struct link *link)
{
    struct friend_record *record = &link->member->record;
    record->verified = true;
    memcpy(record->pinned, link->location.sha256, sizeof record->pinned);
    member_changed(link->member);
}

static void settle(struct link *link)
{
    link->check = 0;
    link->member->checking = NULL;
}

static bool was_refused(enum error_code code)
{
    return code == ERROR_DENIED || code == ERROR_INVALID;
}

/* The answer about a signature: true when it is the friend's. Otherwise the link has ended. */
static bool judge(struct link *link, const struct keyring_answer *answer)
{
    struct member *member = link->member;
    if (answer->error && !was_refused(answer->error->code)) {
        link_end(link, "the keyring could not check the friend's certificate", false);
        return false;
    }
    if (answer->error || memcmp(answer->location, link->location.id, sizeof link->location.id) != 0) {
        memcpy(member->refused, link->location.sha256, sizeof member->refused);
        refuse(link, "the certificate is not signed by the friend's key");
        return false;
    }
    return true;
}

static void on_verified(void *arg, const struct keyring_answer *answer)
{
    struct link *link = arg;
    settle(link);
    if (!judge(link, answer))
        return;
    pin(link);
    if (link->stage == LINK_CHECKING)
        accept_link(link, false);
}

static bool verify(struct link *link, struct bytes key_block, keyring_fn *done)
{
    struct member *member = link->member;
    link->check = keyring_verify_location(link->set->keyring, buffer_view(&link->certificate), key_block,
                                          member->record.fingerprint, done, link);
    if (link->check)
        member->checking = link;
    return link->check != 0;
}

static bool read_certificate(struct link *link)
{
    X509 *certificate = SSL_get1_peer_certificate(stream_tls(link->stream));
    unsigned char *der = NULL;
    int size = certificate ? i2d_X509(certificate, &der) : -1;
    bool ok = size > 0 && buffer_append(&link->certificate, der, (size_t)size) &&
              location_parse(&link->location, buffer_view(&link->certificate), NULL);
    OPENSSL_free(der);
    X509_free(certificate);
    return ok;
}

void admit(struct link *link)
{
    struct friends *set = link->set;
    const struct location *location = &link->location;
    if (!read_certificate(link)) {
        link_end(link, "the certificate is no location certificate", false);
        return;
    }
    if (link->incoming) {
        link->member = set_find(set, location->id);
    } else if (memcmp(link->member->record.location, location->id, sizeof location->id) != 0) {
        link_end(link, "another location answers at this address", false);
        return;
    }
    if (!link->member) {
        refuse(link, set_has_key(set, location->issuer) ? "another location of a friend" : "not a friend");
        return;
    }
    struct member *member = link->member;
    const struct friend_record *record = &member->record;
    if (memcmp(record->fingerprint + 12, location->issuer, sizeof location->issuer) != 0)
        refuse(link, "the certificate names another PGP key");
    else if (record->verified && memcmp(record->pinned, location->sha256, sizeof record->pinned) == 0)
        accept_link(link, false);
    else if (record->key_block.size == 0)
        accept_link(link, true);
    else if (memcmp(member->refused, location->sha256, sizeof member->refused) == 0)
        refuse(link, "the certificate is not signed by the friend's key");
    else if (member->checking)
        link_end(link, "another certificate of the friend is being checked", false);
    else if (!verify(link, record->key_block, on_verified))
        link_end(link, "the keyring could not check the friend's certificate", false);
}

void admit_cancel(struct link *link)
{
    if (!link->check)
        return;
    keyring_cancel(link->set->keyring, link->check);
    settle(link);
}

static void key_refused(struct link *link)
{
    link->key_refused = true;
    if (link->member->current == link)
        member_refresh(link->member, "the friend sent another PGP key than the invite names");
}

static bool is_invited(const struct link *link, struct bytes block)
{
    struct openpgp_key key;
    return openpgp_key_parse(&key, block, NULL) &&
           memcmp(key.fingerprint, link->member->record.fingerprint, sizeof key.fingerprint) == 0;
}

static void on_key_verified(void *arg, const struct keyring_answer *answer)
{
    struct link *link = arg;
    struct member *member = link->member;
    settle(link);
    if (!judge(link, answer))
        return;
    buffer_free(&member->key);
    member->key = link->new_key;
    link->new_key = (struct buffer){0};
    member->record.key_block = buffer_view(&member->key);
    pin(link);
    if (link->stage != LINK_OPEN)
        return;
    buffer_free(&link->certificate);
    link_unlimit(link);
}

static void on_key_checked(void *arg, const struct keyring_answer *answer)
{
    struct link *link = arg;
    settle(link);
    if (answer->error) {
        if (was_refused(answer->error->code))
            key_refused(link);
        return; /* otherwise it is asked for again */
    }
    if (!is_invited(link, answer->block)) {
        key_refused(link);
        return;
    }
    buffer_free(&link->new_key);
    link->new_key = buffer_make(answer->block.size);
    if (buffer_append_bytes(&link->new_key, answer->block))
        verify(link, buffer_view(&link->new_key), on_key_verified);
}

void admit_key(struct link *link, struct bytes block)
{
    struct member *member = link->member;
    if (link->key_refused || link->check || member->checking || member->record.key_block.size > 0)
        return;
    if (!is_invited(link, block)) {
        key_refused(link);
        return;
    }
    link->check = keyring_check_key(link->set->keyring, block, on_key_checked, link);
    if (link->check)
        member->checking = link;
}
