/* SPDX-License-Identifier: ISC */
#include "core/post_people.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/text.h"

/* --- the picture */

static bool enter(struct people *people, const char *handle, const char *name, const uint8_t fingerprint[20],
                  int64_t contact)
{
    struct person *person = &people->persons[people->count++], *other;
    person->contact = contact;
    text_copy(person->handle, sizeof person->handle, handle);
    text_copy(person->name, sizeof person->name, name);
    memcpy(person->fingerprint, fingerprint, sizeof person->fingerprint);
    HASH_FIND(by_handle, people->handles, person->handle, strlen(person->handle), other);
    person->hidden = other != NULL;
    bool good = post_universal_hash(person->hash, fingerprint + 12);
    if (!person->hidden) {
        HASH_ADD(by_handle, people->handles, handle, strlen(person->handle), person);
        good = good && person->by_handle.tbl != NULL;
    }
    HASH_ADD(by_fingerprint, people->fingerprints, fingerprint, sizeof person->fingerprint, person);
    HASH_ADD(by_id, people->ids, fingerprint[12], 8, person);
    HASH_ADD(by_hash, people->hashes, hash, sizeof person->hash, person);
    return good && person->by_fingerprint.tbl != NULL && person->by_id.tbl != NULL &&
           person->by_hash.tbl != NULL;
}

static void people_free(struct people *people)
{
    HASH_CLEAR(by_handle, people->handles);
    HASH_CLEAR(by_fingerprint, people->fingerprints);
    HASH_CLEAR(by_id, people->ids);
    HASH_CLEAR(by_hash, people->hashes);
    free(people->persons);
    free(people);
}

static struct people *people_new(const struct account *account)
{
    struct people *people = calloc(1, sizeof *people);
    if (people == NULL)
        return NULL;
    people->persons = calloc(HASH_COUNT(account->contacts) + 1, sizeof *people->persons);
    text_copy(people->domain, sizeof people->domain, account->gateway->mail_domain);
    people->references = 1;
    bool good =
        people->persons != NULL && enter(people, account->name, account->person, account->fingerprint, 0);
    const struct contact *contact;
    for (contact = account->contacts; good && contact != NULL; contact = contact->hh.next)
        good = enter(people, contact->naming.handle, contact->naming.name, contact->fingerprint, contact->id);
    if (good)
        return people;
    people_free(people);
    return NULL;
}

struct people *people_of(struct account *account)
{
    if (account->posts.people == NULL)
        account->posts.people = people_new(account);
    if (account->posts.people != NULL)
        account->posts.people->references++;
    return account->posts.people;
}

void people_release(struct people *people)
{
    if (people != NULL && --people->references == 0)
        people_free(people);
}

void people_changed(struct account *account)
{
    people_release(account->posts.people);
    account->posts.people = NULL;
}

/* --- addresses */

/* The part before the domain, in small letters; false when it is of another domain or too long. */
static bool local_part(const struct people *people, const char *address, char local[64])
{
    size_t size = strlen(address);
    if (size >= 2 && address[0] == '<' && address[size - 1] == '>') {
        address++;
        size -= 2;
    }
    const char *at = memchr(address, '@', size);
    if (at != NULL) {
        struct bytes domain = bytes_of(at + 1, size - (size_t)(at + 1 - address));
        if (domain.size != strlen(people->domain) ||
            strncasecmp((const char *)domain.data, people->domain, domain.size) != 0)
            return false;
        size = (size_t)(at - address);
    }
    if (size == 0 || size >= 64)
        return false;
    for (size_t i = 0; i < size; i++)
        local[i] = (char)(address[i] >= 'A' && address[i] <= 'Z' ? address[i] - 'A' + 'a' : address[i]);
    local[size] = '\0';
    return true;
}

enum addressee people_find(const struct people *people, const char *address, const struct person **person)
{
    char local[64];
    uint8_t key[20];
    struct person *found = NULL;
    *person = NULL;
    if (!local_part(people, address, local))
        return ADDRESSEE_UNKNOWN;
    size_t size = strlen(local);
    if (strcmp(local, "gateway") == 0)
        return ADDRESSEE_GATEWAY;
    HASH_FIND(by_handle, people->handles, local, size, found);
    if (found == NULL && hex_parse(key, 20, local, size))
        HASH_FIND(by_fingerprint, people->fingerprints, key, 20, found);
    if (found == NULL && hex_parse(key, 8, local, size))
        HASH_FIND(by_id, people->ids, key, 8, found);
    *person = found;
    if (found == NULL)
        return ADDRESSEE_UNKNOWN;
    return found->contact == 0 ? ADDRESSEE_SELF : ADDRESSEE_CONTACT;
}

enum addressee people_need(const struct people *people, const char *address, const struct person **person,
                           struct error **error)
{
    enum addressee found = people_find(people, address, person);
    char local[64];
    if (found != ADDRESSEE_UNKNOWN)
        return found;
    if (!local_part(people, address, local))
        error_set(
            error, ERROR_NOT_FOUND,
            "only addresses at %s are reached from here: the handle, the fingerprint or the PGP id of a "
            "contact before the @",
            people->domain);
    else
        error_set(
            error, ERROR_NOT_FOUND,
            "nobody has this address: it is the handle, the fingerprint or the PGP id of a contact; see "
            "the list of contacts, or add the public key of a new one");
    return ADDRESSEE_UNKNOWN;
}

static void address_of(const struct people *people, const struct person *person, char out[POST_ADDRESS_SIZE])
{
    char fingerprint[41];
    hex_lower(fingerprint, person->fingerprint, sizeof person->fingerprint);
    snprintf(out, POST_ADDRESS_SIZE, "%s@%s", person->hidden ? fingerprint : person->handle, people->domain);
}

struct mime_person person_in_mime(const struct people *people, const struct person *person)
{
    struct mime_person out = {.address = ""};
    if (person != NULL) {
        address_of(people, person, out.address);
        text_copy(out.name, sizeof out.name, person->name);
    } else {
        snprintf(out.address, sizeof out.address, "gateway@%s", people->domain);
        text_copy(out.name, sizeof out.name, "retrogate");
    }
    return out;
}

/* --- for the MIME room */

static bool fingerprint_of(void *arg, const char *address, uint8_t fingerprint[20])
{
    const struct people_view *view = arg;
    const struct person *person;
    if (people_find(view->people, address, &person) == ADDRESSEE_UNKNOWN || person == NULL)
        return false;
    memcpy(fingerprint, person->fingerprint, 20);
    return true;
}

static void person_of(void *arg, const uint8_t fingerprint[20], struct mime_person *out)
{
    const struct people *people = ((const struct people_view *)arg)->people;
    struct person *person;
    HASH_FIND(by_fingerprint, people->fingerprints, fingerprint, 20, person);
    if (person != NULL) {
        *out = person_in_mime(people, person);
        return;
    }
    char text[41];
    hex_lower(text, fingerprint, 20);
    *out = (struct mime_person){.address = ""};
    snprintf(out->address, sizeof out->address, "%s@%s", text, people->domain);
}

static bool person_of_id(void *arg, const uint8_t id[8], struct mime_person *out)
{
    const struct people *people = ((const struct people_view *)arg)->people;
    struct person *person;
    HASH_FIND(by_id, people->ids, id, 8, person);
    if (person != NULL)
        *out = person_in_mime(people, person);
    return person != NULL;
}

static bool person_of_hash(void *arg, const uint8_t hash[20], struct mime_person *out)
{
    const struct people *people = ((const struct people_view *)arg)->people;
    struct person *person;
    HASH_FIND(by_hash, people->hashes, hash, 20, person);
    if (person != NULL)
        *out = person_in_mime(people, person);
    return person != NULL;
}

static const char *own_id(void *arg, const char *wire_id)
{
    const struct people_view *view = arg;
    for (size_t i = 0; i < view->id_count; i++) {
        if (strcmp(view->ids[i].wire_id, wire_id) == 0)
            return view->ids[i].own_id;
    }
    return NULL;
}

struct mime_people people_for_mime(const struct people_view *view, const struct account *account)
{
    static const char label[] = "retrogate post ids";
    struct mime_people out = {.arg = (void *)(uintptr_t)view,
                              .domain = view->people->domain,
                              .fingerprint_of = fingerprint_of,
                              .person_of = person_of,
                              .person_of_id = person_of_id,
                              .person_of_hash = person_of_hash,
                              .own_id = own_id};
    unsigned size = sizeof out.id_key;
    HMAC(EVP_sha256(), account->key, sizeof account->key, (const uint8_t *)label, sizeof label - 1,
         out.id_key, &size);
    return out;
}
