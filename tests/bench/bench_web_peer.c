/* SPDX-License-Identifier: ISC */
/* A bare libwebsockets server on libuv: what the same library does without a gateway. It takes any handshake
 * for "retrogate.1", sends each text it gets to all clients, and says its port. Ends with its input. */
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { TEXT_MAX = 65536, TEXTS_MAX = 16384 };

struct text {
    size_t size;
    unsigned char bytes[]; /* LWS_PRE writable ones in front */
};

struct client {
    size_t next; /* of texts */
};

static struct text *texts[TEXTS_MAX]; /* kept until the end: a few megabytes */
static size_t text_count;
static unsigned char partial[TEXT_MAX];
static size_t partial_size;

static void receive(struct lws *wsi, const void *data, size_t size)
{
    if (size > TEXT_MAX - partial_size || text_count == TEXTS_MAX)
        exit(1);
    memcpy(partial + partial_size, data, size);
    partial_size += size;
    if (!lws_is_final_fragment(wsi))
        return;
    struct text *text = malloc(sizeof *text + LWS_PRE + partial_size);
    if (text == NULL)
        exit(1);
    text->size = partial_size;
    memcpy(text->bytes + LWS_PRE, partial, partial_size);
    texts[text_count++] = text;
    partial_size = 0;
    lws_callback_on_writable_all_protocol(lws_get_context(wsi), lws_get_protocol(wsi));
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *arg, void *data, size_t size)
{
    struct client *client = arg;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        client->next = text_count;
        break;
    case LWS_CALLBACK_RECEIVE:
        receive(wsi, data, size);
        break;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (client->next == text_count)
            break;
        struct text *text = texts[client->next++];
        if (lws_write(wsi, text->bytes + LWS_PRE, text->size, LWS_WRITE_TEXT) < 0)
            return -1;
        if (client->next < text_count)
            lws_callback_on_writable(wsi);
        break;
    default:
        break;
    }
    return 0;
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    uv_stop(poll->loop);
}

int main(void)
{
    uv_loop_t loop;
    void *loops[] = {&loop};
    const struct lws_protocols protocols[] = {{"retrogate.1", on_event, sizeof(struct client), 0, 0, NULL, 0},
                                              {NULL, NULL, 0, 0, 0, NULL, 0}};
    struct lws_context_creation_info info = {
        .port = 0,
        .iface = "lo",
        .protocols = protocols,
        .options =
            LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .gid = -1,
        .uid = -1,
    };
    lws_set_log_level(LLL_ERR, NULL);
    uv_loop_init(&loop);
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *vhost = context != NULL ? lws_create_vhost(context, &info) : NULL;
    if (vhost == NULL)
        return 1;
    uv_poll_t input;
    uv_poll_init(&loop, &input, STDIN_FILENO);
    uv_poll_start(&input, UV_READABLE, on_input);
    printf("%d\n", lws_get_vhost_listen_port(vhost));
    fflush(stdout);
    uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}
