/* SPDX-License-Identifier: ISC */
#include "core/post_links.h"

#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/commands.h"
#include "core/contacts.h"
#include "core/text.h"
#include "core/write.h"
#include "wire/link.h"

enum {
    VALID_DEFAULT = 30 * 86400, /* seconds */
    VALID_MOST = 366 * 86400,
    LINKS_OPEN = 256, /* of an account: each is served */
    LINKS_MOST = 2000,
    WAYS_MOST = 16, /* of a contact */
};

/* --- own links */

static json_t *json_of_link(const struct account *account, const struct post_link *link)
{
    json_t *object = json_pack("{s:I,s:I,s:s,s:I,s:I}", "id", (json_int_t)link->id, "expires",
                               (json_int_t)link->expires, "state", link->state, "created",
                               (json_int_t)link->created, "change", (json_int_t)link->change);
    if (strcmp(link->state, "open") != 0)
        return object;
    char id[17];
    struct buffer text = buffer_make(LINK_TEXT_MAX);
    hex_upper(id, account->fingerprint + 12, 8);
    if (link_write_public_message(&text, link->expires / 1000, link->hash, id))
        json_object_set_new(object, "link", json_string(buffer_string(&text)));
    buffer_free(&text);
    return object;
}

static struct post_link_row row_of(const struct account *account, const struct post_link *link)
{
    struct post_link_row row = {.id = link->id,
                                .account = account->id,
                                .expires = link->expires,
                                .state = link->state,
                                .created = link->created,
                                .change = link->change};
    memcpy(row.hash, link->hash, sizeof row.hash);
    return row;
}

bool post_link_loaded(struct account *account, const struct post_link_row *row)
{
    struct post_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return false;
    link->id = row->id;
    memcpy(link->hash, row->hash, sizeof link->hash);
    link->expires = row->expires;
    text_copy(link->state, sizeof link->state, row->state);
    link->created = row->created;
    link->change = row->change;
    HASH_ADD(hh, account->posts.links, id, sizeof link->id, link);
    if (link->hh.tbl != NULL)
        return true;
    free(link);
    return false;
}

struct link_write {
    struct call *call; /* NULL: nobody waits */
    struct account *account;
    struct post_link *link;
    char state[12];
    int64_t change;
};

static void link_stored(void *arg, const struct error *error)
{
    struct link_write *work = arg;
    struct account *account = work->account;
    struct post_link *link = work->link;
    link->ending = false;
    if (error == NULL) {
        memcpy(link->state, work->state, sizeof link->state);
        link->change = work->change;
        if (!account->removed)
            post_in_changed(account);
    }
    if (work->call != NULL && error != NULL)
        call_fail_copy(work->call, error);
    else if (work->call != NULL)
        call_done(work->call, json_of_link(account, link));
    free(work);
}

/* A link that is known gets this state. */
static bool link_store(struct call *call, struct account *account, struct post_link *link, const char *state)
{
    struct link_write *work = calloc(1, sizeof *work);
    struct write *write = work != NULL ? write_begin(account->gateway, account) : NULL;
    if (write == NULL) {
        free(work);
        return false;
    }
    *work =
        (struct link_write){.call = call, .account = account, .link = link, .change = write_change(write)};
    text_copy(work->state, sizeof work->state, state);
    link->ending = true;
    struct post_link_row row = row_of(account, link);
    row.state = work->state;
    row.change = work->change;
    store_put_post_link(write->batch, &row);
    write_commit(write, link_stored, work);
    return true;
}

static void new_link_stored(void *arg, const struct error *error)
{
    struct link_write *work = arg;
    struct account *account = work->account;
    struct post_link *link = work->link;
    if (error == NULL)
        HASH_ADD(hh, account->posts.links, id, sizeof link->id, link);
    if (error != NULL || link->hh.tbl == NULL) {
        call_fail_copy(work->call, error != NULL ? error : &stored_only);
        free(link);
    } else {
        if (!account->removed)
            post_in_changed(account);
        call_done(work->call, json_of_link(account, link));
    }
    free(work);
}

static unsigned links_open(const struct account *account)
{
    unsigned count = 0;
    for (const struct post_link *link = account->posts.links; link != NULL; link = link->hh.next)
        count += strcmp(link->state, "open") == 0;
    return count;
}

bool do_post_link_new(struct call *call, struct error **error)
{
    struct account *account = call->account;
    int64_t valid = arg_int(call, "valid", VALID_DEFAULT);
    if (valid < 60 || valid > VALID_MOST)
        return error_set(error, ERROR_INVALID, "valid: from a minute to a year, in seconds");
    if (links_open(account) >= LINKS_OPEN || HASH_COUNT(account->posts.links) >= LINKS_MOST)
        return error_set(error, ERROR_LIMIT, "%d links are open already; revoke some", LINKS_OPEN);
    struct post_link *link = calloc(1, sizeof *link);
    struct link_write *work = calloc(1, sizeof *work);
    struct write *write = link != NULL && work != NULL ? write_begin(call->gateway, account) : NULL;
    if (write == NULL) {
        free(link);
        free(work);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    const struct random_source *random = call->gateway->random;
    link->id = next_id(call->gateway);
    random->fill(random->state, link->hash, sizeof link->hash);
    link->created = clock_wall_ms();
    link->expires = (link->created / 1000 + valid) * 1000; /* the link tells seconds */
    text_copy(link->state, sizeof link->state, "open");
    link->change = write_change(write);
    *work = (struct link_write){.call = call, .account = account, .link = link};
    struct post_link_row row = row_of(account, link);
    store_put_post_link(write->batch, &row);
    write_commit(write, new_link_stored, work);
    return true;
}

bool do_post_link_list(struct call *call, struct error **error)
{
    (void)error;
    json_t *links = json_array();
    for (const struct post_link *link = call->account->posts.links; link != NULL; link = link->hh.next)
        json_array_append_new(links, json_of_link(call->account, link));
    call_done(call, json_pack("{s:o}", "links", links));
    return true;
}

bool do_post_link_revoke(struct call *call, struct error **error)
{
    int64_t id = arg_int(call, "link", 0);
    struct post_link *link = NULL;
    HASH_FIND(hh, call->account->posts.links, &id, sizeof id, link);
    if (link == NULL)
        return error_set(error, ERROR_NOT_FOUND, "there is no such link; see the list of links");
    if (strcmp(link->state, "open") != 0)
        return error_set(error, ERROR_INVALID, "this link has ended already: it is %s", link->state);
    if (link->ending)
        return error_set(error, ERROR_UNAVAILABLE, "its end is being stored already");
    return link_store(call, call->account, link, "revoked") ||
           error_set(error, ERROR_INTERNAL, "out of memory");
}

void post_links_expire(struct account *account)
{
    int64_t now = clock_wall_ms();
    struct post_link *link, *next;
    HASH_ITER(hh, account->posts.links, link, next)
    {
        if (strcmp(link->state, "open") == 0 && !link->ending && link->expires <= now)
            link_store(NULL, account, link, "expired");
    }
}

/* --- links of others */

struct opening {
    struct call *call;
    struct account *account;
    struct contact *contact;
    char pgp_id[17], fingerprint[41], subject[256];
    bool open; /* it brings a hash */
    uint8_t hash[20];
    int64_t expires;
};

static bool way_add(struct contact *contact, const uint8_t hash[20], int64_t expires)
{
    struct post_way *way;
    DL_FOREACH(contact->post_ways, way)
    {
        if (memcmp(way->hash, hash, sizeof way->hash) == 0)
            break;
    }
    if (way != NULL) {
        DL_DELETE(contact->post_ways, way);
    } else {
        way = calloc(1, sizeof *way);
        if (way == NULL)
            return false;
        memcpy(way->hash, hash, sizeof way->hash);
    }
    way->expires = expires;
    DL_PREPEND(contact->post_ways, way);
    return true;
}

bool post_way_loaded(struct contact *contact, const struct post_way_row *row)
{
    return way_add(contact, row->hash, row->expires);
}

static void opening_end(struct opening *opening, const struct error *error)
{
    if (error != NULL) {
        call_fail_copy(opening->call, error);
    } else {
        json_t *warnings = json_array();
        if (!opening->open && opening->contact->post_ways == NULL)
            json_array_append_new(warnings, json_string("this link brings no way of its own: the post waits "
                                                        "until the other side can be found by its key"));
        call_done(opening->call, json_pack("{s:o,s:s,s:o}", "contact", json_of_contact(opening->contact),
                                           "subject", opening->subject, "warnings", warnings));
    }
    free(opening);
}

static void way_stored(void *arg, const struct error *error)
{
    struct opening *opening = arg;
    if (error == NULL && !way_add(opening->contact, opening->hash, opening->expires))
        error = &stored_only;
    if (error == NULL && !opening->contact->leaving)
        post_out_wake(opening->contact);
    opening->contact->posting--;
    opening_end(opening, error);
}

/* Ways past their time give way, then the oldest. */
static void make_room(struct opening *opening, struct write *write)
{
    int64_t now = clock_wall_ms();
    struct post_way *way, *next;
    size_t count = 0;
    DL_FOREACH_SAFE(opening->contact->post_ways, way, next)
    {
        if (way->expires > now && ++count < WAYS_MOST)
            continue;
        store_delete_post_way(write->batch, opening->account->id, opening->contact->id, way->hash);
        DL_DELETE(opening->contact->post_ways, way);
        free(way);
    }
}

static bool id_fits(const struct opening *opening, const struct contact *contact)
{
    char text[41];
    hex_upper(text, contact->fingerprint, 20);
    return opening->fingerprint[0] != '\0' ? strcasecmp(text, opening->fingerprint) == 0
                                           : strcasecmp(text + 24, opening->pgp_id) == 0;
}

static void contact_found(void *arg, struct contact *contact, const struct error *error)
{
    struct opening *opening = arg;
    static const struct error other = {ERROR_DENIED,
                                       "this key is not the one that the link names; ask its sender which"},
                              memory = {ERROR_INTERNAL, "out of memory"};
    if (error == NULL && !id_fits(opening, contact))
        error = &other;
    if (error != NULL) {
        opening_end(opening, error);
        return;
    }
    opening->contact = contact;
    if (!opening->open) {
        opening_end(opening, NULL);
        return;
    }
    struct write *write = write_begin(opening->account->gateway, opening->account);
    if (write == NULL) {
        opening_end(opening, &memory);
        return;
    }
    struct post_way_row row = {
        .account = opening->account->id, .contact = contact->id, .expires = opening->expires};
    memcpy(row.hash, opening->hash, sizeof row.hash);
    make_room(opening, write);
    store_put_post_way(write->batch, &row);
    contact->posting++;
    write_commit(write, way_stored, opening);
}

static bool read_link(struct opening *opening, const char *text, struct error **error)
{
    struct link link;
    if (!link_parse(&link, bytes_of_string(text), error))
        return false;
    bool good = true;
    text_copy(opening->pgp_id, sizeof opening->pgp_id, link.pgp_id);
    if (link.kind == LINK_PUBLIC_MESSAGE) {
        opening->open = true;
        memcpy(opening->hash, link.hash, sizeof opening->hash);
        if (link.time_stamp > VALID_MOST + clock_wall_ms() / 1000)
            link.time_stamp = VALID_MOST + clock_wall_ms() / 1000;
        opening->expires = link.time_stamp * 1000;
        if (opening->expires <= clock_wall_ms())
            good = error_set(error, ERROR_EXPIRED, "this link has expired; ask for a new one");
    } else if (link.kind == LINK_MESSAGE) {
        text_copy(opening->fingerprint, sizeof opening->fingerprint, link.fingerprint);
        text_copy(opening->subject, sizeof opening->subject, link.subject);
        if (link.pgp_id[0] == '\0' && link.fingerprint[0] == '\0')
            good = error_set(error, ERROR_INVALID,
                             "this link names a location, which posts cannot reach; ask for a link of a key");
    } else {
        good = error_set(error, ERROR_INVALID,
                         "this is no link for posts: those begin with retroshare://public_msg or "
                         "retroshare://message");
    }
    link_free(&link);
    return good;
}

static struct contact *contact_named(const struct opening *opening)
{
    uint8_t key[20];
    if (hex_parse(key, 20, opening->fingerprint, strlen(opening->fingerprint)))
        return contact_by_fingerprint(opening->account, key);
    return hex_parse(key, 8, opening->pgp_id, strlen(opening->pgp_id)) ? contact_by_id(opening->account, key)
                                                                       : NULL;
}

bool do_post_link_open(struct call *call, struct error **error)
{
    struct opening *opening = calloc(1, sizeof *opening);
    if (opening == NULL)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    opening->call = call;
    opening->account = call->account;
    if (!read_link(opening, arg_text(call, "link"), error)) {
        free(opening);
        return false;
    }
    struct contact *contact = contact_named(opening);
    if (contact != NULL && contact->leaving) {
        free(opening);
        return error_set(error, ERROR_UNAVAILABLE, "this contact is being removed; try again in a moment");
    }
    if (contact != NULL) {
        contact_found(opening, contact, NULL);
        return true;
    }
    bool good = arg_has(call, "key") ||
                error_set(error, ERROR_NOT_FOUND,
                          "its issuer is not among your contacts; give the public key too (\"key\")");
    good = good &&
           contact_ensure(call->account, arg_text(call, "key"), NULL, NULL, contact_found, opening, error);
    if (!good)
        free(opening);
    return good;
}
