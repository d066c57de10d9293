/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_PEOPLE_H
#define RETROGATE_CORE_POST_PEOPLE_H

#include "core/posts.h"
#include "mime/mime.h"

/* Who has which address in an account: a picture of its contacts that never changes, so that MIME work off
 * the loop can look into it. It is made anew after contacts have changed. */

struct person {
    int64_t contact; /* id; 0: oneself */
    char handle[HANDLE_SIZE];
    char name[NAME_SIZE];
    uint8_t fingerprint[20]; /* its last 8 bytes are the PGP id */
    uint8_t hash[20];        /* universal message hash */
    bool hidden;             /* the handle is the account's own name: shown by the fingerprint */
    UT_hash_handle by_handle, by_fingerprint, by_id, by_hash;
};

struct people {
    unsigned references; /* of the loop's thread */
    char domain[128];
    size_t count;
    struct person *persons;
    struct person *handles, *fingerprints, *ids, *hashes;
};

/* A new reference; NULL without memory. */
struct people *people_of(struct account *account);
void people_release(struct people *people); /* NULL is fine */
/* Contacts were added, changed or removed. */
void people_changed(struct account *account);

enum addressee { ADDRESSEE_UNKNOWN, ADDRESSEE_CONTACT, ADDRESSEE_SELF, ADDRESSEE_GATEWAY };
/* `<handle | fingerprint | PGP id>@<domain>` in any case, in angle brackets or without, or without a domain.
 */
enum addressee people_find(const struct people *people, const char *address, const struct person **person);
/* The same, with an error that tells what addresses there are. */
enum addressee people_need(const struct people *people, const char *address, const struct person **person,
                           struct error **error);
/* How this person stands in messages; `person` NULL: the gateway. */
struct mime_person person_in_mime(const struct people *people, const struct person *person);

/* What the MIME room is told: the people, and ids that stand for wire ids in what arrives. */
struct known_id {
    char wire_id[MIME_WIRE_ID];
    char own_id[256];
};
struct people_view {
    const struct people *people;
    const struct known_id *ids;
    size_t id_count;
};
/* `view` and what it names must outlive it. The id key in it is a secret. */
struct mime_people people_for_mime(const struct people_view *view, const struct account *account);

#endif
