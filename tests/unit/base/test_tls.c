/* SPDX-License-Identifier: ISC */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "test_stream_ends.h"

struct files {
    char folder[256], certificate[300], key[300];
};

static void files_make(struct files *files)
{
    snprintf(files->folder, sizeof files->folder, "%s", scene_folder());
    snprintf(files->certificate, sizeof files->certificate, "%s/cert.pem", files->folder);
    snprintf(files->key, sizeof files->key, "%s/key.pem", files->folder);
}

static void files_free(struct files *files)
{
    unlink(files->certificate);
    unlink(files->key);
    assert_int_equal(rmdir(files->folder), 0);
}

static X509 *read_certificate(const char *path)
{
    BIO *bio = BIO_new_file(path, "r");
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(certificate);
    return certificate;
}

static void a_first_start_has_a_certificate(void **state)
{
    (void)state;
    struct files files;
    struct stat status;
    files_make(&files);
    assert_true(tls_make_self_signed(files.certificate, files.key, "gate.example.org", NULL));
    assert_int_equal(stat(files.key, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    X509 *certificate = read_certificate(files.certificate);
    assert_int_equal(X509_check_host(certificate, "gate.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "example.org", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0), 1);
    int days = 0, seconds = 0;
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)), 1);
    assert_in_range(days, 3640, 3660);
    X509_free(certificate);

    SSL_CTX *context = tls_server_context(files.certificate, files.key, NULL);
    assert_non_null(context);
    assert_int_equal(SSL_CTX_get_min_proto_version(context), TLS1_2_VERSION);
    SSL_CTX_free(context);
    files_free(&files);
}

static void a_certificate_has_all_names(void **state)
{
    (void)state;
    struct files files;
    files_make(&files);
    assert_true(tls_make_self_signed(files.certificate, files.key,
                                     "gate.example.org,chat.example.org,192.0.2.7,2001:db8::7", NULL));
    X509 *certificate = read_certificate(files.certificate);
    static const char *const hosts[] = {"gate.example.org", "chat.example.org", "localhost"},
                             *const addresses[] = {"192.0.2.7", "2001:db8::7", "127.0.0.1", "::1"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        assert_int_equal(X509_check_host(certificate, hosts[i], 0, 0, NULL), 1);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        assert_int_equal(X509_check_ip_asc(certificate, addresses[i], 0), 1);
    char name[64];
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    assert_string_equal(name, "gate.example.org");
    X509_free(certificate);
    files_free(&files);
}

static void a_present_certificate_is_kept(void **state)
{
    (void)state;
    struct files files;
    files_make(&files);
    assert_true(tls_make_self_signed(files.certificate, files.key, "a", NULL));
    X509 *before = read_certificate(files.certificate);
    assert_true(tls_make_self_signed(files.certificate, files.key, "a", NULL));
    X509 *after = read_certificate(files.certificate);
    assert_int_equal(X509_cmp(before, after), 0);
    X509_free(before);
    X509_free(after);
    files_free(&files);
}

static void bad_files_and_names_are_named(void **state)
{
    (void)state;
    struct files a, b;
    struct error *error = NULL;
    files_make(&a);
    files_make(&b);
    assert_null(tls_server_context(a.certificate, a.key, &error));
    assert_non_null(strstr(error->text, "certificate file "));
    error_free(error);
    error = NULL;

    assert_true(tls_make_self_signed(a.certificate, a.key, "a", NULL));
    assert_true(tls_make_self_signed(b.certificate, b.key, "b", NULL));
    assert_null(tls_server_context(a.certificate, b.key, &error));
    assert_non_null(strstr(error->text, "key file "));
    error_free(error);
    error = NULL;
    files_free(&b);

    assert_false(tls_make_self_signed(b.certificate, b.key, "b", &error));
    assert_non_null(strstr(error->text, "no such file"));
    error_free(error);
    files_free(&a);

    static const char *const names[] = {"", "a,DNS:evil.example", "a b", "a\nb", "a,", "a,IP:::1"};
    files_make(&a);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        error = NULL;
        assert_false(tls_make_self_signed(a.certificate, a.key, names[i], &error));
        assert_int_equal(error->code, ERROR_INVALID);
        error_free(error);
    }
    files_free(&a);
}

static void a_dead_socket_raises_no_signal(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    close(fds[1]);
    BIO *bio = tls_socket_bio(fds[0]);
    assert_non_null(bio);
    assert_int_equal(BIO_write(bio, "x", 1), -1);
    assert_false(BIO_should_retry(bio));
    BIO_free(bio);
    assert_int_equal(close(fds[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_start_has_a_certificate), cmocka_unit_test(a_certificate_has_all_names),
        cmocka_unit_test(a_present_certificate_is_kept),   cmocka_unit_test(bad_files_and_names_are_named),
        cmocka_unit_test(a_dead_socket_raises_no_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
