/* SPDX-License-Identifier: ISC */
#include "friend/set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "friend/frames.h"

/* Levels of what the link itself sends. */
enum { LEVEL_SERVICES = 9, LEVEL_CONTACT = 5 };

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

static struct link *link_of(void *arg)
{
    struct link *link = arg;
    assert(link->magic == LINK_MAGIC);
    return link;
}

static void link_free(struct link *link)
{
    struct friends *set = link->set;
    DL_DELETE(set->links, link);
    if (link->listener)
        listener_release(link->listener, &link->peer);
    slices_clear(&link->slices);
    queue_free(link->queue);
    buffer_free(&link->certificate);
    buffer_free(&link->new_key);
    link->magic = 0;
    free(link);
    set_finish(set);
}

/* The link belongs to nobody from here on. */
static void detach(struct link *link, const char *reason)
{
    struct member *member = link->member;
    link->stage = LINK_ENDING;
    admit_cancel(link);
    link->deadline_ms = link->tie_ms = 0;
    link->member = NULL;
    if (member)
        member_lose(member, link, reason);
}

void link_end(struct link *link, const char *reason, bool gently)
{
    if (link->stage == LINK_ENDING)
        return;
    struct bytes item;
    while (gently && link->queue && queue_pop(link->queue, &item))
        stream_write(link->stream, item.data, item.size);
    if (gently)
        stream_close(link->stream, reason);
    else
        stream_abort(link->stream, reason);
    detach(link, reason);
}

/* The library's words tell a person nothing. Whom the far side does not know as a friend it turns away only
 * after the handshake of TLS 1.3: stock with an alert about the certificate, we by closing. */
static const char *why_closed(const struct link *link, const char *reason)
{
    static const char by_peer[] = "closed by peer"; /* link_open(): whether TLS was ended or not */
    if (link->stage == LINK_CHECKING || (link->stage == LINK_OPEN && !link->services.listed))
        return "the friend closed it at once: perhaps it has not accepted this node";
    return strncmp(reason, by_peer, sizeof by_peer - 1) == 0 ? "the friend closed the connection" : reason;
}

static void on_closed(void *arg, struct stream *stream, const char *reason)
{
    struct link *link = link_of(arg);
    (void)stream;
    if (link->stage != LINK_ENDING)
        detach(link, why_closed(link, reason));
    link_free(link);
}

static void on_ready(void *arg, struct stream *stream)
{
    struct link *link = link_of(arg);
    if (link->stage == LINK_ENDING)
        return;
    if (!stream_tls(stream)) { /* the proxy took the connection */
        struct friends *set = link->set;
        buffer_clear(&set->scratch);
        link->stage = LINK_PROXY;
        socks_start(&set->scratch);
        stream_write(stream, buffer_view(&set->scratch).data, buffer_size(&set->scratch));
        return;
    }
    link->stage = LINK_CHECKING;
    link->opened_ms = clock_monotonic_ms();
    link->deadline_ms = link->opened_ms + link->set->timing.check_ms;
    set_wake(link->set, link->deadline_ms);
    stream_pause(stream);
    admit(link);
}

static void proxy_data(struct link *link, struct buffer *input)
{
    struct buffer *out = &link->set->scratch;
    const char *reason = NULL;
    buffer_clear(out);
    switch (socks_receive(&link->socks, input, out, &reason)) {
    case SOCKS_MORE:
        if (buffer_size(out) > 0)
            stream_write(link->stream, buffer_view(out).data, buffer_size(out));
        break;
    case SOCKS_DONE:
        link->stage = LINK_CONNECTING;
        if (!stream_start_tls(link->stream, link->set->tls, false, NULL))
            link_end(link, "the proxy sent more than its answer", false);
        break;
    case SOCKS_FAILED:
        link_end(link, reason, false);
        break;
    }
}

static void send_replies(struct link *link, unsigned level)
{
    struct bytes items = buffer_view(&link->set->scratch);
    if (items.size > 0 && !link->set->scratch.failed)
        link_put(link, level, items);
}

/* The friend's list came, or ours grew. */
static void services_changed(struct link *link)
{
    struct friends *set = link->set;
    struct member *member = link->member;
    const struct services *services = &link->services;
    link->deadline_ms = 0;
    link->tick_us = 0;
    set_wake(set, clock_monotonic_ms());
    if (services->discovery && !link->greeted) {
        link->greeted = true;
        buffer_clear(&set->scratch);
        own_contact(&set->scratch, &set->own, member->record.hidden[0] != '\0', &link->peer,
                    clock_wall_ms() / 1000);
        if (services->limited)
            services_ask_key(services, &set->scratch);
        send_replies(link, LEVEL_CONTACT);
    }
    if (link->stage != LINK_OPEN || member->current != link)
        return;
    member_refresh(member, services->limited ? "waiting for the friend's PGP key" : "");
}

/* True when a turtle item was delivered. */
static bool receive(struct link *link, struct bytes item, uint64_t now)
{
    struct friends *set = link->set;
    struct member *member = link->member;
    member->status.items_in++;
    buffer_clear(&set->scratch);
    enum services_verdict verdict = services_receive(&link->services, item, now, &set->scratch, &set->news);
    if (verdict == SERVICES_TURTLE && member->neighbour) {
        set->events.item(set->arg, member->neighbour, item);
        return true;
    }
    send_replies(link, LEVEL_SERVICES);
    switch (verdict) {
    case SERVICES_LIST:
        services_changed(link);
        break;
    case SERVICES_CONTACT:
        member_contact(member, link, &set->news.contact);
        break;
    case SERVICES_KEY:
        admit_key(link, set->news.key);
        break;
    case SERVICES_TURTLE:
    case SERVICES_DROPPED:
        member->status.items_dropped++;
        break;
    case SERVICES_DONE:
        break;
    }
    return false;
}

static void on_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct link *link = link_of(arg);
    (void)stream;
    if (link->stage == LINK_PROXY) {
        proxy_data(link, input);
        return;
    }
    struct bytes rest = buffer_view(input), item;
    size_t before = rest.size;
    uint64_t now = now_us();
    const char *reason = NULL;
    bool delivered = false;
    while (link->stage == LINK_OPEN) {
        enum frame frame = frames_next(&link->slices, &rest, now / 1000, &item, &reason);
        if (frame == FRAME_BAD)
            link_end(link, reason, false);
        if (frame != FRAME_ITEM)
            break;
        delivered |= receive(link, item, now);
    }
    buffer_consume(input, before - rest.size);
    if (delivered)
        link->set->events.batch_end(link->set->arg);
}

static void on_drained(void *arg, struct stream *stream)
{
    struct link *link = link_of(arg);
    struct bytes item;
    while (link->queue && link->stage == LINK_OPEN && stream_queued(stream) < LINK_AHEAD &&
           queue_pop(link->queue, &item))
        stream_write(stream, item.data, item.size);
}

static const struct stream_events stream_events = {
    .ready = on_ready,
    .data = on_data,
    .drained = on_drained,
    .closed = on_closed,
};

static struct link *link_new(struct friends *set, const struct sockaddr_storage *peer)
{
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->magic = LINK_MAGIC;
    link->set = set;
    link->peer = *peer;
    link->certificate = buffer_make(LOCATION_DER_MAX);
    DL_APPEND(set->links, link);
    return link;
}

static struct stream_options options_of(const struct friends *set, bool server, uint64_t handshake_ms)
{
    return (struct stream_options){
        .tls = set->tls,
        .tls_server = server,
        .input_limit = LINK_INPUT,
        /* A gentle end moves the whole queue into the stream. */
        .output_limit = set->queue_limit + LINK_AHEAD + ITEM_SIZE_MAX + 1,
        .handshake_ms = handshake_ms,
    };
}

void link_accept(struct friends *set, struct listener *listener, int fd, const struct sockaddr_storage *peer)
{
    struct link *link = link_new(set, peer);
    if (!link) {
        close(fd);
        listener_release(listener, peer);
        return;
    }
    link->listener = listener;
    link->incoming = true;
    struct stream_options options = options_of(set, true, set->timing.connect_ms);
    link->stream = stream_open(set->loop, fd, &options, &stream_events, link, NULL);
    if (!link->stream)
        link_free(link);
}

struct link *link_dial(struct member *member, const struct sockaddr_storage *address, const char *host,
                       uint16_t port)
{
    struct friends *set = member->set;
    struct link *link = link_new(set, address);
    if (!link)
        return NULL;
    struct stream_options options = options_of(set, false, set->timing.connect_ms);
    if (host) {
        socks_set(&link->socks, host, port);
        options.tls = NULL;
        options.handshake_ms = set->timing.hidden_ms;
    }
    /* Around all stages until TLS is up, also those that the stream does not know. */
    link->deadline_ms = clock_monotonic_ms() + options.handshake_ms;
    set_wake(set, link->deadline_ms);
    link->stream =
        stream_connect(set->loop, (const struct sockaddr *)address, &options, &stream_events, link, NULL);
    if (!link->stream) {
        link_free(link);
        return NULL;
    }
    link->member = member;
    return link;
}

void link_open(struct link *link, bool limited)
{
    struct friends *set = link->set;
    link->stage = LINK_OPEN;
    /* Told of the end of TLS, stock takes the link for alive for 15 s more (protocol 11 §3.4). */
    SSL_set_quiet_shutdown(stream_tls(link->stream), 1);
    link->deadline_ms = clock_monotonic_ms() + set->timing.list_ms;
    set_wake(set, link->deadline_ms);
    stream_set_low_water(link->stream, LINK_AHEAD);
    buffer_clear(&set->scratch);
    services_start(&link->services, &set->self, link->location.issuer, link->location.id, limited, now_us(),
                   &set->scratch);
    send_replies(link, LEVEL_SERVICES);
    stream_resume(link->stream);
}

void link_unlimit(struct link *link)
{
    buffer_clear(&link->set->scratch);
    services_unlimit(&link->services, now_us(), &link->set->scratch);
    send_replies(link, LEVEL_SERVICES);
    services_changed(link);
}

bool link_put(struct link *link, unsigned level, struct bytes items)
{
    bool queued = false;
    if (link->stage == LINK_OPEN) {
        bool direct = !link->queue || queue_size(link->queue) == 0;
        if (direct && stream_queued(link->stream) < LINK_AHEAD) {
            queued = stream_write(link->stream, items.data, items.size);
        } else {
            if (!link->queue)
                link->queue = queue_new(link->set->queue_limit);
            queued = link->queue && queue_push(link->queue, level, items);
        }
    }
    if (link->member) {
        link->member->status.items_out += queued;
        link->member->status.items_dropped += !queued;
    }
    return queued;
}

uint64_t link_tick(struct link *link, uint64_t now)
{
    struct friends *set = link->set;
    if (link->stage == LINK_ENDING)
        return UINT64_MAX;
    if (link->deadline_ms && now / 1000 >= link->deadline_ms) {
        link_end(link,
                 link->stage == LINK_OPEN       ? "the friend sent no service list"
                 : link->stage == LINK_CHECKING ? "the keyring did not answer in time"
                                                : "no connection in time",
                 false);
        return UINT64_MAX;
    }
    uint64_t next = link->deadline_ms ? link->deadline_ms : UINT64_MAX;
    if (link->stage != LINK_OPEN)
        return next;
    if (now >= link->tick_us) {
        if (services_silent(&link->services, now)) {
            link_end(link, "the friend has been silent for too long", false);
            return UINT64_MAX;
        }
        buffer_clear(&set->scratch);
        link->tick_us = services_tick(&link->services, now, &set->scratch);
        send_replies(link, LEVEL_SERVICES);
    }
    uint64_t tick_ms = (link->tick_us + 999) / 1000;
    return next < tick_ms ? next : tick_ms;
}
