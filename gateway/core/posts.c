/* SPDX-License-Identifier: ISC */
#include "core/posts.h"

#include <stdlib.h>
#include <string.h>

#include "core/changes.h"
#include "core/contacts.h"
#include "core/post_links.h"
#include "core/post_people.h"
#include "core/post_queue.h"
#include "core/post_read.h"
#include "core/post_reports.h"
#include "core/post_rows.h"
#include "core/rows.h"
#include "core/text.h"
#include "core/write.h"

/* --- what waits for too long */

struct expiry {
    struct account *account;
    struct post_delivery *delivery;
    int64_t change;
};

static void expired(void *arg, const struct error *error)
{
    struct expiry *expiry = arg;
    struct post_delivery *delivery = expiry->delivery;
    delivery_pin(delivery);
    delivery_ended(delivery, error == NULL ? expiry->change : 0);
    if (error == NULL)
        report_fate(delivery);
    delivery_unpin(delivery);
    free(expiry);
}

static void expire(struct post_delivery *delivery)
{
    struct expiry *expiry = calloc(1, sizeof *expiry);
    struct write *write = expiry != NULL ? write_begin(delivery->account->gateway, delivery->account) : NULL;
    if (write == NULL) {
        free(expiry);
        return;
    }
    *expiry = (struct expiry){.account = delivery->account, .delivery = delivery};
    expiry->change = delivery_end(delivery, write,
                                  delivery->reason[0] != '\0'
                                      ? delivery->reason
                                      : "the other side was not reached in the time that it may wait");
    write_commit(write, expired, expiry);
}

static void look_after(struct contact *contact, int64_t now)
{
    struct post_delivery *delivery, *next;
    DL_FOREACH_SAFE(contact->deliveries, delivery, next)
    {
        if (delivery->ending || delivery->settling > 0)
            continue;
        if (delivery->until <= now)
            expire(delivery);
        else if (delivery->warned == 0 && delivery->since + POST_DELAY_MS <= now)
            report_delay(delivery);
    }
}

void posts_minute(struct gateway *gateway)
{
    int64_t now = clock_wall_ms();
    struct account *account, *next_account;
    HASH_ITER(hh, gateway->accounts, account, next_account)
    {
        struct contact *contact, *next;
        if (account->posts.queued > 0)
            HASH_ITER(hh, account->contacts, contact, next)
        look_after(contact, now);
        post_links_expire(account);
    }
    part_cache_sweep(gateway);
}

void posts_start(struct gateway *gateway)
{
    struct account *account, *next_account;
    HASH_ITER(hh, gateway->accounts, account, next_account)
    {
        struct contact *contact, *next;
        post_links_expire(account);
        HASH_ITER(hh, account->contacts, contact, next)
        {
            if (contact->deliveries != NULL)
                post_out_wake(contact);
        }
    }
}

/* --- how posts reach a contact */

static void learned(void *arg, const struct error *error)
{
    (void)arg;
    (void)error; /* learned again with the next post */
}

void post_learn(struct contact *contact, bool sealed)
{
    if (sealed ? contact->posts_sealed : contact->posts_classic || contact->posts_sealed)
        return;
    if (sealed)
        contact->posts_sealed = true;
    else
        contact->posts_classic = true;
    if (contact->leaving || contact->account->removed)
        return;
    struct write *write = write_begin(contact->account->gateway, contact->account);
    if (write == NULL)
        return;
    contact->change = write_change(write);
    struct contact asked = contact_as_asked(contact);
    put_contact(write->batch, &asked);
    ring_put(contact->account, contact->change, "contact", json_of_contact(contact));
    write_commit(write, learned, NULL);
}

const char *posts_word(const struct contact *contact)
{
    return contact->posts_sealed ? "sealed" : contact->posts_classic ? "classic" : "unknown";
}

/* --- loaded, and freed */

void posts_settings_default(struct post_settings *settings)
{
    *settings =
        (struct post_settings){.wait = INT64_C(14) * 86400, .limit = POST_CONTENT_LIMIT, .strangers = 20};
}

bool posts_load_delivery(struct account *account, const struct delivery_row *row)
{
    struct contact *contact = NULL;
    HASH_FIND(hh, account->contacts, &row->contact, sizeof row->contact, contact);
    if (contact == NULL)
        return true;
    struct post_delivery *delivery = delivery_of_row(row);
    if (delivery == NULL)
        return false;
    delivery->account = account;
    delivery->contact = contact;
    delivery_loaded(delivery);
    return true;
}

bool posts_load_locked(struct account *account, const struct post_row *row)
{
    struct post_locked *locked = calloc(1, sizeof *locked);
    json_t *options = json_loads(row->options, 0, NULL);
    const char *hash = json_string_value(json_object_get(options, "hash"));
    if (locked != NULL) {
        locked->seq = row->seq;
        text_copy(locked->level, sizeof locked->level, row->level);
        if (hash != NULL)
            hex_parse(locked->hash, sizeof locked->hash, hash, strlen(hash));
        DL_APPEND(account->posts.locked, locked);
    }
    json_decref(options);
    return locked != NULL;
}

void posts_account_gone(struct account *account)
{
    struct contact *contact, *next_contact;
    HASH_ITER(hh, account->contacts, contact, next_contact)
    {
        struct post_delivery *delivery, *next;
        DL_FOREACH_SAFE(contact->deliveries, delivery, next)
        delivery_leave(delivery);
        post_out_contact_gone(contact);
    }
    post_in_account_gone(account);
}

void posts_account_free(struct account *account)
{
    post_in_account_gone(account);
    struct posts *posts = &account->posts;
    struct post_link *link, *next_link;
    HASH_ITER(hh, posts->links, link, next_link)
    {
        HASH_DELETE(hh, posts->links, link);
        free(link);
    }
    struct post_locked *locked;
    while ((locked = posts->locked) != NULL) {
        DL_DELETE(posts->locked, locked);
        free(locked);
    }
    people_changed(account);
}

void posts_contact_free(struct contact *contact)
{
    post_out_contact_gone(contact);
    struct post_delivery *delivery;
    while ((delivery = contact->deliveries) != NULL) {
        DL_DELETE(contact->deliveries, delivery);
        delivery_free(delivery);
    }
    struct post_way *way;
    while ((way = contact->post_ways) != NULL) {
        DL_DELETE(contact->post_ways, way);
        free(way);
    }
}
