/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "live_channel.h"

enum {
    LIVE_MAGIC = 0x5745424c,
    DEFAULT_QUIET_MS = 60000,
    DEFAULT_PATIENCE_MS = 30000,
    SWEEP_MS = 2000,
    END_MS = 3000,         /* for what waits, our close, and the answer to it */
    PINGS_PER_SWEEP = 512, /* so that many who came at once are not asked at once for ever */
    EMPTIES_MAX = 64,
    PIECE_SIZE = 1024,       /* read at once: what libwebsockets holds for each client */
    HEADERS_MAX = 16384,     /* of a handshake: HEAD_MAX */
    END_TURNS = 4,           /* see on_ending() */
    DESCRIPTORS_MAX = 32768, /* see create_context() */
};

/* --- what carriers call */

bool channel_busy(const struct channel *channel)
{
    return lws_partial_buffered(channel->wsi) != 0;
}

/* Ends it without another word. libwebsockets acts from the loop. */
static void channel_kill(struct channel *channel)
{
    lws_set_timeout(channel->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    lws_cancel_service(channel->live->context);
}

bool channel_write(struct channel *channel, void *data, size_t size, enum lws_write_protocol kind)
{
    int written = lws_write(channel->wsi, data, size, kind);
    if (written < 0)
        channel_kill(channel);
    else if (channel_busy(channel) && channel->stuck == 0)
        channel->stuck = uv_now(channel->live->site->loop);
    return written >= 0;
}

void channel_hold(struct channel *channel, unsigned why, bool on)
{
    bool before = channel->holds != 0;
    channel->holds = (uint8_t)(on ? channel->holds | why : channel->holds & ~why);
    bool now = channel->holds != 0;
    if (now != before)
        lws_rx_flow_control(channel->wsi, !now);
}

/* Nothing more goes in or out but what is written already and the end itself. */
static void ending(struct channel *channel, unsigned code)
{
    channel->code = (uint16_t)code;
    channel->until = uv_now(channel->live->site->loop) + END_MS;
    /* The answer to our close must be read. */
    if (channel->holds != 0)
        channel_hold(channel, channel->holds, false);
}

void channel_end(struct channel *channel, unsigned code, const char *reason)
{
    if (channel->code != 0)
        return;
    log_debug("web", "event=closing code=%u", code);
    ending(channel, code);
    for (size_t i = 0; i + 1 < sizeof channel->reason && reason[i] != '\0'; i++)
        channel->reason[i] = reason[i] >= ' ' && reason[i] <= '~' ? reason[i] : '?';
    if (channel->up)
        lws_callback_on_writable(channel->wsi);
    else
        channel_kill(channel);
}

/* --- messages coming in */

static void heard(struct channel *channel)
{
    channel->heard = uv_now(channel->live->site->loop);
    channel->pinged = channel->ping_due = false;
}

static void refuse_message(struct channel *channel, unsigned code, const char *reason)
{
    buffer_free(&channel->in);
    channel_end(channel, code, reason);
}

/* A message comes in pieces: as the client cut it, and as they were read. */
static void take_piece(struct channel *channel, struct bytes piece)
{
    const struct carrier *carrier = channel->carrier;
    bool first = lws_is_first_fragment(channel->wsi) != 0, last = lws_is_final_fragment(channel->wsi) != 0;
    heard(channel);
    if (channel->code != 0)
        return;
    if (first) {
        channel->in = buffer_make(carrier->message_max);
        channel->empties = 0;
    }
    if ((lws_frame_is_binary(channel->wsi) != 0) != carrier->binary) {
        refuse_message(channel, CLOSE_KIND, carrier->binary ? "binary only" : "text only");
    } else if (piece.size > carrier->message_max - buffer_size(&channel->in)) {
        refuse_message(channel, CLOSE_TOO_LARGE, "the message is too large");
    } else if (piece.size == 0 && !last && ++channel->empties > EMPTIES_MAX) {
        refuse_message(channel, CLOSE_POLICY, "too many empty pieces");
    } else if (last && buffer_size(&channel->in) == 0) {
        carrier->message(channel, piece);
    } else if (!buffer_append_bytes(&channel->in, piece)) {
        refuse_message(channel, CLOSE_LATER, "out of memory");
    } else if (last) {
        struct buffer whole = channel->in;
        channel->in = buffer_make(0);
        carrier->message(channel, buffer_view(&whole));
        buffer_free(&whole);
    }
}

/* --- going out */

static bool write_ping(struct channel *channel)
{
    /* With a byte in it: libwebsockets tells nothing of an empty pong. */
    unsigned char ping[LWS_PRE + 1] = {[LWS_PRE] = '.'};
    channel->ping_due = false;
    channel->pinged = true;
    channel->heard = uv_now(channel->live->site->loop);
    return channel_write(channel, ping + LWS_PRE, 1, LWS_WRITE_PING);
}

static int on_writable(struct channel *channel)
{
    uint64_t now = uv_now(channel->live->site->loop);
    channel->stuck = 0;
    if (channel->ping_due && channel->code == 0 && !channel_busy(channel))
        write_ping(channel);
    if (channel->carrier->writable(channel)) {
        channel->stuck = now;
        lws_callback_on_writable(channel->wsi);
        return 0;
    }
    if (channel->code == 0 || channel->said)
        return 0;
    channel->said = true;
    lws_close_reason(channel->wsi, (enum lws_close_status)channel->code, (unsigned char *)channel->reason,
                     strlen(channel->reason));
    /* Not by returning -1: Debian's build, with _DEBUG, then closes twice on libuv to see whether it may, and
     * the second time no close frame is sent. */
    lws_set_timeout(channel->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
    return 0;
}

/* --- what libwebsockets tells */

static void on_ending(uv_timer_t *timer);

static void when_empty(struct live *live)
{
    if (live->closing)
        uv_timer_start(&live->timer, on_ending, 0, 0);
    else
        uv_timer_stop(&live->timer);
}

static void channel_free(struct channel *channel)
{
    struct live *live = channel->live;
    if (channel->carrier != NULL)
        channel->carrier->end(channel);
    buffer_free(&channel->in);
    DL_DELETE(live->channels, channel);
    place_release(channel->place);
    channel->magic = 0;
    free(channel);
    if (live->channels == NULL)
        when_empty(live);
}

static int on_established(struct channel *channel)
{
    channel->up = true;
    heard(channel);
    if (channel->code == 0)
        channel->carrier->begin(channel);
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    struct channel *channel = lws_get_opaque_user_data(wsi);
    (void)user;
    if (reason == LWS_CALLBACK_WSI_CREATE) {
        struct live *live = lws_context_user(lws_get_context(wsi));
        live->adopted = true;
        return 0;
    }
    /* Its own sockets have no channel. */
    if (channel == NULL)
        return 0;
    assert(channel->magic == CHANNEL_MAGIC);
    channel->wsi = wsi;
    switch (reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        channel->carrier = handshake_look(wsi, channel);
        return channel->carrier != NULL ? 0 : -1;
    case LWS_CALLBACK_HTTP: /* not a handshake */
        return -1;
    case LWS_CALLBACK_ESTABLISHED:
        return on_established(channel);
    case LWS_CALLBACK_RECEIVE:
        take_piece(channel, bytes_of(in, size));
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
        heard(channel);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return on_writable(channel);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (channel->code == 0)
            ending(channel, CLOSE_NORMAL);
        /* It would be given back, half a code as it is. */
        return size == 1 ? -1 : 0;
    case LWS_CALLBACK_WSI_DESTROY:
        channel_free(channel);
        return 0;
    default:
        return 0;
    }
}

/* --- those who say nothing or take nothing */

static void look_after(struct channel *channel, uint64_t now, unsigned *pings)
{
    const struct live *live = channel->live;
    if (channel->code != 0) {
        if (now >= channel->until)
            channel_kill(channel);
    } else if (channel->stuck > 0 && now - channel->stuck >= 2 * live->patience_ms) {
        channel_end(channel, CLOSE_SLOW, "too slow");
    } else if (!channel->up || channel->pinged) {
        /* While nothing is read no pong can be seen. */
        if (now - channel->heard >= live->patience_ms && channel->holds == 0)
            channel_kill(channel);
    } else if (now - channel->heard >= live->quiet_ms && *pings < PINGS_PER_SWEEP) {
        ++*pings;
        channel->ping_due = true;
        lws_callback_on_writable(channel->wsi);
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct live *live = timer->data;
    assert(live->magic == LIVE_MAGIC);
    struct channel *channel;
    unsigned pings = 0;
    DL_FOREACH(live->channels, channel)
    {
        look_after(channel, uv_now(timer->loop), &pings);
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Only while there is somebody: who does nothing should not wake the processor. */
static void start_sweeping(struct live *live)
{
    uint64_t each = least(SWEEP_MS, least(live->quiet_ms, live->patience_ms) / 2 + 1);
    uv_timer_start(&live->timer, on_sweep, each, each);
}

/* --- beginning and end */

/* What libwebsockets says quotes foreign text; only who says it is kept. */
static void on_log(int level, const char *line)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    log_debug("web", "event=libwebsockets level=%d where=%.*s", level, (int)strspn(line, letters), line);
}

static const struct lws_protocols *protocols(void)
{
    static const struct carrier *const carriers[] = LIVE_CARRIERS;
    enum { COUNT = sizeof carriers / sizeof carriers[0] };
    static struct lws_protocols all[COUNT + 1]; /* the last one is empty */
    for (size_t i = 0; i < COUNT; i++)
        all[i] = (struct lws_protocols){.name = carriers[i]->protocol,
                                        .callback = on_event,
                                        .rx_buffer_size = PIECE_SIZE,
                                        .tx_packet_size = API_MESSAGE_MAX + LWS_PRE};
    return all;
}

/* libwebsockets makes and fills tables for as many descriptors as the process may open, which can be a
 * million; for more than ten millions it takes 2,560, and writes behind the end of its table when there are
 * more. So it is shown a limit of ours, and live_take() keeps to it. */
static struct lws_context *create_context(struct live *live, const struct lws_context_creation_info *info)
{
    struct rlimit before = {0, 0};
    if (getrlimit(RLIMIT_NOFILE, &before) != 0)
        return NULL;
    struct rlimit shown = before;
    if (shown.rlim_cur > DESCRIPTORS_MAX)
        shown.rlim_cur = DESCRIPTORS_MAX;
    if (setrlimit(RLIMIT_NOFILE, &shown) != 0)
        return NULL;
    live->descriptors = (int)shown.rlim_cur;
    struct lws_context *context = lws_create_context(info);
    setrlimit(RLIMIT_NOFILE, &before);
    return context;
}

static bool open_context(struct live *live, struct error **error)
{
    /* No pings of its own: each would be a timer in a sorted list of all. */
    static const lws_retry_bo_t no_pings = {0};
    void *loops[] = {live->site->loop};
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols(),
        .options =
            LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .user = live,
        .max_http_header_data = HEADERS_MAX,
        .timeout_secs = 5,
        .retry_and_idle_policy = &no_pings,
        .pcontext = &live->context,
    };
    live->context = create_context(live, &info);
    if (live->context != NULL)
        live->vhost = lws_create_vhost(live->context, &info);
    return live->vhost != NULL ||
           error_set(error, ERROR_UNAVAILABLE,
                     "libwebsockets cannot run on libuv: is libwebsockets-evlib-uv installed?");
}

static void on_timer_gone(uv_handle_t *handle)
{
    struct live *live = handle->data;
    void (*closed)(void *) = live->closed;
    void *arg = live->closed_arg;
    api_free(live->api);
    live->magic = 0;
    free(live);
    if (closed != NULL)
        closed(arg);
}

/* libwebsockets closes its handles on our loop and frees itself when it is told to end a second time, but
 * tells nobody when it may be: its pipe is closed in one turn of the loop, its idle handle and timer in the
 * next. The plug-in with their code is unloaded then. A timer that starts itself again with 0 ms would run
 * again in the same turn. */
static void on_ending(uv_timer_t *timer)
{
    struct live *live = timer->data;
    assert(live->magic == LIVE_MAGIC);
    if (live->context != NULL && (live->turns == 0 || live->turns == END_TURNS))
        lws_context_destroy(live->context);
    if (live->turns++ < END_TURNS)
        uv_timer_start(timer, on_ending, 1, 0);
    else
        uv_close((uv_handle_t *)timer, on_timer_gone);
}

struct live *live_open(struct site *site, const struct web_options *options, struct error **error)
{
    struct live *live = calloc(1, sizeof *live);
    struct api *api = api_new();
    if (live == NULL || api == NULL) {
        error_set(error, ERROR_UNAVAILABLE, "out of memory");
        free(live);
        api_free(api);
        return NULL;
    }
    live->magic = LIVE_MAGIC;
    live->site = site;
    live->api = api;
    live->quiet_ms = options->quiet_ms != 0 ? options->quiet_ms : DEFAULT_QUIET_MS;
    live->patience_ms = options->patience_ms != 0 ? options->patience_ms : DEFAULT_PATIENCE_MS;
    uv_timer_init(site->loop, &live->timer);
    live->timer.data = live;
    if (!open_context(live, error)) {
        live_close(live, NULL, NULL);
        return NULL;
    }
    return live;
}

bool live_take(struct live *live, int fd, struct place *place)
{
    struct channel *channel = live->closing || fd >= live->descriptors ? NULL : calloc(1, sizeof *channel);
    if (channel == NULL) {
        close(fd);
        place_release(place);
        return false;
    }
    *channel = (struct channel){
        .magic = CHANNEL_MAGIC, .live = live, .place = place, .heard = uv_now(live->site->loop)};
    if (live->channels == NULL)
        start_sweeping(live);
    DL_APPEND(live->channels, channel);
    lws_adopt_desc_t adopt = {.vh = live->vhost,
                              .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP,
                              .fd = {.sockfd = fd},
                              .opaque = channel};
    live->adopted = false;
    channel->wsi = lws_adopt_descriptor_vhost_via_info(&adopt);
    if (channel->wsi != NULL)
        return true;
    /* It has closed the descriptor, or will; so far as it knows the channel it also frees it. */
    if (!live->adopted)
        channel_free(channel);
    return false;
}

void live_close(struct live *live, void (*closed)(void *arg), void *arg)
{
    struct channel *channel;
    live->closing = true;
    live->closed = closed;
    live->closed_arg = arg;
    DL_FOREACH(live->channels, channel)
    {
        channel_end(channel, CLOSE_AWAY, "the gateway is shutting down");
    }
    if (live->channels == NULL)
        when_empty(live);
}
