/* SPDX-License-Identifier: ISC */
/* SCRAM-SHA-256 as a client speaks it, with hashes of its own. */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/app_passwords.h"
#include "core/scram.h"
#include "wire/radix64.h"
#include "world.h"

/* --- a client */

struct client_side {
    char server_first[512], nonce[400], final[1024], server_final[128];
    char expected[128]; /* of server_final */
    uint8_t salt[16];
};

static void hmac(uint8_t out[32], const uint8_t *key, const char *text)
{
    assert_non_null(HMAC(EVP_sha256(), key, 32, (const uint8_t *)text, strlen(text), out, NULL));
}

static void base64(char *out, size_t room, const char *head, const uint8_t *data, size_t size)
{
    struct buffer text = buffer_make(256);
    assert_true(buffer_append_string(&text, head) && radix64_encode(&text, bytes_of(data, size)));
    snprintf(out, room, "%s", buffer_string(&text));
    buffer_free(&text);
}

/* What the client says to server_first. `bare` is its first message without the header. */
static void answer(struct client_side *client, const char *header, const char *bare, const char *password)
{
    uint8_t salted[32], key[32], stored[32], signature[32], server[32];
    char salt[64], proof[64], channel[64], without[800], auth[2048];
    int iterations = 0;
    assert_int_equal(
        sscanf(client->server_first, "r=%399[^,],s=%63[^,],i=%d", client->nonce, salt, &iterations), 3);
    assert_int_equal(iterations, 4096);
    struct buffer decoded = buffer_make(64);
    assert_true(radix64_decode(&decoded, bytes_of_string(salt)));
    assert_int_equal(buffer_size(&decoded), 16);
    memcpy(client->salt, buffer_view(&decoded).data, 16);
    buffer_free(&decoded);
    assert_int_equal(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), client->salt, 16, iterations,
                                       EVP_sha256(), 32, salted),
                     1);
    base64(channel, sizeof channel, "c=", (const uint8_t *)header, strlen(header));
    snprintf(without, sizeof without, "%s,r=%s", channel, client->nonce);
    snprintf(auth, sizeof auth, "%s,%s,%s", bare, client->server_first, without);
    hmac(key, salted, "Client Key");
    EVP_Digest(key, 32, stored, NULL, EVP_sha256(), NULL);
    hmac(signature, stored, auth);
    for (size_t i = 0; i < 32; i++)
        key[i] ^= signature[i];
    base64(proof, sizeof proof, "p=", key, 32);
    snprintf(client->final, sizeof client->final, "%s,%s", without, proof);
    hmac(server, salted, "Server Key");
    hmac(signature, server, auth);
    base64(client->expected, sizeof client->expected, "v=", signature, 32);
}

static struct gateway_scram *begin(struct world *world, struct client_side *client, const char *first,
                                   enum error_code code)
{
    struct error *error = NULL;
    struct gateway_scram *scram =
        gateway_scram_begin(world->gateway, "mail", "192.0.2.1", first, client->server_first,
                            sizeof client->server_first, &error);
    assert_true((scram == NULL) == (error != NULL));
    assert_int_equal(error != NULL ? error->code : 0, code);
    error_free(error);
    return scram;
}

static struct gateway_session *end_with(struct gateway_scram *scram, struct client_side *client,
                                        enum error_code code)
{
    struct error *error = NULL;
    client->server_final[0] = '\0';
    struct gateway_session *session =
        gateway_scram_end(scram, client->final, client->server_final, sizeof client->server_final, &error);
    assert_true((session == NULL) == (error != NULL));
    assert_int_equal(error != NULL ? error->code : 0, code);
    assert_string_equal(client->server_final, session != NULL ? client->expected : "");
    error_free(error);
    return session;
}

static struct gateway_session *enter(struct world *world, const char *name, const char *password,
                                     enum error_code code)
{
    struct client_side client;
    char bare[128], first[160];
    snprintf(bare, sizeof bare, "n=%s,r=client", name);
    snprintf(first, sizeof first, "n,,%s", bare);
    struct gateway_scram *scram = begin(world, &client, first, 0);
    answer(&client, "n,,", bare, password);
    return end_with(scram, &client, code);
}

static char *app_password(struct world *world, const char *scope, int idle)
{
    struct gateway_session *alice = session_of(world, "alice");
    json_t *made = give(
        world, alice,
        json_pack("{s:s,s:s,s:s,s:i}", "do", "app_password.new", "label", "x", "scope", scope, "idle", idle));
    char *password = strdup(text(made, "password"));
    json_decref(made);
    gateway_logout(alice);
    return password;
}

static void salt_of(struct world *world, const char *name, uint8_t salt[16])
{
    struct client_side client;
    char first[128];
    snprintf(first, sizeof first, "n,,n=%s,r=client", name);
    gateway_scram_cancel(begin(world, &client, first, 0));
    answer(&client, "n,,", "", "");
    memcpy(salt, client.salt, 16);
}

/* --- tests */

static void the_vector(void **state)
{
    (void)state;
    /* RFC 7677 §3 */
    static const char auth[] =
        "n=user,r=rOprNGfwEbeRWgbNEkqO,"
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    struct buffer salt = buffer_make(64), proof = buffer_make(64), signed_ = buffer_make(64);
    assert_true(radix64_decode(&salt, bytes_of_string("W22ZaJ0SNY7soEsUEjb6gQ==")));
    assert_true(radix64_decode(&proof, bytes_of_string("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")));
    assert_true(radix64_decode(&signed_, bytes_of_string("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
    struct scram_verifier verifier, read;
    uint8_t signature[32], wrong[32];
    char text_[256];
    assert_true(scram_verifier_make(&verifier, "pencil", buffer_view(&salt).data));
    assert_true(scram_verifier_write(text_, sizeof text_, &verifier));
    /* RFC 5803's form of it, as PostgreSQL writes it for this password and salt. */
    assert_string_equal(
        text_, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
               "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
    assert_true(scram_verifier_read(&read, text_));
    assert_memory_equal(&read, &verifier, sizeof read);
    assert_true(scram_proof_fits(&verifier, bytes_of_string(auth), buffer_view(&proof).data));
    assert_true(scram_signature(signature, &verifier, bytes_of_string(auth)));
    assert_memory_equal(signature, buffer_view(&signed_).data, 32);
    for (size_t i = 0; i < 256; i++) {
        memcpy(wrong, buffer_view(&proof).data, 32);
        wrong[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_false(scram_proof_fits(&verifier, bytes_of_string(auth), wrong));
    }
    assert_false(scram_proof_fits(&verifier, bytes_of_string(auth + 1), buffer_view(&proof).data));
    static const char *const none[] = {
        "", "SCRAM-SHA-1$4096:", "SCRAM-SHA-256$4096:", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA",
        "SCRAM-SHA-256$1:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(scram_verifier_read(&read, none[i]));
    buffer_free(&salt);
    buffer_free(&proof);
    buffer_free(&signed_);
}

static void right_and_wrong(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    account_make(world, "bob");
    char *mail = app_password(world, "mail", 0), *any = app_password(world, "*", 0),
         *irc = app_password(world, "irc", 0);
    struct gateway_session *session = enter(world, "alice", mail, 0);
    assert_string_equal(gateway_account_name(session), "alice");
    assert_string_equal(session->scope, "mail");
    good(world, session, json_pack("{s:s}", "do", "hello"));
    /* It knows with which it came: it makes no other, and its end is the session's. */
    bad(world, session, json_pack("{s:s,s:s}", "do", "app_password.new", "label", "wider"), ERROR_DENIED);
    struct app_password *first = account_by_name(world->gateway, "alice")->app_passwords;
    assert_int_equal(session->app_password, first->id);
    assert_true(first->last_used > 0);
    assert_non_null(enter(world, "alice", any, 0));
    enter(world, "alice", irc, ERROR_DENIED);
    enter(world, "bob", mail, ERROR_DENIED);
    enter(world, "nobody", mail, ERROR_DENIED);
    enter(world, "alice", "password of it", ERROR_DENIED); /* an account's password is none of SCRAM's */
    enter(world, "alice", "", ERROR_DENIED);
    world_restart(world);
    assert_non_null(enter(world, "alice", mail, 0));
    assert_non_null(enter(world, "alice", any, 0));
    session = session_of(world, "alice");
    good(world, session,
         json_pack("{s:s,s:I}", "do", "app_password.revoke", "app_password",
                   (json_int_t)account_by_name(world->gateway, "alice")->app_passwords->id));
    enter(world, "alice", mail, ERROR_DENIED);
    assert_non_null(enter(world, "alice", any, 0));
    free(mail);
    free(any);
    free(irc);
}

static void one_salt(void **state)
{
    struct world *world = *state;
    uint8_t salt[16], again[16], nobody[16], other[16];
    account_make(world, "alice");
    account_make(world, "bob");
    salt_of(world, "nobody", nobody);
    salt_of(world, "alice", salt);
    salt_of(world, "bob", other);
    assert_memory_not_equal(nobody, salt, 16);
    assert_memory_not_equal(other, salt, 16);
    world_restart(world);
    salt_of(world, "nobody", again);
    assert_memory_equal(nobody, again, 16);
    salt_of(world, "alice", again);
    assert_memory_equal(salt, again, 16);
    /* An account with passwords shows no other than before. */
    free(app_password(world, "irc", 0));
    salt_of(world, "alice", again);
    assert_memory_equal(salt, again, 16);
    free(app_password(world, "mail", 0));
    salt_of(world, "alice", again);
    assert_memory_equal(salt, again, 16);

    /* Those that were made when each had a salt of its own: the newest is asked for, and new ones take its.
     */
    char *old = app_password(world, "mail", 0);
    struct app_password *entry = account_by_name(world->gateway, "alice")->app_passwords->prev;
    struct scram_verifier verifier;
    memset(again, 7, sizeof again);
    assert_true(scram_verifier_make(&verifier, old, again));
    assert_true(scram_verifier_write(entry->scram, sizeof entry->scram, &verifier));
    assert_non_null(enter(world, "alice", old, 0));
    char *newer = app_password(world, "mail", 0);
    salt_of(world, "alice", salt);
    assert_memory_equal(salt, again, 16);
    assert_non_null(enter(world, "alice", old, 0));
    assert_non_null(enter(world, "alice", newer, 0));
    free(old);
    free(newer);
}

static void headers_and_names(void **state)
{
    struct world *world = *state;
    struct client_side client;
    account_make(world, "alice");
    char *password = app_password(world, "mail", 0);
    static const struct {
        const char *header, *bare;
    } right[] = {{"n,,", "n=alice,r=x"},
                 {"y,,", "n=alice,r=x"},
                 {"n,a=alice,", "n=alice,r=x"},
                 {"y,a=alice,", "n=alice,r=!~+/=x"},
                 {"n,,", "n=alice,r=x,q=an extension"}};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        char first[256];
        snprintf(first, sizeof first, "%s%s", right[i].header, right[i].bare);
        struct gateway_scram *scram = begin(world, &client, first, 0);
        answer(&client, right[i].header, right[i].bare, password);
        struct gateway_session *session = end_with(scram, &client, 0);
        assert_non_null(session);
        gateway_logout(session);
    }
    static const struct {
        const char *first;
        enum error_code code;
    } wrong[] = {
        {"", ERROR_INVALID},
        {"n", ERROR_INVALID},
        {"n,", ERROR_INVALID},
        {"n,,", ERROR_INVALID},
        {"x,,n=alice,r=x", ERROR_INVALID},
        {"p=tls-unique,,n=alice,r=x", ERROR_INVALID},
        {"p=tls-exporter,,n=alice,r=x", ERROR_INVALID},
        {"n,alice,n=alice,r=x", ERROR_INVALID},
        {"n,a=,n=alice,r=x", ERROR_INVALID},
        {"n,a=alice", ERROR_INVALID},
        {"n,a=bob,n=alice,r=x", ERROR_DENIED},
        {"n,a=alic,n=alice,r=x", ERROR_DENIED},
        {"n,,m=x,n=alice,r=x", ERROR_INVALID},
        {"n,,n=,r=x", ERROR_INVALID},
        {"n,,n=alice", ERROR_INVALID},
        {"n,,n=alice,", ERROR_INVALID},
        {"n,,n=alice,r=", ERROR_INVALID},
        {"n,,n=alice,r=,x=y", ERROR_INVALID},
        {"n,,n=alice,r=a b", ERROR_INVALID},
        {"n,,n=alice,r=a\x7f", ERROR_INVALID},
        {"n,,n=alice,r=\xc3\xa4", ERROR_INVALID},
        {"n,,n=al=ice,r=x", ERROR_INVALID},
        {"n,,n=al=2cice,r=x", ERROR_INVALID},
        {"n,,n=alice=,r=x", ERROR_INVALID},
        {"n,,n=alice=2,r=x", ERROR_INVALID},
        {"n,,r=x,n=alice", ERROR_INVALID},
        {"n,,N=alice,r=x", ERROR_INVALID},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_null(begin(world, &client, wrong[i].first, wrong[i].code));
    static char large[4096];
    snprintf(large, sizeof large, "n,,n=alice,r=%0257d", 1);
    assert_null(begin(world, &client, large, ERROR_INVALID));
    snprintf(large, sizeof large, "n,,n=alice,r=%0256d", 1);
    gateway_scram_cancel(begin(world, &client, large, 0));
    snprintf(large, sizeof large, "n,,n=%0256d,r=x", 1);
    assert_null(begin(world, &client, large, ERROR_INVALID));
    snprintf(large, sizeof large, "n,,n=%0255d,r=x", 1);
    gateway_scram_cancel(begin(world, &client, large, 0));
    snprintf(large, sizeof large, "n,,n=alice,r=x,q=%02000d", 1);
    assert_null(begin(world, &client, large, ERROR_INVALID));
    /* Escapes are read: a name of which there is no account. */
    gateway_scram_cancel(begin(world, &client, "n,,n=a=2Cb=3Dc,r=x", 0));
    gateway_scram_cancel(NULL);
    /* No room for what the server says. */
    struct error *error = NULL;
    char little[10];
    assert_null(gateway_scram_begin(world->gateway, "mail", "192.0.2.1", "n,,n=alice,r=x", little,
                                    sizeof little, &error));
    assert_int_equal(error->code, ERROR_INTERNAL);
    error_free(error);
    free(password);
}

/* `change` makes of the right last message a wrong one. */
static void try_final(struct world *world, const char *password, enum error_code code, const char *format,
                      const char *drop)
{
    struct client_side client;
    struct gateway_scram *scram = begin(world, &client, "n,,n=alice,r=client", 0);
    char *found, right[1024];
    answer(&client, "n,,", "n=alice,r=client", password);
    memcpy(right, client.final, sizeof right);
    if (drop != NULL) {
        found = strstr(right, drop);
        assert_non_null(found);
        memmove(found, found + strlen(drop), strlen(found + strlen(drop)) + 1);
    }
    snprintf(client.final, sizeof client.final, format, right);
    assert_null(end_with(scram, &client, code));
}

static void last_messages(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    char *password = app_password(world, "mail", 0);
    try_final(world, password, ERROR_INVALID, "%.0s", NULL);
    try_final(world, password, ERROR_INVALID, "x%s", NULL);
    try_final(world, password, ERROR_INVALID, "%s,", NULL);
    try_final(world, password, ERROR_INVALID, "%sx", NULL);
    try_final(world, password, ERROR_INVALID, "%s,q=behind", NULL);
    try_final(world, password, ERROR_INVALID, "%.5s", NULL);
    try_final(world, password, ERROR_INVALID, "%.40s", NULL);
    try_final(world, password, ERROR_INVALID, "%s", "c=biws,");
    try_final(world, password, ERROR_INVALID, "%s", "biws");
    try_final(world, password, ERROR_INVALID, "%s", "s"); /* of biws */
    try_final(world, password, ERROR_INVALID, "%s", "client");
    try_final(world, password, ERROR_INVALID, "%s", ",r=");
    try_final(world, password, ERROR_INVALID, "%s", "p=");
    /* The header is said again as it was: "n,," is not "y,,". */
    struct client_side client;
    struct gateway_scram *scram = begin(world, &client, "n,,n=alice,r=x", 0);
    answer(&client, "y,,", "n=alice,r=x", password);
    assert_null(end_with(scram, &client, ERROR_INVALID));
    /* A nonce is for one exchange. */
    scram = begin(world, &client, "n,,n=alice,r=x", 0);
    answer(&client, "n,,", "n=alice,r=x", password);
    gateway_scram_cancel(scram);
    char kept[sizeof client.final];
    memcpy(kept, client.final, sizeof kept);
    scram = begin(world, &client, "n,,n=alice,r=x", 0);
    memcpy(client.final, kept, sizeof kept);
    assert_null(end_with(scram, &client, ERROR_INVALID));
    free(password);
}

static void the_throttle(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    char *password = app_password(world, "mail", 0);
    for (unsigned i = 0; i < 4; i++)
        enter(world, "alice", "wrong", ERROR_DENIED);
    enter(world, "alice", "wrong", ERROR_LIMIT);
    /* The same account and address, whatever is spoken: passwords too. A right app password is let in. */
    uint8_t key[THROTTLE_KEY_SIZE];
    throttle_key(key, "alice", "192.0.2.1");
    assert_true(throttle_begin(&world->gateway->throttle, key, uv_now(&world->loop)) > 0);
    assert_non_null(enter(world, "alice", password, 0));
    enter(world, "alice", "wrong", ERROR_LIMIT);
    for (unsigned i = 0; i < 4; i++)
        enter(world, "nobody", "wrong", ERROR_DENIED);
    enter(world, "nobody", "wrong", ERROR_LIMIT);
    free(password);
}

static void unused_too_long(void **state)
{
    struct world *world = *state;
    account_make(world, "alice");
    char *password = app_password(world, "mail", 60);
    assert_non_null(enter(world, "alice", password, 0));
    sessions_end(account_by_name(world->gateway, "alice"), 0, "");
    struct app_password *entry = account_by_name(world->gateway, "alice")->app_passwords;
    entry->last_used = entry->created = 1;
    enter(world, "alice", password, ERROR_DENIED);
    assert_null(account_by_name(world->gateway, "alice")->app_passwords);
    world_restart(world);
    enter(world, "alice", password, ERROR_DENIED);
    free(password);
}

static void while_locked(void **state)
{
    struct world *world = *state;
    struct client_side client;
    account_make(world, "alice");
    world_close(world);
    world_open_with(world, true);
    assert_null(begin(world, &client, "n,,n=alice,r=x", ERROR_LOCKED));
    assert_null(begin(world, &client, "n,,n=nobody,r=x", ERROR_LOCKED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector),
        cmocka_unit_test_setup_teardown(right_and_wrong, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(one_salt, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(headers_and_names, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(last_messages, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(the_throttle, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(unused_too_long, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(while_locked, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
