/* SPDX-License-Identifier: ISC */
#include "session.h"

#include <stdio.h>
#include <string.h>

#include "wire/utf8.h"

/* Notices of posts. They are read elsewhere: here a person is told that one came, and what became of an own
 * one. What happened while the client was away is a single line. */
enum {
    LIST_MOST = 50,   /* posts looked at after log-in */
    PAGE_NOTICES = 5, /* of a kind, for one page of changes; the rest is counted */
    SUBJECT_POINTS = 60,
    SENDER_POINTS = 40,
    REASON_POINTS = 100,
    SHORT_SIZE = 4 * REASON_POINTS + 8,
};

static const struct {
    const char *many; /* behind the number of those that are not told one by one */
} kinds[] = {
    [NEWS_CAME] = {"more posts came"},
    [NEWS_DELIVERED] = {"more were delivered"},
    [NEWS_SENT] = {"more were sent, not confirmed"},
    [NEWS_FAILED] = {"more could not be delivered"},
};
_Static_assert(sizeof kinds / sizeof kinds[0] == NEWS_KINDS, "each kind of news has its words");

static const char where[] = "read it with your mail client or on the page";

static const char *notice_target(const struct client *client)
{
    return client->in_control ? CONTROL_CHANNEL : client->nick;
}

/* Foreign text on one line, at most so many characters of it. */
static const char *shorten(char out[SHORT_SIZE], const char *text, size_t points)
{
    char label[SHORT_SIZE];
    text_label(label, sizeof label, text);
    size_t size = utf8_prefix(bytes_of_string(label), points);
    snprintf(out, SHORT_SIZE, "%.*s%s", (int)size, label, label[size] != '\0' ? "…" : "");
    return out;
}

/* --- what is news
 * ------------------------------------------------------------------------------------------------- */

/* True once for each. `mark` grows in the main; what is older than all that are remembered is no news. */
static bool is_news(struct told *told, int64_t mark, int64_t seq, int64_t contact)
{
    if (mark <= told->floor)
        return false;
    for (size_t i = 0; i < TOLD_MOST; i++) {
        const struct told_one *one = &told->ones[i];
        if (one->mark == mark && one->seq == seq && one->contact == contact)
            return false;
    }
    struct told_one *one = &told->ones[told->next++ % TOLD_MOST];
    told->floor = one->mark > told->floor ? one->mark : told->floor;
    *one = (struct told_one){mark, seq, contact};
    return true;
}

/* False: it is only counted. */
static bool may_tell(struct client *client, enum news kind)
{
    return client->posts.told_now[kind]++ < PAGE_NOTICES;
}

void posts_page_end(struct client *client)
{
    for (size_t kind = 0; kind < NEWS_KINDS; kind++) {
        unsigned told = client->posts.told_now[kind];
        if (told > PAGE_NOTICES)
            client_notice(client, notice_target(client), "%u %s", told - PAGE_NOTICES, kinds[kind].many);
        client->posts.told_now[kind] = 0;
    }
}

/* --- as they happen
 * ----------------------------------------------------------------------------------------------- */

/* A good signature needs no word. */
static const char *verdict_word(const char *verdict)
{
    static const char *const words[][2] = {
        {"signed", ""},
        {"unsigned", " (not signed)"},
        {"bad-signature", " (WRONG SIGNATURE)"},
        {"unknown-sender", " (unknown sender)"},
        {"not-addressed", " (signed, but not to you)"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i][0], verdict) == 0)
            return words[i][1];
    }
    return " (not verified)";
}

static const char *subject_of(char out[SHORT_SIZE], const json_t *post)
{
    const char *subject = member_text(post, "subject");
    return *subject != '\0' ? shorten(out, subject, SUBJECT_POINTS) : "(no subject)";
}

static void tell_arrival(struct client *client, const json_t *post)
{
    char sender[SHORT_SIZE], subject[SHORT_SIZE];
    const struct peer *peer = peer_by_contact(client, member_integer(post, "contact"));
    const char *address = member_text(json_array_get(json_object_get(post, "from"), 0), "address");
    const char *verdict = member_text(post, "verdict");
    /* A locked one is told when it was opened; reports and answers stand in the mailbox. */
    if (strcmp(verdict, "locked") == 0 || strcmp(member_text(post, "kind"), "post") != 0 ||
        json_is_true(json_object_get(post, "seen")))
        return;
    int64_t seq = member_integer(post, "seq");
    if (!is_news(&client->posts.arrivals, seq, seq, 0) || !may_tell(client, NEWS_CAME))
        return;
    client_notice(client, notice_target(client), "Post from %s%s: %s – %s",
                  peer != NULL ? peer->handle : shorten(sender, address, SENDER_POINTS),
                  verdict_word(verdict), subject_of(subject, post), where);
}

static void tell_delivery(struct client *client, const json_t *post, const json_t *delivery)
{
    static const struct {
        const char *state;
        enum news kind;
        const char *begins, *ends;
    } rows[] = {
        {"delivered", NEWS_DELIVERED, "Delivered to", ""},
        {"not-confirmed", NEWS_SENT, "Sent to", ", not confirmed"},
        {"failed", NEWS_FAILED, "NOT delivered to", ""},
    };
    char handle[SHORT_SIZE], subject[SHORT_SIZE], reason[SHORT_SIZE];
    const char *state = member_text(delivery, "delivery"), *why = member_text(delivery, "reason");
    const char *name = member_text(delivery, "handle");
    size_t row = 0;
    while (row < sizeof rows / sizeof rows[0] && strcmp(rows[row].state, state) != 0)
        row++;
    /* To oneself or the gateway: no contact. */
    int64_t contact = member_integer(delivery, "contact");
    if (row == sizeof rows / sizeof rows[0] || contact == 0 ||
        !is_news(&client->posts.fates, member_integer(delivery, "since"), member_integer(post, "seq"),
                 contact) ||
        !may_tell(client, rows[row].kind))
        return;
    bool explained = rows[row].kind == NEWS_FAILED && *why != '\0';
    client_notice(client, notice_target(client), "%s %s%s: %s%s%s", rows[row].begins,
                  shorten(handle, *name != '\0' ? name : member_text(delivery, "address"), SENDER_POINTS),
                  rows[row].ends, subject_of(subject, post), explained ? " – " : "",
                  explained ? shorten(reason, why, REASON_POINTS) : "");
}

void posts_take(struct client *client, const json_t *post)
{
    size_t index;
    json_t *delivery;
    if (strcmp(member_text(post, "direction"), "in") == 0) {
        tell_arrival(client, post);
        return;
    }
    json_array_foreach(json_object_get(post, "deliveries"), index, delivery)
        tell_delivery(client, post, delivery);
}

/* --- after log-in
 * ------------------------------------------------------------------------------------------------- */

void posts_begin(struct client *client, const json_t *list)
{
    struct posts *posts = &client->posts;
    size_t index;
    json_t *post;
    *posts = (struct posts){.fates = {.floor = client_wall(client)},
                            .arrivals = {.floor = member_integer(json_array_get(list, 0), "seq")}};
    json_array_foreach(list, index, post)
    {
        if (json_is_true(json_object_get(post, "seen")) ||
            member_integer(post, "change") <= client->follow.at.change)
            continue;
        posts->missed++;
        posts->locked += strcmp(member_text(post, "verdict"), "locked") == 0;
    }
}

void posts_restart(struct client *client, int64_t seq)
{
    client->posts.arrivals = (struct told){.floor = seq};
}

json_t *posts_question(void)
{
    return json_pack("{s:s, s:s, s:i}", "do", "post.list", "box", "in", "max", LIST_MOST);
}

void posts_summary(struct client *client)
{
    const struct posts *posts = &client->posts;
    char locked[48] = "";
    if (posts->missed == 0)
        return;
    if (posts->locked > 0)
        snprintf(locked, sizeof locked, " (%u not opened yet)", posts->locked);
    client_notice(
        client, notice_target(client), "%s%u post%s came while you were away%s; \"posts\" lists the newest",
        posts->missed == LIST_MOST ? "At least " : "", posts->missed, posts->missed == 1 ? "" : "s", locked);
}
