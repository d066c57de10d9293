/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MAIL_POP3_H
#define RETROGATE_MAIL_POP3_H

#include "pop3_codec.h"
#include "session.h"

/* POP3 (RFC 1939): what is kept of a session. The table of commands is in pop3.c; the maildrop, which is the
 * inbox as it was at the log-in, in pop3_drop.c. */

extern const struct service pop3_service;

enum {
    POP3_MESSAGES = 10000, /* the newest are shown; the others follow when these were taken */
    POP3_STRANGE = 10,     /* unknown commands before the end */
};

struct pop3_message {
    int64_t seq;
    uint32_t size; /* octets */
    bool deleted;  /* at QUIT */
};

struct pop3 {
    char user[256]; /* said with USER */
    unsigned strange;

    bool open; /* the maildrop is there */
    int64_t epoch;
    struct pop3_message *messages; /* oldest first; while they are read, newest first */
    size_t count, room;

    /* RETR and TOP: */
    size_t reading; /* index of the message that is being sent */
    uint64_t offset;
    bool begun;
    struct pop3_body body;
    bool waiting; /* for the client to take what was written */

    size_t removing; /* QUIT: the next to look at */
};

static inline struct pop3 *pop3_of(struct session *session)
{
    return session->state;
}

/* "-ERR [code] text"; `code` may be NULL. */
void pop3_refuse(struct session *session, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pop3_refuse_error(struct session *session, const struct error *error);

/* Reads the list of the inbox, and says how many there are. */
void pop3_drop_open(struct session *session);
/* Sends the message with this index; `lines` of its body or POP3_ALL. */
void pop3_drop_send(struct session *session, size_t index, int64_t lines);
void pop3_drop_drained(struct session *session);
/* Removes what was deleted, says how that went, and ends the session. */
void pop3_drop_quit(struct session *session);

#endif
