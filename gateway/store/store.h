/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_STORE_STORE_H
#define RETROGATE_STORE_STORE_H

#include <uv.h>

#include "base/bytes.h"
#include "base/error.h"

/* What outlives the process (DESIGN §4). SQLite in WAL mode with synchronous=FULL on a thread of its own.
 * Small tables are read once at start into the memory of the core; lines stay on disk. Writes are collected
 * in batches; all batches that one turn of the loop submits become one transaction, each inside a savepoint,
 * so that one that fails does not fail the others. Everything is answered on the loop, never before the call
 * returns. SQL exists nowhere else. */
struct store;

enum {
    STORE_TEXT_LIMIT = 128 << 10, /* bytes of a line's text */
    STORE_BLOB_LIMIT = 64 << 20,  /* bytes of a blob */
    STORE_POST_INLINE = 64 << 10, /* bytes of a message that is kept in its row */
    STORE_PIECE_LIMIT = 1 << 20,  /* bytes of a blob in one read */
    STORE_WORDS_LIMIT = 256,      /* bytes of a label or of what is searched */
    STORE_POST_ID_LIMIT = 1000,   /* bytes of a message id: of more than a line none has */
    STORE_SEARCH_LINES = 20000,   /* looked at in one search, and */
    STORE_SEARCH_BYTES = 8 << 20, /* bytes of them: some 20 ms */
};

/* --- rows. Views are copied by the store when put; while loading they are valid only during the callback.
 * Times are Unix milliseconds. "wrapped" means under the vault key or an account key: the store does not know
 * the contents. No string is NULL; words are those named here; ids are greater than 0. A row that breaks this
 * fails its batch with ERROR_INVALID, one that takes a name or a used id with ERROR_EXISTS, one whose account
 * or conversation is missing with ERROR_NOT_FOUND. Ids of contacts, conversations, invites and app passwords
 * are unique in their account, those of routes in the store. */

struct node_row { /* one row */
    uint8_t fingerprint[20];
    uint8_t location[16];
    struct bytes key_block, certificate;
    struct bytes passphrase, private_key; /* in clear: a locked gateway still links and relays */
    const char *name;
};

struct friend_row {
    uint8_t location[16]; /* key */
    uint8_t fingerprint[20];
    const char *name; /* as the operator sees it */
    struct bytes key_block;
    bool verified;
    uint8_t pinned[32];
    const char *addresses; /* space-separated, in order */
    const char *dns;       /* "host:port" or "" */
    const char *hidden;    /* "host:port" or "" */
    int64_t added, last_seen;
};

struct account_row {
    int64_t id;           /* given by the caller: greater than any before, never reused */
    const char *name;     /* log-in name, unique, [a-z0-9_-]{1,24} */
    const char *password; /* crypt(5) hash; "" means: no log-in by password */
    uint8_t fingerprint[20];
    struct bytes key_block;
    struct bytes key_wrapped; /* the account's own key, under the vault key */
    struct bytes passphrase_wrapped;
    const char *settings; /* JSON object, the core's affair */
    int64_t epoch;
    int64_t last_seq, last_change; /* load: the highest ever used */
    int64_t created;
    bool is_operator;
};

struct app_password_row {
    int64_t id, account;
    const char *label;
    const char *scope; /* "irc", "mail", "web", "control", "*" */
    uint8_t sha256[32];
    const char *scram; /* SCRAM-SHA-256 verifier, RFC 5803 form */
    int64_t created, last_used;
    int64_t idle; /* seconds; 0: no limit. What it means is the core's affair */
};

struct contact_row {
    int64_t id, account;
    const char *handle;      /* unique in the account */
    const char *name;        /* display text */
    uint8_t fingerprint[20]; /* zeros: none */
    struct bytes key_block;
    const char *presence; /* always, open, never */
    const char *posts;    /* unknown, classic, sealed: how posts reach it; never lowered from sealed by a put,
                             see store_lower_posts(). NULL in a put: unknown */
    int64_t created, change;
};

struct conversation_row {
    int64_t id, account, contact;
    bool open;                  /* the person has it open: it may dig */
    int64_t read_seq, last_seq; /* positions in the account's log; never lowered by a put */
    int64_t unread;             /* load only: received lines above read_seq */
    int64_t closed_at;          /* 0: not closed by its owner */
    bool sealed;                /* was sealed once, and not lowered since */
    const char *avatar;         /* blob id or "" */
    const char *state_text;
    int64_t created, change;
};

struct route_row {
    int64_t id, account, conversation;
    const char *kind; /* classic, sealed, gxs */
    const char *role; /* guest, inviter */
    int64_t invite;   /* the invite it came from */
    uint8_t hash[20];
    struct bytes keys_wrapped; /* chat key, salt key and root, under the account key */
    uint64_t salt_next;        /* below 2^63; never lowered by a put */
    const char *sealing;       /* never, may, must (SEALED.md §4); of a route older than it: never */
    bool settled;              /* sealed: hash and key of the invite are wiped */
    uint8_t context[32];       /* C of SEALED.md §3 */
    uint64_t number_out;       /* sealed: highest number of an own line; never lowered by a put */
    uint64_t number_in;        /* highest number of a received one; never lowered by a put */
    uint64_t number_delivered; /* load only: highest number of an own line that is delivered; 0: none */
    int64_t parting; /* sealed: Unix ms when its person closed it; never lowered by a put; 0: not closed */
    bool confirmed;  /* carried a valid packet once */
    bool closed_by_peer;
    int64_t created, last_used;
};

struct invite_row {
    int64_t id, account, contact;
    bool own;                  /* else collected */
    struct bytes link_wrapped; /* empty once the offer has ended */
    int64_t expires;           /* Unix milliseconds */
    int64_t uses_left;         /* own; -1: no limit */
    const char *state;         /* open, used, revoked, expired */
    bool sealed, sealed_only;
    int64_t created, change;
};

struct line_row {
    int64_t account, seq; /* seq given by the caller, ever growing */
    int64_t conversation;
    int64_t route;         /* 0: none yet */
    const char *direction; /* in, out, note (of the gateway, shown in the conversation) */
    uint64_t number;       /* sealed: in its direction of the route, unique there; 0: none */
    struct bytes text;     /* UTF-8; kept byte by byte if it is not */
    int64_t time;          /* when stored here */
    int64_t peer_time;     /* what the sender's clock said; 0: own line */
    const char *delivery; /* in: received; out: queued, sent, not-confirmed, delivered, failed; note: received
                             or "" */
    const char *reason;
    const char *label; /* the client's own mark of an own line, "" */
    int64_t change;
};

/* A post (include/retrogate/api.md). Its seq is of the account's one log. Texts are UTF-8, all of them
 * together at most STORE_TEXT_LIMIT bytes. */
struct post_row {
    int64_t account, seq;
    const char *direction; /* in, out */
    const char *kind;      /* post, report, answer */
    int64_t contact;       /* 0: none */
    const char *subject, *preview;
    const char *from, *to, *cc; /* JSON arrays */
    const char *message_id, *wire_id, *in_reply_to;
    int64_t thread; /* seq of the first post of its thread; 0 in a put: that of the post whose message id or
                       wire id is in_reply_to, or else its own */
    int64_t time, peer_time;
    int64_t size; /* bytes of the message */
    int64_t attachments;
    struct bytes message; /* up to STORE_POST_INLINE bytes; empty when it is a blob */
    const char *blob;     /* blob id, or "" */
    bool seen, answered, flagged, is_signed;
    const char *verdict, *protection, *level; /* words of api.md, "" */
    const char *label;                        /* as of lines */
    const char *options;                      /* JSON object, the core's affair */
    int64_t change;
};

/* Of an own post, one for each recipient. */
struct delivery_row {
    int64_t account, seq; /* of the post */
    int64_t contact;      /* 0: oneself or the gateway */
    const char *address;  /* as it was given */
    const char *delivery; /* queued, not-confirmed, delivered, failed */
    const char *protection, *level;
    const char *reason;
    uint8_t message_id[16];
    int64_t until;       /* Unix ms: given up then */
    int64_t since;       /* of this delivery */
    int64_t next;        /* not tried before; 0: at once */
    int64_t warned;      /* a report told that it waits; 0: none yet */
    const char *options; /* JSON object, the core's affair */
};

struct post_link_row {
    int64_t id, account;
    uint8_t hash[20];
    int64_t expires;
    const char *state; /* open, expired, revoked */
    int64_t created, change;
};

/* A hash by which a contact takes posts, from a link of its own. */
struct post_way_row {
    int64_t account, contact;
    uint8_t hash[20];
    int64_t expires;
};

struct client_row { /* cursor of one client of a bridge */
    int64_t account;
    const char *name; /* "irc/phone" */
    int64_t epoch, change, seq;
    int64_t last_seen;
};

/* Called once for each row of each table, in the order of this struct, lines excepted. Any may be NULL. */
struct store_loader {
    void (*node)(void *arg, const struct node_row *row);
    void (*friend_)(void *arg, const struct friend_row *row);
    void (*account)(void *arg, const struct account_row *row);
    void (*app_password)(void *arg, const struct app_password_row *row);
    void (*contact)(void *arg, const struct contact_row *row);
    void (*conversation)(void *arg, const struct conversation_row *row);
    void (*route)(void *arg, const struct route_row *row);
    void (*invite)(void *arg, const struct invite_row *row);
    void (*client)(void *arg, const struct client_row *row);
    void (*post_link)(void *arg, const struct post_link_row *row);
    void (*post_way)(void *arg, const struct post_way_row *row);
    /* Those that are queued, by account and seq. */
    void (*queued_delivery)(void *arg, const struct delivery_row *row);
    /* Posts received and not opened yet (verdict `locked`), by account and seq, without `message`. */
    void (*locked_post)(void *arg, const struct post_row *row);
    /* Own lines still queued, in order: they must go out after a restart. */
    void (*queued_line)(void *arg, const struct line_row *row);
    /* Own lines with a number that are `sent`, by route and number: they are sent until they are delivered.
     */
    void (*sent_line)(void *arg, const struct line_row *row);
    /* Salts of a route's received lines. */
    void (*salt)(void *arg, int64_t route, uint64_t salt);
    /* Once: the highest id ever given to an account, app password, contact, conversation, route or invite,
     * also to one that is gone. New ids begin above it: what was removed is still known by its id to clients
     * and to the store. */
    void (*highest_id)(void *arg, int64_t id);
};

/* Opens or creates <directory>/retrogate.db (0600; the directory 0700), runs the numbered migrations, loads.
 * Blocks: only at start. The whole file is checked. A newer schema than ours is an error; a damaged file is
 * an error that says so; both change nothing. A second process on the same directory is refused. An open
 * store does not keep the loop alive, what it has still to answer does. */
struct store *store_open(uv_loop_t *loop, const char *directory, const struct store_loader *loader, void *arg,
                         struct error **error);
/* Finishes what is queued (reads and blobs too), answers it before it returns, closes. Batches begun and not
 * committed must be discarded, before or after; store_begin() gives NULL from now on. The memory is freed by
 * the loop, which must run once more. Blocks as long as what is queued takes: one transaction, beside the one
 * that is running. */
void store_close(struct store *store);
/* Hands over at once what this turn of the loop has committed. For who commits before the loop sleeps, in a
 * prepare callback: libuv would call the store's own, begun there, only when it has slept. */
void store_turn(struct store *store);

/* --- writing */
struct store_batch;
struct store_batch *store_begin(struct store *store); /* NULL without memory, or when the store is closing */
void store_discard(struct store_batch *batch);

void store_put_node(struct store_batch *batch, const struct node_row *row);
void store_put_friend(struct store_batch *batch, const struct friend_row *row);
void store_delete_friend(struct store_batch *batch, const uint8_t location[16]);
void store_put_account(struct store_batch *batch,
                       const struct account_row *row);                 /* counters are not lowered */
void store_delete_account(struct store_batch *batch, int64_t account); /* and all that is its own */
void store_put_app_password(struct store_batch *batch, const struct app_password_row *row);
void store_delete_app_password(struct store_batch *batch, int64_t account, int64_t id);
void store_put_contact(struct store_batch *batch, const struct contact_row *row);
void store_put_conversation(struct store_batch *batch, const struct conversation_row *row);
/* What it replaces is gone from all files once no batch waits. */
void store_put_route(struct store_batch *batch, const struct route_row *row);
void store_delete_route(struct store_batch *batch, int64_t account, int64_t id); /* and its salts */
void store_put_invite(struct store_batch *batch, const struct invite_row *row);
void store_put_client(struct store_batch *batch, const struct client_row *row);
void store_delete_client(struct store_batch *batch, int64_t account, const char *name);
/* A new line: one with this seq must not exist. Raises last_seq of account and conversation, and last_change.
 */
void store_put_line(struct store_batch *batch, const struct line_row *row);
/* Changes only delivery, reason, route and change of a line, which must exist. */
void store_set_delivery(struct store_batch *batch, int64_t account, int64_t seq, const char *delivery,
                        const char *reason, int64_t route, int64_t change);
/* The lines from first to last, which all must exist, are delivered, under numbers of change that go on from
 * `change`. */
void store_set_delivered(struct store_batch *batch, int64_t account, int64_t first, int64_t last,
                         int64_t change);
/* Salts of an existing route; one that is there already is no error. */
void store_put_salts(struct store_batch *batch, int64_t route, const uint64_t *salts, size_t count);
void store_set_salt_next(struct store_batch *batch, int64_t route, uint64_t salt_next);
/* An own line that is queued leaves on a sealed route: its number, route and delivery `sent`; the route's
 * number_out is raised to it. ERROR_NOT_FOUND when the line is not queued, ERROR_EXISTS when the number is
 * taken. */
void store_set_number(struct store_batch *batch, int64_t account, int64_t seq, int64_t route, uint64_t number,
                      int64_t change);
/* A number that was received without a line: raises the route's number_in. (store_put_line() of a received
 * line with a number does so too, and of an own one raises number_out.) */
void store_set_number_in(struct store_batch *batch, int64_t route, uint64_t number);
/* A number that was given to an own line whose commit failed: raises the route's number_out, so that it is
 * never used again. */
void store_set_number_out(struct store_batch *batch, int64_t route, uint64_t number);
/* --- posts */
/* A new post; its deliveries, and of one that came in its mark, go into the same batch. Raises last_seq and
 * last_change. Its blob must be there, else ERROR_NOT_FOUND: it may have been removed with another post since
 * it was put, then put it again. One whose batch fails is left to the next start: another post may name it.
 */
void store_put_post(struct store_batch *batch, const struct post_row *row);
/* In the place of one that is there (opened at last; flags). Same seq; its deliveries stay. Its old blob is
 * deleted when it is another. */
void store_replace_post(struct store_batch *batch, const struct post_row *row);
/* Each 1, 0, or -1: as it is. One that is not there is no error. */
void store_set_post_flags(struct store_batch *batch, int64_t account, int64_t seq, int seen, int answered,
                          int flagged, int64_t change);
/* For a delivery that changed: the post is told anew under this number. */
void store_set_post_change(struct store_batch *batch, int64_t account, int64_t seq, int64_t change);
/* Of an own post that is there; new, or in the place of the old for this contact. */
void store_put_delivery(struct store_batch *batch, const struct delivery_row *row);
/* With its deliveries and blob, unless another post names that too; a tombstone ("post", seq). One that is
 * not there is no error, and leaves none. */
void store_remove_post(struct store_batch *batch, int64_t account, int64_t seq, int64_t change);
/* What was received is known for 90 days. */
struct post_mark {
    uint8_t digest[32];
    uint8_t sender[20];     /* zeros: classic */
    uint8_t message_id[16]; /* zeros: classic */
    int64_t time;
};
/* ERROR_EXISTS fails the batch when either is known: so the same post cannot be stored twice. */
void store_put_post_mark(struct store_batch *batch, int64_t account, const struct post_mark *mark);
void store_put_post_link(struct store_batch *batch, const struct post_link_row *row);
void store_put_post_way(struct store_batch *batch,
                        const struct post_way_row *row); /* one for a contact and hash */
void store_delete_post_way(struct store_batch *batch, int64_t account, int64_t contact,
                           const uint8_t hash[20]);
void store_lower_posts(struct store_batch *batch, int64_t account, int64_t contact); /* back to unknown */
/* Removes a contact, conversation or invite (kind: "contact", "conversation", "invite") and keeps a tombstone
 * under this change number, so that clients with an old cursor learn of it. A conversation takes its lines
 * and routes with it.
 *
 * Deleting is one short transaction; from its commit on nothing shows what was removed. Lines, salts and
 * blobs are then deleted in pieces of some milliseconds whenever no batch waits, also after a restart.
 * Deleting what is not there is no error. */
void store_remove(struct store_batch *batch, int64_t account, const char *kind, int64_t id, int64_t change);

typedef void store_done_fn(void *arg, const struct error *error); /* NULL: committed, durable */
/* Frees the batch in any case. ERROR_UNAVAILABLE with "disk full" when it is so. A batch that needed memory
 * it did not get fails as a whole. `done` may be NULL. A batch
 * that is NULL does nothing and is not answered. */
void store_commit(struct store_batch *batch, store_done_fn *done, void *arg);

/* --- reading, on the read connection. A read sees every batch that was answered before it was asked for. At
 * most 1,000 lines a time. `done` is always called, once; only without memory for the request itself before
 * the call returns. */
typedef void store_line_fn(void *arg, const struct line_row *row);
/* `more`: what is older than `before`, with which to go on, was not looked at. */
typedef void store_searched_fn(void *arg, int64_t before, bool more, const struct error *error);
typedef void store_gone_fn(void *arg, const char *kind, int64_t id, int64_t change);

/* Lines of an account with change > after, at most max, in the order of their change. Calls line for each,
 * then done. */
void store_lines_changed(struct store *store, int64_t account, int64_t after, unsigned max,
                         store_line_fn *line, store_done_fn *done, void *arg);
/* Tombstones with change > after. */
void store_gone(struct store *store, int64_t account, int64_t after, store_gone_fn *gone, store_done_fn *done,
                void *arg);
/* Lines of a conversation, newest first, with seq < before (INT64_MAX: from the end), at most max. */
void store_history(struct store *store, int64_t account, int64_t conversation, int64_t before, unsigned max,
                   store_line_fn *line, store_done_fn *done, void *arg);
/* Lines of a conversation, oldest first, with seq > after, at most max. */
void store_history_after(struct store *store, int64_t account, int64_t conversation, int64_t after,
                         unsigned max, store_line_fn *line, store_done_fn *done, void *arg);
/* Own lines of a route that are `sent` with a number > above, by number, at most max: for who had no memory
 * to keep them. */
void store_sent_lines(struct store *store, int64_t route, uint64_t above, unsigned max, store_line_fn *line,
                      store_done_fn *done, void *arg);
/* The newest line of a conversation with this label, if there is one. */
void store_labelled(struct store *store, int64_t account, int64_t conversation, const char *label,
                    store_line_fn *line, store_done_fn *done, void *arg);

/* --- posts. Views are valid during the callback; `deliveries` are those of the post. */
typedef void store_post_fn(void *arg, const struct post_row *row, const struct delivery_row *deliveries,
                           size_t count);
/* Without `message` (its bytes are empty), like the next ones. */
void store_posts_changed(struct store *store, int64_t account, int64_t after, unsigned max,
                         store_post_fn *post, store_done_fn *done, void *arg);
/* Newest first, seq < before. box: "in", "out", "all"; thread 0: any. */
struct store_posts {
    int64_t account;
    const char *box;
    int64_t thread;
    int64_t before;
    unsigned max;
    const char *text; /* "": any; else in subject, addresses or preview, in capitals or not; bounded like
                         store_search() */
};
void store_posts(struct store *store, const struct store_posts *wanted, store_post_fn *post,
                 store_searched_fn *done, void *arg);
/* One post; its message too when it is inline. ERROR_NOT_FOUND. */
void store_post(struct store *store, int64_t account, int64_t seq, store_post_fn *post, store_done_fn *done,
                void *arg);
/* The post with this label; or by message id or wire id (either field): nothing when there is none. */
void store_post_labelled(struct store *store, int64_t account, const char *label, store_post_fn *post,
                         store_done_fn *done, void *arg);
void store_post_by_id(struct store *store, int64_t account, const char *message_id, store_post_fn *post,
                      store_done_fn *done, void *arg);
/* known: either the digest, or sender and message id when they are not zeros. */
typedef void store_known_fn(void *arg, bool known, const struct error *error);
void store_post_known(struct store *store, int64_t account, const struct post_mark *mark,
                      store_known_fn *done, void *arg);

/* Lines whose text holds `text`, in capitals or not, in any script. Newest first, from below `before` on. */
struct store_search {
    int64_t account;
    int64_t conversation; /* 0: all */
    const char *text;
    int64_t before;
    unsigned max;
};
/* Looks at STORE_SEARCH_LINES or STORE_SEARCH_BYTES at most: other reads wait meanwhile. */
void store_search(struct store *store, const struct store_search *wanted, store_line_fn *line,
                  store_searched_fn *done, void *arg);

/* --- blobs: files <directory>/blobs/<account>/<sha256 hex>, written under a temporary name, fsync, rename.
 * `id` and `data` are valid during the callback; data is empty after a put. What no conversation or post
 * names is removed when the store is opened: a crash may have come between a blob and its row, or its end. */
typedef void store_blob_fn(void *arg, const char *id, struct bytes data, const struct error *error);
void store_blob_put(struct store *store, int64_t account, struct bytes data, store_blob_fn *done, void *arg);
/* A piece: at most `size` bytes from `offset`; empty at the end. */
void store_blob_read(struct store *store, int64_t account, const char *id, uint64_t offset, size_t size,
                     store_blob_fn *done, void *arg);
/* In its turn with puts and reads. Not being there is no error. Nobody hears of it: what is left is removed
 * at the next start. */
void store_blob_delete(struct store *store, int64_t account, const char *id);

struct store_stats {
    uint64_t transactions, batches, failed;
    uint64_t last_commit_us;
    bool disk_full;
};
void store_stats(const struct store *store, struct store_stats *out);

#endif
