/* SPDX-License-Identifier: ISC */
#include "support/vectors.h"

#include <string.h>

#include "keyring/frame.h"

static struct request sample_request(void)
{
    struct request request = {.id = 0x0102030405060708,
                              .purpose = PURPOSE_INVITE_NEW,
                              .home = bytes_of_string("17"),
                              .passphrase = bytes_of_string("secret"),
                              .old_passphrase = bytes_of_string(""),
                              .name = bytes_of_string("name"),
                              .data = bytes_of_string("data"),
                              .key_block = bytes_of_string("key block"),
                              .expires = -5,
                              .node = true,
                              .sealing = KEYRING_SEALING_ONLY};
    request.post = (struct keyring_post){.sealed = true,
                                         .sign = true,
                                         .time = -6,
                                         .content = bytes_of_string("content"),
                                         .subject = bytes_of_string("subject"),
                                         .body = bytes_of_string("body"),
                                         .to = bytes_of_string("to"),
                                         .cc = bytes_of_string("cc")};
    request.signature = bytes_of_string("signature");
    memset(request.post.message_id, 8, sizeof(request.post.message_id));
    memset(request.day_key, 9, sizeof(request.day_key));
    memset(request.fingerprint, 1, sizeof(request.fingerprint));
    memset(request.hash, 2, sizeof(request.hash));
    memset(request.key, 3, sizeof(request.key));
    return request;
}

static struct keyring_answer sample_answer(const struct error *error)
{
    struct keyring_answer answer = {.error = error,
                                    .block = bytes_of_string("block"),
                                    .private_key = bytes_of_string("private"),
                                    .link_blob = bytes_of_string("blob"),
                                    .text = bytes_of_string("text"),
                                    .expires = 1234567890123,
                                    .signed_at = -7,
                                    .addressee_bound = true,
                                    .sealed_only = true};
    memset(answer.fingerprint, 4, sizeof(answer.fingerprint));
    memset(answer.location, 5, sizeof(answer.location));
    memset(answer.hash, 6, sizeof(answer.hash));
    memset(answer.key, 7, sizeof(answer.key));
    return answer;
}

static struct bytes only_frame(const struct buffer *buffer)
{
    struct bytes frame;
    assert_int_equal(frame_find(buffer_view(buffer), FRAME_SIZE_MAX, &frame), FRAME_WHOLE);
    assert_int_equal(frame.size + FRAME_HEADER, buffer_size(buffer));
    return frame;
}

static void requests_come_back(void **state)
{
    (void)state;
    struct request in = sample_request(), out;
    struct buffer buffer = buffer_make(4096);
    assert_true(frame_request_write(&buffer, &in));
    assert_true(frame_request_parse(&out, only_frame(&buffer)));
    assert_true(out.id == in.id && out.purpose == in.purpose && out.expires == in.expires && out.node &&
                out.sealing == KEYRING_SEALING_ONLY);
    assert_bytes_equal(out.home, in.home);
    assert_bytes_equal(out.passphrase, in.passphrase);
    assert_bytes_equal(out.old_passphrase, in.old_passphrase);
    assert_bytes_equal(out.name, in.name);
    assert_bytes_equal(out.data, in.data);
    assert_bytes_equal(out.key_block, in.key_block);
    assert_bytes_equal(out.signature, in.signature);
    assert_bytes_equal(out.post.content, in.post.content);
    assert_bytes_equal(out.post.subject, in.post.subject);
    assert_bytes_equal(out.post.body, in.post.body);
    assert_bytes_equal(out.post.to, in.post.to);
    assert_bytes_equal(out.post.cc, in.post.cc);
    assert_true(out.post.sealed && out.post.sign && out.post.time == in.post.time);
    assert_memory_equal(out.post.message_id, in.post.message_id, 16);
    assert_memory_equal(out.day_key, in.day_key, 32);
    assert_memory_equal(out.fingerprint, in.fingerprint, 20);
    assert_memory_equal(out.hash, in.hash, 20);
    assert_memory_equal(out.key, in.key, 16);
    buffer_free(&buffer);
}

static void answers_come_back(void **state)
{
    (void)state;
    struct error error = {.code = ERROR_DENIED, .text = "no"};
    struct keyring_answer in = sample_answer(NULL), failed = sample_answer(&error);
    struct answer out;
    struct buffer buffer = buffer_make(4096);
    assert_true(answer_write(&buffer, 9, &in));
    assert_true(answer_parse(&out, only_frame(&buffer)));
    assert_true(out.id == 9 && !out.progress && !out.fields.error);
    assert_bytes_equal(out.fields.block, in.block);
    assert_bytes_equal(out.fields.private_key, in.private_key);
    assert_bytes_equal(out.fields.link_blob, in.link_blob);
    assert_bytes_equal(out.fields.text, in.text);
    assert_true(out.fields.signed_at == in.signed_at);
    assert_true(out.fields.expires == in.expires && out.fields.addressee_bound && !out.fields.sealed &&
                out.fields.sealed_only);
    assert_memory_equal(out.fields.fingerprint, in.fingerprint, 20);
    assert_memory_equal(out.fields.location, in.location, 16);
    assert_memory_equal(out.fields.hash, in.hash, 20);
    assert_memory_equal(out.fields.key, in.key, 16);
    buffer_clear(&buffer);
    assert_true(answer_write(&buffer, 10, &failed));
    assert_true(answer_parse(&out, only_frame(&buffer)));
    assert_int_equal(out.fields.error->code, ERROR_DENIED);
    assert_string_equal(out.fields.error->text, "no");
    buffer_clear(&buffer);
    assert_true(progress_write(&buffer, 11, "primegen"));
    assert_true(answer_parse(&out, only_frame(&buffer)));
    assert_true(out.progress && out.id == 11);
    assert_string_equal(out.error.text, "primegen");
    buffer_free(&buffer);
}

static void bad_frames_are_refused(void **state)
{
    (void)state;
    struct error error = {.code = ERROR_DENIED, .text = "no"};
    struct keyring_answer answer_in = sample_answer(&error);
    struct request request_in = sample_request(), request;
    struct answer answer;
    struct buffer requests = buffer_make(4096), answers = buffer_make(4096);
    assert_true(frame_request_write(&requests, &request_in));
    assert_true(answer_write(&answers, 1, &answer_in));
    struct bytes frame = only_frame(&requests);
    for (size_t size = 0; size < frame.size; size++)
        assert_false(frame_request_parse(&request, bytes_of(frame.data, size)));
    buffer_u8(&requests, 0);
    uint8_t *bytes = requests.memory + requests.start + FRAME_HEADER;
    frame.data = bytes; /* they may have moved */
    assert_false(frame_request_parse(&request, bytes_of(bytes, frame.size + 1)));
    bytes[8] = 0; /* purpose */
    assert_false(frame_request_parse(&request, frame));
    bytes[8] = PURPOSE_LAST + 1;
    assert_false(frame_request_parse(&request, frame));
    bytes[8] = PURPOSE_FORGET;
    assert_true(frame_request_parse(&request, frame));
    enum { SEALING_AT = 9 + 20 + 20 + 16 + 16 + 32 + 8 + 8 };
    bytes[SEALING_AT] = KEYRING_SEALING_ONLY + 1;
    assert_false(frame_request_parse(&request, frame));
    bytes[SEALING_AT] = KEYRING_SEALING_NONE;
    assert_true(frame_request_parse(&request, frame));
    bytes[SEALING_AT + 1] |= 0x80; /* unknown flag */
    assert_false(frame_request_parse(&request, frame));

    frame = only_frame(&answers);
    for (size_t size = 0; size < frame.size; size++)
        assert_false(answer_parse(&answer, bytes_of(frame.data, size)));
    bytes = answers.memory + answers.start + FRAME_HEADER;
    assert_int_equal(bytes[9], ERROR_DENIED);
    bytes[9] = 0; /* failed without a code */
    assert_false(answer_parse(&answer, frame));
    bytes[9] = 200;
    assert_false(answer_parse(&answer, frame));
    bytes[9] = ERROR_LIMIT;
    assert_true(answer_parse(&answer, frame));
    bytes[14] = 0; /* a zero inside the text */
    assert_false(answer_parse(&answer, frame));
    bytes[8] = 77; /* outcome */
    assert_false(answer_parse(&answer, frame));
    buffer_free(&requests);
    buffer_free(&answers);
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    struct bytes frame;
    static const uint8_t large[] = {0, 0x10, 0, 1, 0, 0}, most[] = {0, 0x10, 0, 0, 0, 0};
    assert_int_equal(frame_find(bytes_of(large, sizeof(large)), FRAME_SIZE_MAX, &frame), FRAME_BAD);
    assert_int_equal(frame_find(bytes_of(most, sizeof(most)), FRAME_SIZE_MAX, &frame), FRAME_PARTIAL);
    for (size_t size = 0; size < 4; size++)
        assert_int_equal(frame_find(bytes_of(large, size), FRAME_SIZE_MAX, &frame), FRAME_PARTIAL);

    struct buffer data = buffer_make(2 << 20), out = buffer_make(4 << 20);
    struct request request = sample_request();
    uint8_t *into = buffer_reserve(&data, FRAME_SIZE_MAX + 1);
    memset(into, 0, FRAME_SIZE_MAX + 1);
    buffer_commit(&data, FRAME_SIZE_MAX + 1);
    buffer_u8(&out, 1);
    request.data = bytes_of(into, FRAME_SIZE_MAX);
    assert_false(frame_request_write(&out, &request));
    request.data = bytes_of(into, FRAME_SIZE_MAX + 1);
    assert_false(frame_request_write(&out, &request));
    assert_int_equal(buffer_size(&out), 1);
    buffer_clear(&out);
    request.data = bytes_of(into, FRAME_SIZE_MAX - 500);
    assert_true(frame_request_write(&out, &request));
    /* What carries a post may be larger, in these purposes alone. */
    buffer_clear(&out);
    request.data = bytes_of(into, FRAME_SIZE_MAX + 1);
    request.purpose = PURPOSE_POST_OPEN;
    assert_true(frame_request_write(&out, &request));
    struct bytes view = buffer_view(&out);
    assert_true(frame_request_most(view) == FRAME_SIZE_POST);
    assert_int_equal(frame_find(view, FRAME_SIZE_POST, &frame), FRAME_WHOLE);
    assert_int_equal(frame_find(view, FRAME_SIZE_MAX, &frame), FRAME_BAD);
    out.memory[out.start + 12] = PURPOSE_POST_GREET;
    assert_true(frame_request_most(view) == FRAME_SIZE_MAX);
    request.purpose = PURPOSE_POST_GREET;
    assert_false(frame_request_write(&out, &request));
    buffer_free(&data);
    buffer_free(&out);
}

/* A large frame gets its place at once, and leaves none behind. */
static void large_frames_are_not_moved(void **state)
{
    (void)state;
    struct buffer input = buffer_make(4 << 20);
    buffer_u32(&input, 3 << 20);
    const uint8_t *into = frame_reserve(&input, 65536);
    assert_non_null(into);
    for (size_t size = 0; size < 3 << 20; size += 65536) {
        assert_ptr_equal(frame_reserve(&input, 65536), into + size);
        buffer_commit(&input, 65536);
    }
    struct bytes frame;
    assert_int_equal(frame_find(buffer_view(&input), FRAME_SIZE_POST, &frame), FRAME_WHOLE);
    frame_consume(&input, frame);
    assert_null(input.memory);
}

static void homes_are_names_without_paths(void **state)
{
    (void)state;
    static const char *const good[] = {"node", "1", "42", "999999999999999999"};
    static const char *const bad[] = {"",     "0",   "01", "..", ".",       "node/",
                                      "Node", "1/2", "-1", "1 ", "verify0", "1000000000000000000"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(home_is_good(bytes_of_string(good[i])));
        assert_true(home_worker(bytes_of_string(good[i]), 2) < 2);
        assert_int_equal(home_worker(bytes_of_string(good[i]), 1), 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(home_is_good(bytes_of_string(bad[i])));
    assert_false(home_is_good(bytes_of("1\0", 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_back),         cmocka_unit_test(answers_come_back),
        cmocka_unit_test(bad_frames_are_refused),     cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(large_frames_are_not_moved), cmocka_unit_test(homes_are_names_without_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
