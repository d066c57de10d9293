/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_CONTACTS_H
#define RETROGATE_CORE_CONTACTS_H

#include "core/session.h"

struct contact *contact_by_handle(const struct account *account, const char *handle);
struct contact *contact_by_fingerprint(const struct account *account, const uint8_t fingerprint[20]);
/* By the last 8 bytes of the fingerprint: what the wire of 2013 carries. */
struct contact *contact_by_id(const struct account *account, const uint8_t id[8]);

/* A key from any text that carries one: armoured, certificate of a friend, certificate link. Appends the
 * cleaned block. */
bool key_from_text(struct buffer *block, const char *text, struct error **error);

/* Checks the key with the keyring, then stores the contact unless it is known, then calls `done` with it (or
 * NULL and the error). An id that another key of the account has is refused with both fingerprints. */
typedef void contact_fn(void *arg, struct contact *contact, const struct error *error);
bool contact_ensure(struct account *account, const char *key_text, const char *handle, const char *name,
                    contact_fn *done, void *arg, struct error **error);

/* The contact's conversation, or the one that offers under way will give it (contact->coming), made in memory
 * and not yet stored. NULL without memory. */
struct conversation *contact_conversation(struct contact *contact);
void contact_free(struct contact *contact);
/* The contact as it will be when the writes under way are committed: what the next row begins with. */
struct contact contact_as_asked(const struct contact *contact);

bool do_contact_add(struct call *call, struct error **error);
bool do_contact_list(struct call *call, struct error **error);
bool do_contact_show(struct call *call, struct error **error);
bool do_contact_set(struct call *call, struct error **error);
bool do_contact_remove(struct call *call, struct error **error);

bool do_conversation_list(struct call *call, struct error **error);
bool do_conversation_show(struct call *call, struct error **error);
bool do_conversation_open(struct call *call, struct error **error);
bool do_conversation_close(struct call *call, struct error **error);
bool do_conversation_avatar(struct call *call, struct error **error);
bool do_say(struct call *call, struct error **error);
bool do_withdraw(struct call *call, struct error **error);
bool do_resend(struct call *call, struct error **error);
bool do_typing(struct call *call, struct error **error);
bool do_read(struct call *call, struct error **error);

#endif
