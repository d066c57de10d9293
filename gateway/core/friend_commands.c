/* SPDX-License-Identifier: ISC */
/* What the operator asks of the node: its own text, its friends, who tried to connect. */
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "core/changes.h"
#include "core/commands.h"
#include "core/network.h"
#include "core/rows.h"
#include "core/text.h"

static bool ready(const struct gateway *gateway, struct error **error)
{
    return gateway->phase == NODE_READY ||
           error_set(error, ERROR_UNAVAILABLE, "the node is not ready: %s; try again soon",
                     gateway->phase_text);
}

struct friend *friend_find(struct gateway *gateway, const char *text)
{
    struct friend *entry, *next, *found = NULL;
    size_t size = strlen(text), fitting = 0;
    HASH_ITER(hh, gateway->friend_map, entry, next)
    {
        char location[33];
        hex_lower(location, entry->record.location, sizeof entry->record.location);
        if (strcmp(entry->record.name, text) == 0 || strcmp(location, text) == 0)
            return entry;
        if (size >= 4 && strncmp(location, text, size) == 0) {
            found = entry;
            fitting++;
        }
    }
    return fitting == 1 ? found : NULL;
}

static struct friend *arg_friend(struct call *call, struct error **error)
{
    struct friend *entry = friend_find(call->gateway, arg_text(call, "friend"));
    if (entry == NULL)
        error_set(error, ERROR_NOT_FOUND,
                  "no friend has this name or location id (or several do); see the list of friends");
    return entry;
}

bool do_friend_self(struct call *call, struct error **error)
{
    struct gateway *gateway = call->gateway;
    if (!ready(gateway, error))
        return false;
    struct buffer full = buffer_make(1 << 16), brief = buffer_make(1 << 16);
    json_t *addresses = json_array();
    struct sockaddr_storage listening[8];
    size_t count = friends_listening(gateway->friends, listening, 8);
    for (size_t i = 0; i < count; i++) {
        char address[64];
        address_format(address, sizeof address, (const struct sockaddr *)&listening[i]);
        json_array_append_new(addresses, json_string(address));
    }
    char fingerprint[41], location[33];
    hex_upper(fingerprint, gateway->node_fingerprint, 20);
    hex_lower(location, gateway->node_location, 16);
    if (friends_own_text(gateway->friends, &full, false) && friends_own_text(gateway->friends, &brief, true))
        call_done(call, json_pack("{s:s,s:s,s:s,s:s,s:o}", "full", buffer_string(&full), "short",
                                  buffer_string(&brief), "fingerprint", fingerprint, "location", location,
                                  "addresses", addresses));
    else
        call_fail(call, NULL);
    buffer_free(&full);
    buffer_free(&brief);
    return true;
}

static bool take_addresses(struct call *call, struct friend_record *record, struct error **error)
{
    size_t index;
    json_t *entry;
    json_t *list = json_object_get(call->arguments, "addresses");
    if (list == NULL)
        return true;
    record->address_count = 0;
    json_array_foreach(list, index, entry)
    {
        const char *text = json_string_value(entry);
        if (text == NULL || index >= 16)
            return error_set(error, ERROR_INVALID, "addresses: at most 16 texts such as 192.0.2.1:7812");
        if (!address_parse(&record->addresses[index], text, 7812, error))
            return false;
        record->address_count++;
    }
    return true;
}

struct friend_write {
    struct call *call;
    struct friend *entry;
};

static void friend_stored(void *arg, const struct error *error)
{
    struct friend_write *work = arg;
    struct gateway *gateway = work->call->gateway;
    struct friend *entry = work->entry, *known = NULL;
    struct error *refused = NULL;
    HASH_FIND(hh, gateway->friend_map, entry->record.location, 16, known);
    if (error != NULL) {
        call_fail_copy(work->call, error);
    } else if (known != NULL) {
        error_set(&refused, ERROR_EXISTS, "this location is a friend already");
        call_fail(work->call, refused);
    } else if (gateway->friends == NULL || !friends_add(gateway->friends, &entry->record, &refused)) {
        call_fail(work->call, refused);
    } else {
        HASH_ADD(hh, gateway->friend_map, record.location, 16, entry);
        if (entry->hh.tbl != NULL) {
            call_done(work->call, json_of_friend(gateway, entry));
            entry = NULL;
        } else {
            friends_remove(gateway->friends, entry->record.location);
            call_fail_copy(work->call, &stored_only);
        }
    }
    if (entry != NULL) {
        buffer_free(&entry->key_block);
        free(entry);
    }
    free(work);
}

bool do_friend_add(struct call *call, struct error **error)
{
    struct gateway *gateway = call->gateway;
    if (!ready(gateway, error))
        return false;
    struct friend_text text;
    if (!friend_text_parse(&text, bytes_of_string(arg_text(call, "text")), error))
        return false;
    struct friend_record record = {0};
    struct friend *entry = calloc(1, sizeof *entry);
    struct friend_write *work = calloc(1, sizeof *work);
    struct store_batch *batch = store_begin(gateway->store);
    struct friend *known = NULL;
    bool good = entry != NULL && work != NULL && batch != NULL;
    if (!good)
        error_set(error, ERROR_INTERNAL, "out of memory");
    good = good && friend_record_from_text(&record, &text, error) && take_addresses(call, &record, error);
    if (good && memcmp(record.location, gateway->node_location, 16) == 0)
        good = error_set(error, ERROR_INVALID, "this is this gateway's own certificate; give the friend's");
    if (good) {
        HASH_FIND(hh, gateway->friend_map, record.location, 16, known);
        if (known != NULL)
            good = error_set(error, ERROR_EXISTS,
                             "this location is a friend already; its name and addresses can be changed");
    }
    if (good && arg_has(call, "name"))
        text_copy(record.name, sizeof record.name, arg_text(call, "name"));
    if (good && !friend_keep(entry, &record))
        good = error_set(error, ERROR_INTERNAL, "out of memory");
    friend_text_free(&text);
    if (!good) {
        if (batch != NULL)
            store_discard(batch);
        free(entry);
        free(work);
        return false;
    }
    entry->added = clock_wall_ms();
    *work = (struct friend_write){call, entry};
    put_friend(batch, entry);
    store_commit(batch, friend_stored, work);
    return true;
}

bool do_friend_list(struct call *call, struct error **error)
{
    (void)error;
    json_t *friends = json_array();
    struct friend *entry, *next;
    HASH_ITER(hh, call->gateway->friend_map, entry, next)
    json_array_append_new(friends, json_of_friend(call->gateway, entry));
    call_done(call, json_pack("{s:o}", "friends", friends));
    return true;
}

bool do_friend_show(struct call *call, struct error **error)
{
    struct friend *entry = arg_friend(call, error);
    if (entry == NULL)
        return false;
    call_done(call, json_of_friend(call->gateway, entry));
    return true;
}

/* Takes what the command changed: discovery may have told more about the friend meanwhile. */
static void friend_set_stored(void *arg, const struct error *error)
{
    struct friend_write *work = arg;
    struct gateway *gateway = work->call->gateway;
    const struct friend_record *asked = &work->entry->record;
    struct friend *entry = NULL;
    struct error *refused = NULL;
    HASH_FIND(hh, gateway->friend_map, asked->location, 16, entry);
    if (error == NULL && entry == NULL)
        error_set(&refused, ERROR_NOT_FOUND, "the friend was removed meanwhile");
    if (error == NULL && entry != NULL) {
        struct friend_record record = entry->record;
        memcpy(record.name, asked->name, sizeof record.name);
        memcpy(record.addresses, asked->addresses, sizeof record.addresses);
        record.address_count = asked->address_count;
        /* Not the whole record: links that end meanwhile may tell a new one, with another key block. */
        if (gateway->friends == NULL || friends_update(gateway->friends, &record, &refused)) {
            memcpy(entry->record.name, asked->name, sizeof asked->name);
            memcpy(entry->record.addresses, asked->addresses, sizeof asked->addresses);
            entry->record.address_count = asked->address_count;
        }
    }
    if (error != NULL)
        call_fail_copy(work->call, error);
    else if (refused != NULL)
        call_fail(work->call, refused);
    else
        call_done(work->call, json_of_friend(gateway, entry));
    free(work->entry);
    free(work);
}

bool do_friend_set(struct call *call, struct error **error)
{
    struct gateway *gateway = call->gateway;
    struct friend *entry = arg_friend(call, error);
    if (entry == NULL || !ready(gateway, error))
        return false;
    struct friend_write *work = calloc(1, sizeof *work);
    struct friend *asked = calloc(1, sizeof *asked);
    struct store_batch *batch = store_begin(gateway->store);
    bool good = work != NULL && asked != NULL && batch != NULL;
    if (!good)
        error_set(error, ERROR_INTERNAL, "out of memory");
    if (good) {
        asked->record = entry->record;
        asked->added = entry->added;
        good = take_addresses(call, &asked->record, error);
    }
    if (!good) {
        store_discard(batch);
        free(asked);
        free(work);
        return false;
    }
    if (arg_has(call, "name"))
        text_copy(asked->record.name, sizeof asked->record.name, arg_text(call, "name"));
    *work = (struct friend_write){call, asked};
    put_friend(batch, asked);
    store_commit(batch, friend_set_stored, work);
    return true;
}

bool do_friend_connect(struct call *call, struct error **error)
{
    struct friend *entry = arg_friend(call, error);
    if (entry == NULL || !ready(call->gateway, error))
        return false;
    friends_connect_now(call->gateway->friends, entry->record.location);
    call_done(call, NULL);
    return true;
}

static void friend_deleted(void *arg, const struct error *error)
{
    struct friend_write *work = arg;
    if (error != NULL) {
        call_fail_copy(work->call, error);
    } else {
        struct gateway *gateway = work->call->gateway;
        struct friend *entry = NULL;
        HASH_FIND(hh, gateway->friend_map, work->entry->record.location, 16, entry);
        if (entry != NULL) {
            if (gateway->friends != NULL)
                friends_remove(gateway->friends, entry->record.location);
            HASH_DELETE(hh, gateway->friend_map, entry);
            buffer_free(&entry->key_block);
            free(entry);
        }
        call_done(work->call, NULL);
    }
    free(work->entry);
    free(work);
}

bool do_friend_remove(struct call *call, struct error **error)
{
    struct friend *entry = arg_friend(call, error);
    if (entry == NULL)
        return false;
    struct friend_write *work = calloc(1, sizeof *work);
    struct friend *copy = calloc(1, sizeof *copy);
    struct store_batch *batch = store_begin(call->gateway->store);
    if (work == NULL || copy == NULL || batch == NULL) {
        free(work);
        free(copy);
        if (batch != NULL)
            store_discard(batch);
        return error_set(error, ERROR_INTERNAL, "out of memory");
    }
    memcpy(copy->record.location, entry->record.location, 16);
    *work = (struct friend_write){call, copy};
    store_delete_friend(batch, entry->record.location);
    store_commit(batch, friend_deleted, work);
    return true;
}

bool do_attempts(struct call *call, struct error **error)
{
    if (!ready(call->gateway, error))
        return false;
    static struct friend_attempt attempts[64];
    json_t *list = json_array();
    size_t count = friends_attempts(call->gateway->friends, attempts, 64);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_of_attempt(&attempts[i]));
    call_done(call, json_pack("{s:o}", "attempts", list));
    return true;
}
