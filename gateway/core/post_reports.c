/* SPDX-License-Identifier: ISC */
#include "core/post_reports.h"

#include <stdlib.h>
#include <string.h>

#include "core/post_message.h"
#include "core/post_people.h"
#include "core/post_queue.h"
#include "core/post_rows.h"
#include "core/post_send.h"
#include "core/post_store.h"
#include "core/write.h"

enum fate { FATE_FAILED, FATE_EXPIRED, FATE_DELAYED, FATE_DELIVERED, FATE_RELAYED };

static const struct {
    const char *action, *status, *reason;
    uint8_t notify; /* who asked for this */
} fates[] = {
    [FATE_FAILED] = {"failed", "5.0.0", "it was not taken", NOTIFY_FAILURE},
    [FATE_EXPIRED] = {"failed", "4.4.7", "the other side was not reached in time", NOTIFY_FAILURE},
    [FATE_DELAYED] = {"delayed", "4.4.1", "the other side was not reached yet; it is tried further",
                      NOTIFY_DELAY},
    [FATE_DELIVERED] = {"delivered", "2.1.5", "the other gateway has stored it", NOTIFY_SUCCESS},
    [FATE_RELAYED] = {"relayed", "2.0.0",
                      "it was handed over as a classic post, for which there are no receipts",
                      NOTIFY_SUCCESS},
};

struct reported {
    char address[POST_ADDRESS_SIZE];
    char reason[256];
    int64_t until;
};

/* One report: what happened in one turn to recipients of one post. */
struct post_report {
    struct account *account;
    int64_t seq, time;
    enum fate fate;
    struct reported recipients[POSTS_RECIPIENTS];
    size_t count;

    /* the message that it is made of */
    struct buffer original;
    struct mime_person gateway, person;
    char envelope[POST_ENVELOPE_MAX + 1], message_id[64];
    bool full;
    struct inbox_post *inbox;
    struct error *error;
    struct post_report *prev, *next; /* account->posts.reports: still being gathered */
};

static void report_free(struct post_report *report)
{
    buffer_free(&report->original);
    if (report->inbox != NULL)
        inbox_free(report->inbox);
    error_free(report->error);
    free(report);
}

/* --- making it */

static void make(void *arg)
{
    struct post_report *report = arg;
    struct mime_report_recipient recipients[POSTS_RECIPIENTS];
    for (size_t i = 0; i < report->count; i++) {
        const struct reported *reported = &report->recipients[i];
        bool waits = report->fate == FATE_DELAYED;
        recipients[i] = (struct mime_report_recipient){
            .address = reported->address,
            .action = fates[report->fate].action,
            .status = fates[report->fate].status,
            .reason = reported->reason[0] != '\0' ? reported->reason : fates[report->fate].reason,
            .until_ms = waits ? reported->until : 0,
        };
    }
    const struct mime_report said = {
        .gateway = &report->gateway,
        .recipient = &report->person,
        .envelope = report->envelope,
        .recipients = recipients,
        .count = report->count,
        .full = report->full && report->fate <= FATE_EXPIRED,
        .now_ms = report->inbox->received,
        .arrived_ms = report->time,
        .message_id = report->message_id,
    };
    mime_report(&report->inbox->message, &report->inbox->summary, &said, buffer_view(&report->original),
                &report->error);
}

static void made(void *arg, bool ran)
{
    struct post_report *report = arg;
    if (ran && report->error == NULL && !report->account->removed) {
        struct inbox_post *inbox = report->inbox;
        report->inbox = NULL;
        inbox_store(inbox);
    }
    report_free(report);
}

static void read_options(struct post_report *report, const char *text)
{
    json_t *options = json_loads(text, 0, NULL);
    const char *envelope = json_string_value(json_object_get(options, "envelope"));
    snprintf(report->envelope, sizeof report->envelope, "%s", envelope != NULL ? envelope : "");
    report->full = !json_is_true(json_object_get(options, "headers_only"));
    json_decref(options);
}

static void fetched(void *arg, struct fetched_post *post, const struct error *error)
{
    struct post_report *report = arg;
    struct account *account = report->account;
    struct people *people = error == NULL && !account->removed ? people_of(account) : NULL;
    struct person *self = NULL;
    report->inbox = people != NULL ? calloc(1, sizeof *report->inbox) : NULL;
    if (report->inbox == NULL) { /* the post was deleted: nobody asks for it any more */
        people_release(people);
        report_free(report);
        return;
    }
    HASH_FIND(by_fingerprint, people->fingerprints, account->fingerprint, 20, self);
    report->gateway = person_in_mime(people, NULL);
    report->person = person_in_mime(people, self);
    people_release(people);
    uint8_t id[16];
    char text[2 * sizeof id + 1];
    account->gateway->random->fill(account->gateway->random->state, id, sizeof id);
    hex_lower(text, id, sizeof id);
    snprintf(report->message_id, sizeof report->message_id, "%s@distant.alt", text);
    read_options(report, post->row->options);
    report->time = post->row->time;
    report->original = post->message;
    post->message = buffer_make(0);
    *report->inbox = (struct inbox_post){.account = account,
                                         .kind = "report",
                                         .verdict = "gateway",
                                         .protection = "none",
                                         .level = "none",
                                         .received = clock_wall_ms(),
                                         .message = buffer_make(POST_MESSAGE_LIMIT)};
    job_run(account->gateway, buffer_size(&report->original), make, made, report);
}

/* --- gathering: recipients that share their fate in one turn share the report */

static void gathered(void *arg)
{
    struct post_report *report = arg;
    DL_DELETE(report->account->posts.reports, report);
    post_fetch(report->account, report->seq, true, fetched, report);
}

static void add(const struct post_delivery *delivery, enum fate fate)
{
    struct account *account = delivery->account;
    struct post_report *report;
    if ((delivery->notify & fates[fate].notify) == 0 || account->removed)
        return;
    DL_FOREACH(account->posts.reports, report)
    {
        if (report->seq == delivery->seq && report->fate == fate)
            break;
    }
    if (report == NULL) {
        report = calloc(1, sizeof *report);
        if (report == NULL)
            return;
        report->account = account;
        report->seq = delivery->seq;
        report->fate = fate;
        DL_APPEND(account->posts.reports, report);
        later_run(account->gateway, gathered, report);
    }
    if (report->count == POSTS_RECIPIENTS)
        return;
    struct reported *reported = &report->recipients[report->count++];
    memcpy(reported->address, delivery->address, sizeof reported->address);
    memcpy(reported->reason, delivery->reason, sizeof reported->reason);
    reported->until = delivery->until;
}

void report_fate(const struct post_delivery *delivery)
{
    if (strcmp(delivery->state, "failed") == 0)
        add(delivery, delivery->until <= clock_wall_ms() ? FATE_EXPIRED : FATE_FAILED);
    else if (strcmp(delivery->state, "delivered") == 0)
        add(delivery, FATE_DELIVERED);
    else if (strcmp(delivery->state, "not-confirmed") == 0)
        add(delivery, FATE_RELAYED);
}

void report_delay(struct post_delivery *delivery)
{
    /* Kept first: at a crash between the two this notice is lost, rather than sent each minute on a full
     * disk. */
    struct store_batch *batch = store_begin(delivery->account->gateway->store);
    if (batch == NULL)
        return;
    delivery->warned = clock_wall_ms();
    char *options;
    struct delivery_row row = row_of_delivery(delivery, &options);
    store_put_delivery(batch, &row);
    store_commit(batch, NULL, NULL);
    free(options);
    add(delivery, FATE_DELAYED);
}
