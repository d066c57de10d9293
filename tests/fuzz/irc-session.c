/* SPDX-License-Identifier: ISC */
/* A client's bytes into a session, with the gateway in memory. The first byte chooses how far the client has
 * come; a byte 0xff in the rest lets time pass, and 0xfe lets the gateway speak. What comes out is whole
 * lines of a sane length. */
#include "base/log.h"
#include "unit/irc/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_output(struct wire *wire)
{
    struct bytes view = buffer_view(&wire->out);
    while (view.size > 0) {
        const uint8_t *end = memchr(view.data, '\n', view.size);
        check(end != NULL && end > view.data && end[-1] == '\r');
        size_t size = (size_t)(end + 1 - view.data);
        const uint8_t *body = view.data[0] == '@' ? memchr(view.data, ' ', size) : view.data;
        check(body != NULL && (size_t)(end + 1 - body) <= MESSAGE_BODY_MAX + 1);
        check(memchr(view.data, '\0', size) == NULL && memchr(view.data, '\r', size) == end - 1);
        view.data += size;
        view.size -= size;
    }
    buffer_clear(&wire->out);
}

static void speak(struct gateway *gateway, uint8_t what)
{
    int64_t id = 1 + what % 3;
    static const char *const states[] = {"can talk", "no tunnel", "connecting", "closed by peer"};
    if (gateway->seq + 1 < FAKE_LINES && what % 4 == 0)
        fake_line_add(gateway, id, what % 8 == 0 ? "in" : "out",
                      "hello\nthere /me \x03"
                      "4 red",
                      "");
    else if (what % 4 == 1)
        fake_state(gateway, id, states[what / 16 % 4], "because");
    else if (gateway->seq > 0 && what % 4 == 2)
        fake_delivery(gateway, 1 + what % gateway->seq, "failed");
    else
        gateway->people[id - 1].open = !gateway->people[id - 1].open, fake_state(gateway, id, "can talk", "");
    fake_run(gateway);
}

static void run(struct wire *wire, const uint8_t *data, size_t size)
{
    size_t start = 0;
    for (size_t i = 0; i <= size && !wire->ended; i++) {
        if (i < size && data[i] < 0xfe)
            continue;
        for (size_t at = start; at < i; at += CLIENT_INPUT_READ) {
            size_t piece = i - at < CLIENT_INPUT_READ ? i - at : CLIENT_INPUT_READ;
            client_input(wire->client, bytes_of(data + at, piece));
            fake_run(wire->gateway);
        }
        if (i + 1 < size && data[i] == 0xff)
            wire_pass(wire, (uint64_t)data[++i] * 1000);
        else if (i + 1 < size)
            speak(wire->gateway, data[++i]);
        start = i + 1;
        check_output(wire);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gateway gateway;
    static const char *const starts[] = {
        "",
        "PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\n",
        "CAP REQ :batch echo-message labeled-response message-tags server-time standard-replies "
        "extended-join\r\n"
        "PASS alice:secret\r\nNICK ali\r\nUSER a 0 * :A\r\nCAP END\r\n",
        "CAP REQ sasl\r\nNICK ali\r\nUSER a 0 * :A\r\nAUTHENTICATE PLAIN\r\n",
    };
    if (size < 1)
        return 0;
    fake_init(&gateway);
    fake_person_add(&gateway, "bob", "can talk", true);
    fake_person_add(&gateway, "carol", "no tunnel", true);
    fake_person_add(&gateway, "dave", "no tunnel", false);
    struct site site = site_of(&gateway);
    struct wire wire;
    wire_open(&wire, &site);
    log_set_level(LOG_LEVEL_ERROR);
    wire_send(&wire, starts[data[0] % 4]);
    run(&wire, data + 1, size - 1);
    check_output(&wire);
    wire_close(&wire);
    check(gateway.sessions == NULL && gateway.answers == NULL);
    fake_clear(&gateway);
    return 0;
}
