/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_SEND_H
#define RETROGATE_CORE_POST_SEND_H

#include "core/post_people.h"
#include "core/session.h"
#include "core/uploads.h"

/* A post on its way from a command into the store: arguments (post_send.c), the message (post_compose.c), the
 * commit (post_commit.c). */

enum {
    POST_TEXT_MAX = 262144, /* bytes of a text that is typed */
    POST_SUBJECT_MAX = 900,
    POST_ATTACHMENTS = 64,
    POST_ENVELOPE_MAX = 100,
    POST_LABEL_MAX = 64,
    /* What the sealed form adds to a message is taken from its limit. */
    POST_SIZE_LIMIT = POST_CONTENT_LIMIT - (64 << 10),
    /* Bytes of a submitted message: base64 in it may have been wrapped and encoded more widely than ours. */
    POST_SUBMIT_LIMIT = 35 << 20,
};

enum { NOTIFY_SUCCESS = 1, NOTIFY_FAILURE = 2, NOTIFY_DELAY = 4 };

struct recipient {
    const struct person *person; /* NULL: the gateway */
    char address[POST_ADDRESS_SIZE];
    bool cc;  /* of a typed post */
    bool bcc; /* found in no field of the message */
    bool lowered;
    bool classic; /* it can only be reached by a classic post */
    uint8_t notify;
};

struct attached {
    struct upload *upload;
    const char *name, *type; /* of the call's arguments */
};

struct sending {
    struct account *account;
    struct call *call; /* its arguments live as long as it does */
    struct people *people;
    struct people_view view; /* the same for the MIME room: */
    struct mime_people mime;
    struct recipient recipients[POSTS_RECIPIENTS];
    size_t count;
    bool to_self, to_gateway;
    bool sign, headers_only;
    int64_t wait; /* seconds */
    int64_t now;  /* Unix ms */
    char envelope[POST_ENVELOPE_MAX + 1];
    char label[POST_LABEL_MAX + 1];

    /* what the message is made of */
    struct buffer given; /* RFC 5322 text */
    struct upload *upload;
    bool typed;
    int64_t reply_to;
    struct buffer answered, in_reply_to, references;
    struct attached attachments[POST_ATTACHMENTS];
    size_t attachment_count;
    size_t size; /* of all of it */
    bool large;  /* counted in account->posts.reads */

    /* the message */
    char message_id[64];
    struct buffer own;
    struct mime_summary summary;
    struct error *error;

    /* Takes the answer of `post.send`, or is told why there is none. */
    void (*answer)(void *arg, json_t *answer, const struct error *error);
    void *arg;
};

/* Makes the message, then stores the post; answers in any case, never before it returns, and frees it. */
void sending_start(struct sending *sending);
void sending_commit(struct sending *sending);
/* Answers (takes the reference) and frees. */
void sending_end(struct sending *sending, json_t *answer, const struct error *error);
void sending_free(struct sending *sending);

bool do_post_send(struct call *call, struct error **error);
bool do_post_address(struct call *call, struct error **error);

/* Bytes of the largest message that reaches a contact. */
int64_t post_limit_of(const struct contact *contact);
/* It takes sealed posts only, as far as is known. */
bool contact_is_sealed(const struct contact *contact);

#endif
