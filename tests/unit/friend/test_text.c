/* SPDX-License-Identifier: ISC */
#include "fake_keyring.h"

/* From the texts that people exchange to records, and our own texts. */

static void assert_first_address(const struct friend_record *record, const char *text)
{
    char shown[64];
    assert_true(record->address_count > 0);
    address_format(shown, sizeof shown, (const struct sockaddr *)&record->addresses[0]);
    assert_string_equal(shown, text);
}

static void test_recorded(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"A", "B", "C"};
    static const char *const addresses[] = {"127.0.0.1:17811", "127.0.0.1:17812", "127.0.0.1:17813"};
    for (size_t i = 0; i < 3; i++) {
        const struct node *node = &fixture->nodes[i];
        const json_t *json = json_object_get(json_object_get(fixture->link, "nodes"), names[i]);
        struct friend_text text;
        struct friend_record record;
        assert_true(friend_text_parse(
            &text, bytes_of_string(vectors_string(json_object_get(json, "full_invite"), "text")), NULL));
        assert_true(friend_record_from_text(&record, &text, NULL));
        assert_memory_equal(record.location, node->identity.location, 16);
        assert_memory_equal(record.fingerprint, node->identity.fingerprint, 20);
        assert_bytes_equal(record.key_block, node->identity.key_block);
        assert_first_address(&record, addresses[i]);
        assert_int_equal(record.address_count, 1); /* local and external are the same here */
        assert_false(record.verified);
        assert_int_equal(strncmp(record.name, vectors_string(json, "name"), 5), 0);
        text.has_fingerprint = true; /* another one than the key's */
        assert_false(friend_record_from_text(&record, &text, NULL));
        friend_text_free(&text);

        const json_t *invite = json_object_get(json, "short_invite");
        assert_true(friend_text_parse(&text, bytes_of_string(vectors_string(invite, "url")), NULL));
        assert_true(friend_record_from_text(&record, &text, NULL));
        assert_memory_equal(record.location, node->identity.location, 16);
        assert_memory_equal(record.fingerprint, node->identity.fingerprint, 20);
        assert_int_equal(record.key_block.size, 0);
        assert_first_address(&record, addresses[i]);
        assert_string_equal(record.name, vectors_string(json, "name"));
        friend_text_free(&text);
    }
}

static void test_own(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0];
    struct friends_options options = node_options(AF_INET);
    options.announce_count = 4;
    assert_true(address_parse(&options.announce[0], "203.0.113.5:7812", 0, NULL));
    assert_true(address_parse(&options.announce[1], "192.168.1.10:7812", 0, NULL));
    assert_true(address_parse(&options.announce[2], "[2001:db8::5]:7812", 0, NULL));
    assert_true(address_parse(&options.announce[3], "203.0.113.6:7812", 0, NULL));
    options.dns = "node.example.org";
    node_open_with(fixture, a, &options);
    for (unsigned is_short = 0; is_short < 2; is_short++) {
        struct buffer out = buffer_make(1 << 16);
        struct friend_text text;
        struct friend_record record;
        assert_true(friends_own_text(a->friends, &out, is_short));
        assert_true(friend_text_parse(&text, buffer_view(&out), NULL));
        assert_true(friend_record_from_text(&record, &text, NULL));
        assert_memory_equal(record.location, a->identity.location, 16);
        assert_memory_equal(record.fingerprint, a->identity.fingerprint, 20);
        assert_first_address(&record, "192.168.1.10:7812");
        assert_int_equal(record.address_count, 4);
        assert_string_equal(record.dns, "node.example.org");
        assert_int_equal(record.dns_port, 7812);
        assert_int_equal(record.key_block.size, is_short ? 0 : a->identity.key_block.size);
        friend_text_free(&text);
        buffer_free(&out);
    }
}

/* Without an announcement the listeners' addresses are told. */
static void test_own_listener(void **state)
{
    struct fixture *fixture = *state;
    struct node *a = &fixture->nodes[0];
    node_open(fixture, a);
    struct buffer out = buffer_make(1 << 16);
    struct friend_text text;
    struct friend_record record;
    assert_true(friends_own_text(a->friends, &out, true));
    assert_true(friend_text_parse(&text, buffer_view(&out), NULL));
    assert_true(friend_record_from_text(&record, &text, NULL));
    assert_int_equal(record.address_count, 1);
    assert_true(address_equal((struct sockaddr *)&record.addresses[0], (struct sockaddr *)&a->address));
    assert_string_equal(record.dns, "");
    friend_text_free(&text);
    buffer_free(&out);
}

static void test_no_location(void **state)
{
    (void)state;
    struct friend_text text = {.is_short = true, .has_fingerprint = true};
    struct friend_record record;
    struct error *error = NULL;
    assert_false(friend_record_from_text(&record, &text, &error));
    assert_non_null(error);
    error_free(error);
    text.has_location = true;
    text.has_fingerprint = false;
    assert_false(friend_record_from_text(&record, &text, NULL));
    text.has_fingerprint = true;
    snprintf(text.hidden, sizeof text.hidden, "abc.onion");
    text.hidden_port = 7812;
    text.external4 = (struct ip_address){.family = 4, .bytes = {203, 0, 113, 5}, .port = 1};
    assert_true(friend_record_from_text(&record, &text, NULL));
    assert_string_equal(record.hidden, "abc.onion");
    assert_int_equal(record.address_count, 0);
}

#define both(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {both(test_recorded), both(test_own), both(test_own_listener),
                                       both(test_no_location)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
