/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_MIME_MIME_H
#define RETROGATE_MIME_MIME_H

#include "base/buffer.h"
#include "base/error.h"

/* The RFC 5322 form of posts, in and out, with GMime; HTML made safe, and as text, with libxml2. The stored
 * form of every post is such a message with CRLF line ends. Blocking and pure: computes on what is given; a
 * 25 MiB message takes some 100 ms, so large ones belong on the loop's pool. Thread-safe after mime_start().
 */

bool mime_start(struct error **error); /* once, before anything else */

enum {
    MIME_HEADERS_LIMIT = 2000,     /* header lines of a message and all its parts */
    MIME_HEADER_BYTES = 512 << 10, /* bytes of them */
    MIME_PARTS_LIMIT = 1000,
    MIME_DEPTH_LIMIT = 32,
    MIME_ADDRESSES_LIMIT = 1000,   /* in To and Cc together */
    MIME_TEXT_LIMIT = 262144,      /* bytes of text shown */
    MIME_PREVIEW = 200,            /* characters */
    MIME_MESSAGE_LIMIT = 36 << 20, /* bytes of a message */
    MIME_LINE_LIMIT = 998,         /* bytes of a line without its end (RFC 5322) */
    MIME_HTML_LIMIT = 1 << 20,     /* bytes of HTML that are read */
    MIME_WIRE_ID = 64,
};

/* --- people: the local names of an account in messages, fingerprints on the wire (POSTS.md §8). */
struct mime_person {
    char address[320]; /* "bob@distant.alt" */
    char name[128];    /* display name, "" for none */
};
struct mime_people {
    void *arg;
    const char *domain; /* "distant.alt" */
    /* Who has this address in the account (its own one too). False: nobody. */
    bool (*fingerprint_of)(void *arg, const char *address, uint8_t fingerprint[20]);
    /* How the account calls this key. Always something: an unknown one by its fingerprint. */
    void (*person_of)(void *arg, const uint8_t fingerprint[20], struct mime_person *out);
    /* The same for a PGP id or message hash of a classic post; false: not known. */
    bool (*person_of_id)(void *arg, const uint8_t id[8], struct mime_person *out);
    bool (*person_of_hash)(void *arg, const uint8_t hash[20], struct mime_person *out);
    /* The id that a client of the account gave to the post with this wire id, NULL: none. With NULL for the
     * function ids stay as they come. Threads: mime_summarise() of a content tells the ids it refers to; the
     * core looks them up as wire ids and answers from what it found. */
    const char *(*own_id)(void *arg, const char *wire_id);
    uint8_t id_key[32]; /* of the account, for Message-IDs */
};
/* What replaces a message id (without < >) on the wire. An id that has the form of a wire id already - of a
 * post that came, or was composed here - stays. False: it is too long. */
bool mime_wire_id(char out[MIME_WIRE_ID], const struct mime_people *people, const char *message_id);

/* --- what is told of a message in lists. Strings are UTF-8, cut, without control characters. */
struct mime_summary {
    char subject[256];
    char preview[MIME_PREVIEW * 4 + 1];
    char message_id[256];       /* without < > */
    char wire_id[MIME_WIRE_ID]; /* the one that replaces it on the wire; mime_submit() with people only */
    char in_reply_to[256];
    struct buffer references;   /* message ids, one a line, newest last, at most 50 */
    struct buffer from, to, cc; /* JSON arrays [{"address","name"}] as text */
    int64_t date;               /* Unix ms; 0: none */
    unsigned attachments;
    bool complete; /* false: it could only be read in part */
};
void mime_summary_free(struct mime_summary *summary);

/* --- sending */

/* A message as a client submitted it, any bytes: checked, put right (CRLF, Date, Message-ID, From as the
 * account's own), without Bcc recipients told to others: `own` is what the sender keeps. Errors tell what is
 * wrong with it and never quote it. */
struct mime_submission {
    const struct mime_person *sender;
    const struct mime_people *people; /* for the summary's wire id; NULL: it stays empty */
    int64_t now_ms;
    const char *message_id; /* used when it has none: "<random>@distant.alt" without < > */
};
bool mime_submit(struct buffer *own, struct mime_summary *summary, const struct mime_submission *submission,
                 struct bytes message, struct error **error);

/* The content of a sealed letter, from `own` (POSTS.md §8): fields reduced, people as fingerprints, ids
 * replaced; `autocrypt`: the account's key block, put in an Autocrypt field. The same for all recipients. */
bool mime_content(struct buffer *content, const struct mime_people *people, struct bytes autocrypt,
                  struct bytes own, struct error **error);

/* What a classic post can carry: subject and plain text (of HTML alone: as text; retroshare:// file links
 * stay text). ERROR_LIMIT: it has attachments or is over POST_CLASSIC_LIMIT; says so in words for a person.
 */
bool mime_classic(struct buffer *subject, struct buffer *body, struct bytes own, struct error **error);

/* A message from parts that a person typed (post.send with text). */
struct mime_attachment {
    const char *name, *type; /* type NULL or "": application/octet-stream */
    struct bytes data;
};
struct mime_draft {
    const struct mime_person *sender;
    const struct mime_person *to, *cc;
    size_t to_count, cc_count;
    const char *subject, *text;
    const char *in_reply_to; /* message ids without < >; NULL: none */
    const char *references;  /* one a line */
    const struct mime_attachment *attachments;
    size_t attachment_count;
    int64_t now_ms;
    const char *message_id;
    const char *auto_submitted; /* "auto-replied", NULL */
};
bool mime_compose(struct buffer *own, const struct mime_draft *draft, struct error **error);

/* --- receiving: what is stored. The verdict stands in a header in the style of Authentication-Results (RFC
 * 8601), made by us; what the sender wrote under such names, and all other fields that are not of POSTS.md
 * §8, is removed. From is always `from`. */
struct mime_arrival {
    const struct mime_people *people;
    struct mime_person from;
    uint8_t fingerprint[20]; /* of the sender; zeros: not known */
    const char *verdict;     /* "signed", "unsigned", ... as in api.md */
    const char *verdict_text;
    const char *protection, *level;
    const char *gateway;    /* authserv-id */
    struct bytes autocrypt; /* key block of the sender, verified; empty: none */
    int64_t received_ms, sent_ms;
    const char *own_address;
    const char *message_id; /* for a message that has none */
};
bool mime_receive_sealed(struct buffer *own, struct mime_summary *summary, const struct mime_arrival *arrival,
                         struct bytes content, struct error **error);
/* Subject and body of 2013 (XHTML of Qt or plain), file references as links in text and HTML. HTML goes into
 * the message made safe, beside its text. */
struct mime_file {
    struct bytes name;
    uint64_t size;
    uint8_t hash[20];
};
bool mime_receive_classic(struct buffer *own, struct mime_summary *summary,
                          const struct mime_arrival *arrival, struct bytes subject, struct bytes body,
                          struct bytes to_hashes, struct bytes cc_hashes, const struct mime_file *files,
                          size_t file_count, struct error **error);
/* The key in the Autocrypt field of a content, decoded and appended; false: none. It is not verified. */
bool mime_autocrypt_key(struct buffer *block, struct bytes content);

/* --- reports (RFC 3464): multipart/report; delivery-status */
struct mime_report_recipient {
    const char *address;
    const char *action;                /* failed, delayed, delivered, relayed */
    const char *status;                /* "5.1.1" */
    const char *reason;                /* for a person */
    int64_t last_attempt_ms, until_ms; /* 0: none */
};
struct mime_report {
    const struct mime_person *gateway, *recipient;
    const char *envelope; /* "", or the ENVID as it came */
    const struct mime_report_recipient *recipients;
    size_t count;
    bool full; /* return the whole message, else its header */
    int64_t now_ms, arrived_ms;
    const char *message_id;
};
bool mime_report(struct buffer *own, struct mime_summary *summary, const struct mime_report *report,
                 struct bytes original, struct error **error);

/* --- reading */
bool mime_summarise(struct mime_summary *summary, struct bytes message, struct error **error);

/* The addresses of a field ("To"), each with a line feed behind it, within the limits of a message. False: the
 * message cannot be read, or without memory. */
bool mime_addresses(struct buffer *lines, struct bytes message, const char *field, struct error **error);

struct mime_part {
    unsigned part; /* number, from 1 */
    char name[256];
    char type[128];
    uint64_t size; /* decoded */
    bool shown;    /* it is (part of) the text */
};
struct mime_view {
    struct buffer text; /* plain, at most MIME_TEXT_LIMIT */
    bool text_cut;
    struct buffer
        html; /* safe subset; empty: none. No scripts, styles that load, forms, frames, or anything remote */
    struct mime_part *parts; /* those that are attachments */
    size_t part_count;
    struct buffer headers; /* JSON [[name, value]], decoded */
};
bool mime_view(struct mime_view *view, struct bytes message, struct error **error);
void mime_view_free(struct mime_view *view);
/* Appends a part, decoded. ERROR_NOT_FOUND. */
bool mime_part_read(struct buffer *data, struct bytes message, unsigned part, struct error **error);
/* The plain text of a message that a person wrote to the gateway: without quotes and signature, lines of
 * verbs. */
bool mime_verbs(struct buffer *lines, struct bytes message, struct error **error);
/* A program wrote it by itself (RFC 3834 §2, §5): a note that somebody is away, a report. */
bool mime_automatic(struct bytes message);

/* --- HTML (also for chat): */
bool mime_html_safe(struct buffer *out, struct bytes html); /* what it cannot read becomes text */
bool mime_html_text(struct buffer *out, struct bytes html);

#endif
