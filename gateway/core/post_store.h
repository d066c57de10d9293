/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CORE_POST_STORE_H
#define RETROGATE_CORE_POST_STORE_H

#include "core/posts.h"
#include "mime/mime.h"

/* Posts that come into the inbox: what arrived, reports, answers to verbs. */

/* Made with calloc. What is set is taken. */
struct inbox_post {
    struct account *account;
    const char *kind; /* post, report, answer */
    int64_t contact;  /* 0: none */
    const char *verdict, *protection, *level;
    int64_t peer_time;
    bool is_signed, marked;
    struct post_mark mark; /* when `marked` */
    int64_t replaces;      /* seq of the row in whose place it comes; 0: a new one */
    int64_t received;      /* Unix ms */
    char *options;         /* JSON object, of malloc; NULL: none */
    struct buffer message;
    struct mime_summary summary;
    post_stored_fn *done; /* NULL: nobody waits */
    void *arg;

    /* of the commit */
    int64_t seq, change, thread;
    char blob[65];
    bool again;
    json_t *post;
};

/* Writes message and row, tells it, then `done`; frees it. Never answers before it returns. */
void inbox_store(struct inbox_post *inbox);
void inbox_free(struct inbox_post *inbox);
/* Without a commit; in a later turn. */
void inbox_refuse(struct inbox_post *inbox, enum error_code code, const char *text);

/* The thread of the post that has this message id; 0: none. Later. */
typedef void thread_fn(void *arg, int64_t thread);
void thread_find(struct account *account, const char *message_id, thread_fn *done, void *arg);

/* JSON of people as text for a row, as much of it as a row takes; NULL without memory. free() frees it. */
char *people_row_text(const struct buffer *field);

#endif
