/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_SUBMISSION_H
#define RETROGATE_MAIL_SUBMISSION_H

#include "session.h"
#include "smtp.h"

/* SMTP submission (RFC 6409): what is kept of a session. The table of commands is in submission.c, the
 * message's way to the gateway in submission_message.c. */

extern const struct service submission_service;

enum {
    SUBMISSION_RECIPIENTS = 100,  /* of a transaction (RFC 5321 §4.5.3.1.8) */
    SUBMISSION_PIECE = 256 << 10, /* a message of one piece goes whole into its command */
    SUBMISSION_STRANGE = 10,      /* unknown commands before the end */
};

/* One transaction, from MAIL to its answer. */
struct submission_message {
    struct buffer piece; /* bytes not yet given to the gateway */
    struct smtp_data data;
    bool chunked;        /* BDAT, not DATA */
    bool last;           /* the last chunk, or the end of DATA */
    uint64_t chunk;      /* bytes of it still to come */
    uint64_t chunk_size; /* for the answer */
    uint64_t size;       /* bytes of the message so far */
    int64_t upload;      /* 0: none */
    uint64_t uploaded;
    struct smtp_reply refusal; /* code 0: none. The rest is swallowed */
    char refusal_text[512];
};

struct submission {
    bool hello, extended, mail;
    unsigned strange;
    struct smtp_mail sender;
    struct smtp_rcpt rcpt; /* being asked for */
    json_t *to;            /* addresses; NULL: no transaction */
    bool notify_said;
    uint8_t notify[SUBMISSION_RECIPIENTS]; /* of each of `to` */
    bool chunks;                           /* BDAT has begun */
    struct submission_message message;
};

static inline struct submission *submission_of(struct session *session)
{
    return session->state;
}

/* Code, enhanced code and text; only ASCII leaves. */
void submission_reply(struct session *session, unsigned code, const char *status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void submission_answer(struct session *session, const struct smtp_reply *reply);
/* What the gateway refused: `about_recipient` in RCPT, else of the message. The text is the error's. */
struct smtp_reply submission_error(const struct error *error, bool about_recipient);
/* Forgets the transaction. */
void submission_reset(struct session *session);

/* Bytes to come: a whole message in the form of DATA, or a chunk of `size` bytes. */
void submission_data(struct session *session);
void submission_chunk(struct session *session, uint64_t size, bool last, const struct smtp_reply *refusal);
size_t submission_take(struct session *session, struct bytes bytes);

#endif
