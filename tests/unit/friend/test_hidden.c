/* SPDX-License-Identifier: ISC */
#include "actor.h"
#include "fake_keyring.h"

/* A hidden friend: reached through the SOCKS5 proxy alone, told nothing of our addresses (00 decision 7). */

struct proxy {
    struct actor *far; /* who stands behind it */
    struct listener *listener;
    struct sockaddr_storage address;
    struct stream *stream;
    struct buffer asked;
    unsigned connections;
    const char *reply;
};

static void proxy_data(void *arg, struct stream *stream, struct buffer *input)
{
    struct proxy *proxy = arg;
    struct bytes bytes = buffer_view(input);
    assert_true(buffer_append_bytes(&proxy->asked, bytes));
    buffer_consume(input, bytes.size);
    if (buffer_size(&proxy->asked) == 3) {
        stream_write(stream, "\5\0", 2);
    } else if (buffer_size(&proxy->asked) == 3 + 5 + 9 + 2) {
        struct buffer reply = hex_buffer(proxy->reply);
        stream_write(stream, buffer_view(&reply).data, buffer_size(&reply));
        buffer_free(&reply);
        /* From here on the friend speaks. */
        proxy->far->stream = stream;
        proxy->stream = NULL;
        stream_set_arg(stream, proxy->far);
        assert_true(stream_start_tls(stream, proxy->far->tls, true, NULL));
    }
}

static bool is_far(const void *arg)
{
    return ((const struct proxy *)fixture_now->guard.data)->far == arg;
}

static void either_ready(void *arg, struct stream *stream)
{
    if (is_far(arg))
        actor_ready(arg, stream);
}

static void either_data(void *arg, struct stream *stream, struct buffer *input)
{
    if (is_far(arg))
        actor_data(arg, stream, input);
    else
        proxy_data(arg, stream, input);
}

static void either_closed(void *arg, struct stream *stream, const char *reason)
{
    if (is_far(arg))
        actor_closed(arg, stream, reason);
    else
        ((struct proxy *)arg)->stream = NULL;
}

static const struct stream_events either_events = {
    .ready = either_ready,
    .data = either_data,
    .closed = either_closed,
};

static void proxy_accepted(void *arg, int fd, const struct sockaddr_storage *peer)
{
    struct proxy *proxy = arg;
    proxy->connections++;
    listener_release(proxy->listener, peer);
    if (proxy->stream || proxy->far->stream) {
        close(fd);
        return;
    }
    struct stream_options options = {.input_limit = 1 << 20, .output_limit = 1 << 20};
    buffer_clear(&proxy->asked);
    proxy->stream = stream_open(&fixture_now->loop, fd, &options, &either_events, proxy, NULL);
}

static void count_connection(void *arg, int fd, const struct sockaddr_storage *peer)
{
    (void)peer;
    ++*(unsigned *)arg;
    close(fd);
}

static struct listener *listen_for(struct fixture *fixture, listener_fn *accepted, void *arg,
                                   struct sockaddr_storage *address)
{
    struct sockaddr_storage any = loopback(AF_INET);
    static const struct listener_options options;
    struct listener *listener =
        listener_open(&fixture->loop, (const struct sockaddr *)&any, &options, accepted, arg, NULL);
    assert_non_null(listener);
    *address = *listener_address(listener);
    return listener;
}

static void hidden_link(struct fixture *fixture, const char *reply, bool comes_up)
{
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    struct proxy proxy = {
        .far = actor_new(fixture, &b->identity),
        .asked = buffer_make(1024),
        .reply = reply,
    };
    fixture->guard.data = &proxy;
    proxy.listener = listen_for(fixture, proxy_accepted, &proxy, &proxy.address);
    unsigned direct = 0;
    struct friend_record record = record_of(b, true);
    struct listener *trap = listen_for(fixture, count_connection, &direct, &record.addresses[0]);
    record.address_count = 1;
    snprintf(record.dns, sizeof record.dns, "127.0.0.1");
    record.dns_port = (uint16_t)address_port((const struct sockaddr *)&record.addresses[0]);
    snprintf(record.hidden, sizeof record.hidden, "abc.onion");
    record.hidden_port = 7812;

    char text[64];
    address_format(text, sizeof text, (const struct sockaddr *)&proxy.address);
    struct friends_options options = node_options(AF_INET);
    options.proxy = text;
    node_open_with(fixture, a, &options);
    actor_say_services(proxy.far);
    assert_true(friends_add(a->friends, &record, NULL));
    if (comes_up) {
        run_until(fixture, a->ups == 1 && actor_count(proxy.far, SERVICE_DISCOVERY, 0x05) == 1);
        struct buffer asked = hex_buffer("050100 05010003 09 6162632e6f6e696f6e 1e84");
        assert_bytes_equal(buffer_view(&proxy.asked), buffer_view(&asked));
        buffer_free(&asked);
        struct contact_item contact;
        assert_true(contact_parse(&contact, actor_item(proxy.far, SERVICE_DISCOVERY, 0x05)));
        assert_true(contact.hidden);
        assert_string_equal(contact.hidden_address, "");
        assert_int_equal(contact.net_mode, 8);
    } else {
        run_until(fixture, status_of(a, b).failures >= 2);
        assert_int_equal(a->ups, 0);
    }
    assert_int_equal(direct, 0);
    node_close(fixture, a);
    run_until(fixture, !proxy.stream && !proxy.far->stream);
    listener_close(proxy.listener);
    listener_close(trap);
    buffer_free(&proxy.asked);
    actor_free(proxy.far);
}

static void test_through_proxy(void **state)
{
    hidden_link(*state, "05000001000000000000", true);
}

static void test_proxy_refuses(void **state)
{
    struct fixture *fixture = *state;
    hidden_link(fixture, "05040001000000000000", false);
}

static void test_no_proxy(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0], *b = &fixture->nodes[1];
    unsigned direct = 0;
    struct friend_record record = record_of(b, true);
    struct listener *trap = listen_for(fixture, count_connection, &direct, &record.addresses[0]);
    record.address_count = 1;
    snprintf(record.hidden, sizeof record.hidden, "abc.onion");
    record.hidden_port = 7812;
    node_open(fixture, a);
    assert_true(friends_add(a->friends, &record, NULL));
    run_until(fixture, strstr(status_of(a, b).reason, "no proxy"));
    assert_int_equal(status_of(a, b).next_try_ms, 0);
    assert_int_equal(direct, 0);
    listener_close(trap);
}

#define both(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {both(test_through_proxy), both(test_proxy_refuses),
                                       both(test_no_proxy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
