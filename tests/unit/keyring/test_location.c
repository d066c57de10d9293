/* SPDX-License-Identifier: ISC */
#include "fixture.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "keyring/location_certificate.h"

/* protocol 10 appendix A.1 (key) and A.2 (6.0), protocol 11 appendix A.1 (7.1). The id given there for the
 * last one is not that of the certificate printed there; this is the SHA-256 of its signature field. */
static const char key_text[] = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n"
                               "mQENBGsEMGoBCADbiY7tUjQSU30XEozF1nC0SmxGlZv56QGtr6G08jpzdMTtMBEv\n"
                               "IXUCBB0Pp5iAAmo9uf/Ai3D3je1bic3uKvxlkc1HDnpNb4RMMZvtTC4J20CAais1\n"
                               "4aMPUwHmMm1q8lMj3SIbI277UoTwICMv84WbV+AKecjUp0iu66F9dSxp8NmY3/gZ\n"
                               "NHc0DyOC/ngyJgSoogK/iIKS8HwgneQ3VDMkFf4QF3lRXy6XWdkzTaGHA99DHcQb\n"
                               "8LK8hm22l3n0CnQHgnDxBmDL+VvIx4TPtSRgRYgslo5sw1pc8dyeDFd9wYNKzzMq\n"
                               "zl6xN4ugLXUwl9K32DcYTip8U8WbUQQXXz33ABEBAAG0JlRlc3QgTm9kZSAoR2Vu\n"
                               "ZXJhdGVkIGJ5IFJldHJvU2hhcmUpIDw+iQEiBBMBCAAWBQJrBDBqCRBTWvNKPd38\n"
                               "mwIbAwIZAQAAYo4IAKiimmPpy7VhSSGUHjHajZ8selERCjf2+ZhWIAGsHA7nnyMr\n"
                               "WhfZqH8udjhhQzYptzwxOh/bUpYU2lgDAeG06lY2Sy667vNeVcsdoUAereTG9KF9\n"
                               "K/xGBOajDLoo6rT7MuCVXxiBynKufkZEc6lwCWBIajVhzffYpjquAEJk7pplD2c5\n"
                               "89Qsuk5Agla3ZKkgz6loRCZRc2YPNFx6DWBTbApMaG8nBddxvCpmZHCNlUFlCvv/\n"
                               "hponqA5j6rDVktkblVxtAZUSPMt9XzA/5CuTYv9bGQfn0LCGtlHFyXB1S4cqaN/w\n"
                               "OF18A7bzCSNrMNujQ8+C59FiDPFKKSFQ4QjwHrE=\n"
                               "-----END PGP PUBLIC KEY BLOCK-----\n";
static const char certificate_71[] = "MIIC1TCCAYcCAwcAATANBgkqhkiG9w0BAQsFADAbMRkwFwYDVQQDDBA1MzVBRjM0"
                                     "QTNERERGQzlCMCAXDTEwMDEwMTAwMDAwMFoYDzIxMTAwMTAxMDAwMDAwWjAMMQow"
                                     "CAYDVQQDDAEtMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxhl5iGSD"
                                     "FqbENZ51G5RHx6fWm3TicRBbg6BKnvyKWKTnvmSTTLTNEeZlPms71s1VjmvPfzXQ"
                                     "KFbPEGpaKIEWXEG7uU0rWO/MNwwNL8YGTJyKnni45INy0CkEY9fz0WsZlacr3PuC"
                                     "vF+NeHr9dPfJNniVi63m5ijbB/uKZVjRYaQ85sjetZkJaZy0lZxffuuSiVIELnnl"
                                     "U22YW5NUseZ3/gSpapDZbDhDATXzf+rhxlqqct3jLuPBaEvlUEWfDWzWgx9KcHNv"
                                     "6woQDz/1fljbNZr59Lq1uA6SJec+gXv88VhMSEV1xYAy8UavivYCUvBcT1XpKIes"
                                     "wVjVnrpHPH/wfQIDAQABMA0GCSqGSIb3DQEBCwUAA4IBNwCJATMEAAEIAB0WIQRm"
                                     "8XvRI3cKcRGU6m9TWvNKPd38mwUCawQxdwAKCRBTWvNKPd38mzU3CADWARECQNJM"
                                     "glTkIW5pMqB0tJREfCvgmR8iwEuoB0LHZNA56pZv3g8VBVvkixfqGm3FOhbC+k0t"
                                     "SCuPFIFAJiCszfkgZD1i1QOOnF2+3DN8SfMKc0d/dUONdZ6cB2+YTgLtT5EIufSN"
                                     "wKVob7bjFehw2tf3UqHrgbwcjyb7CYNtc8zDXs1n/8sPAXY6paitjK4WOhv1bAUP"
                                     "AoBEwVtHN7hOnjiOpunYCTkVYe5AviabYiA9776Yh3xGrSnLW+RbcM72uH24MPSW"
                                     "H1plY6o7NA/TSsUXqPxs0uA81GQtmz1NP+RR28V3N/Qg1fTD6NfUqTHZYaewSfWb"
                                     "r5vn1fxlyl+7";
static const char certificate_60[] = "MIIC7zCCAaECCHscLT5PUGFyMA0GCSqGSIb3DQEBBQUAMBsxGTAXBgNVBAMMEDUz"
                                     "NUFGMzRBM0REREZDOUIwHhcNMTMwOTAxMDAwMDAwWhcNMzMxMjMxMjM1OTU5WjAj"
                                     "MRIwEAYDVQQDDAlUZXN0IE5vZGUxDTALBgNVBAcMBGhvbWUwggEiMA0GCSqGSIb3"
                                     "DQEBAQUAA4IBDwAwggEKAoIBAQDGGXmIZIMWpsQ1nnUblEfHp9abdOJxEFuDoEqe"
                                     "/IpYpOe+ZJNMtM0R5mU+azvWzVWOa89/NdAoVs8QaloogRZcQbu5TStY78w3DA0v"
                                     "xgZMnIqeeLjkg3LQKQRj1/PRaxmVpyvc+4K8X414ev1098k2eJWLrebmKNsH+4pl"
                                     "WNFhpDzmyN61mQlpnLSVnF9+65KJUgQueeVTbZhbk1Sx5nf+BKlqkNlsOEMBNfN/"
                                     "6uHGWqpy3eMu48FoS+VQRZ8NbNaDH0pwc2/rChAPP/V+WNs1mvn0urW4DpIl5z6B"
                                     "e/zxWExIRXXFgDLxRq+K9gJS8FxPVekoh6zBWNWeukc8f/B9AgMBAAEwDQYJKoZI"
                                     "hvcNAQEFBQADggE3AIkBMwQAAQgAHRYhBGbxe9EjdwpxEZTqb1Na80o93fybBQJr"
                                     "BDF3AAoJEFNa80o93fybNZAH/2/B0bmUby81rmqRoYez9KXc3sX7T4kn+Pg2jjY+"
                                     "ORqDFvVx0ZDLmBFzgGNJ8WDvtZYEhYP7trrvPvIGbpMaVSzMpsJcYxnfBE1BtVFt"
                                     "F5WhJPNv+IoazTZ4r9qRMS9xOfb4WNPbOx1AMEj48M1MNLssBVkoCMe/7yn5H5KD"
                                     "j1eX8mW+dKBBLPdYkKJaKr8g73sIvMxWdbCjBLcKdevC4Sp2L+JC7rYNKSop6HiJ"
                                     "IRTHV+ZdHWa1+guoR95ir9A3Kj75KzIH2MrgHESPQT70nQaB7IivnOyFAigAEcnT"
                                     "jrNjFpIewGPaaV77QnLkiGR5dE45ru3Gb5DEGmvOQ98nUtk=";

static struct buffer block, stock, old; /* the key, and its certificates 7.1 and 6.0 */
static struct openpgp_key key;

static struct buffer decoded(const char *base64)
{
    struct buffer out = buffer_make(4096);
    size_t size = strlen(base64), padding = base64[size - 1] == '=' ? (base64[size - 2] == '=' ? 2 : 1) : 0;
    uint8_t *into = buffer_reserve(&out, size);
    int got = EVP_DecodeBlock(into, (const uint8_t *)base64, (int)size);
    assert_true(got > 0);
    buffer_commit(&out, (size_t)got - padding);
    return out;
}

static void expect_id(const uint8_t id[16], const char *hex)
{
    char text[33];
    hex_lower(text, id, 16);
    assert_string_equal(text, hex);
}

static void verify(struct heard *heard, struct bytes certificate, const struct buffer *with)
{
    keyring_verify_location(keyring, certificate, buffer_view(with), key.fingerprint, hear, heard);
}

static void documented_certificates(void **state)
{
    (void)state;
    struct location_certificate read;
    assert_true(location_certificate_read(&read, buffer_view(&stock), NULL));
    assert_int_equal(read.version, LOCATION_7_1);
    expect_id(read.id, "f016b1b44d4d5b4c4231a26a23079198");
    assert_int_equal(read.tbs.size, 395);
    assert_int_equal(read.signature.size, 310);
    assert_memory_equal(read.issuer, key.id, 8);
    struct heard heard = {0};
    verify(&heard, buffer_view(&stock), &block);
    expect_good(&heard);
    expect_id(heard.fields.location, "f016b1b44d4d5b4c4231a26a23079198");
    heard_free(&heard);

    heard = (struct heard){0};
    assert_true(location_certificate_read(&read, buffer_view(&old), NULL));
    assert_int_equal(read.version, LOCATION_6_0);
    char digest[41];
    hex_lower(digest, read.signed_data.data, read.signed_data.size);
    assert_string_equal(digest, "03c2f994d721c9def2ba061fbc55d5dbab9d8c85");
    verify(&heard, buffer_view(&old), &block);
    expect_good(&heard);
    expect_id(heard.fields.location, "4e39aeedc66f90c41a6bce43df2752d9");
    heard_free(&heard);
}

/* Read, taken apart and put together again; and the part to be signed of the documented one, built for its
 * TLS key. */
static void certificates_are_built(void **state)
{
    (void)state;
    json_t *file = vectors_load("retroshare-0.6/link.json"), *item;
    const char *name;
    json_object_foreach(json_object_get(file, "nodes"), name, item)
    {
        const json_t *recorded = json_object_get(item, "certificate");
        struct buffer der = vectors_hex(recorded, "der"), tbs = vectors_hex(recorded, "tbs_der");
        struct buffer field = vectors_hex(recorded, "signature_field"), whole = buffer_make(4096);
        struct location_certificate read;
        assert_true(location_certificate_read(&read, buffer_view(&der), NULL));
        assert_bytes_equal(read.signed_data, buffer_view(&tbs));
        assert_bytes_equal(read.signature, buffer_view(&field));
        assert_true(location_certificate_write(&whole, buffer_view(&tbs), buffer_view(&field)));
        assert_bytes_equal(buffer_view(&whole), buffer_view(&der));
        struct buffer *all[] = {&der, &tbs, &field, &whole};
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            buffer_free(all[i]);
    }
    json_decref(file);

    struct location_certificate read;
    const uint8_t *at = buffer_view(&stock).data;
    X509 *certificate = d2i_X509(NULL, &at, (long)buffer_size(&stock));
    struct buffer made = buffer_make(4096);
    assert_true(location_certificate_read(&read, buffer_view(&stock), NULL));
    assert_true(location_tbs(&made, X509_get0_pubkey(certificate), key.id, NULL));
    assert_bytes_equal(buffer_view(&made), read.tbs);
    buffer_free(&made);
    X509_free(certificate);
}

/* Most changes are seen by the reading; those that are not must be seen by GnuPG. Ten bytes of the signature
 * packet are not signed (its unhashed area, a hint): a change there makes another location id, for which one
 * needs the TLS key. */
static void changed_bytes_are_refused(void **state)
{
    (void)state;
    struct buffer changed = buffer_make(4096);
    struct heard heard = {0};
    struct location_certificate read;
    size_t to_gnupg = 0;
    assert_true(location_certificate_read(&read, buffer_view(&stock), NULL));
    size_t unsigned_area = (size_t)(read.signature.data - buffer_view(&stock).data) + 40;
    buffer_append_bytes(&changed, buffer_view(&stock));
    for (size_t i = 0; i < buffer_size(&changed); i++) {
        if (i >= unsigned_area && i < unsigned_area + 10)
            continue;
        changed.memory[i] ^= 0x01;
        if (location_certificate_read(&read, buffer_view(&changed), NULL) && i % 23 == 0) {
            to_gnupg++;
            verify(&heard, buffer_view(&changed), &block);
            wait_for(&heard);
            if (heard.code != ERROR_DENIED && heard.code != ERROR_INVALID)
                fail_msg("byte %zu: %s", i, heard.code ? heard.reason : "taken");
            heard_free(&heard);
            heard = (struct heard){0};
        }
        changed.memory[i] ^= 0x01;
    }
    assert_true(to_gnupg > 10);
    for (size_t size = 0; size < buffer_size(&changed); size++)
        assert_false(location_certificate_read(&read, bytes_of(changed.memory, size), NULL));
    buffer_u8(&changed, 0);
    assert_false(location_certificate_read(&read, buffer_view(&changed), NULL));
    buffer_free(&changed);
}

/* A 6.0 id is the tail of the signature field; the field of a 7.1 certificate put under another serial keeps
 * nothing. */
static void other_keys_and_forms_are_refused(void **state)
{
    (void)state;
    struct heard heard = {0};
    json_t *file = vectors_load("retroshare-0.6/link.json");
    struct buffer other = vectors_hex(json_object_get(json_object_get(file, "nodes"), "A"), "pgp_public_key");
    json_decref(file);
    verify(&heard, buffer_view(&stock), &other);
    expect_failure(&heard, ERROR_DENIED, "not the one that was expected");
    struct openpgp_key other_key;
    assert_true(openpgp_key_parse(&other_key, buffer_view(&other), NULL));
    keyring_verify_location(keyring, buffer_view(&stock), buffer_view(&other), other_key.fingerprint, hear,
                            &heard);
    expect_failure(&heard, ERROR_DENIED, "another key as its issuer");

    /* The part of one certificate with the signature of the other; with two signatures; with something
     * appended. */
    struct location_certificate seven, six;
    assert_true(location_certificate_read(&seven, buffer_view(&stock), NULL));
    assert_true(location_certificate_read(&six, buffer_view(&old), NULL));
    struct buffer made = buffer_make(4096), signature = buffer_make(4096);
    assert_true(location_certificate_write(&made, seven.tbs, six.signature));
    verify(&heard, buffer_view(&made), &block);
    expect_failure(&heard, ERROR_DENIED, "does not fit");
    buffer_clear(&made);
    buffer_append_bytes(&signature, seven.signature);
    buffer_append_bytes(&signature, seven.signature);
    assert_true(location_certificate_write(&made, seven.tbs, buffer_view(&signature)));
    verify(&heard, buffer_view(&made), &block);
    expect_failure(&heard, ERROR_INVALID, "exactly one signature packet");
    buffer_clear(&made);
    buffer_clear(&signature);
    buffer_append_bytes(&signature, seven.signature);
    signature.memory[4] = 1; /* a signature over text */
    assert_true(location_certificate_write(&made, seven.tbs, buffer_view(&signature)));
    verify(&heard, buffer_view(&made), &block);
    expect_failure(&heard, ERROR_INVALID, "not one over a document");
    buffer_free(&made);
    buffer_free(&signature);
    buffer_free(&other);
}

static int load(void **state)
{
    block = buffer_make(4096);
    if (!openpgp_dearmor(&block, bytes_of_string(key_text), NULL) ||
        !openpgp_key_parse(&key, buffer_view(&block), NULL))
        return -1;
    stock = decoded(certificate_71);
    old = decoded(certificate_60);
    return open_keyring(state);
}

static int unload(void **state)
{
    buffer_free(&block);
    buffer_free(&stock);
    buffer_free(&old);
    return close_keyring(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documented_certificates),
        cmocka_unit_test(certificates_are_built),
        cmocka_unit_test(changed_bytes_are_refused),
        cmocka_unit_test(other_keys_and_forms_are_refused),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
