/* SPDX-License-Identifier: ISC */
#include "entry.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fields.h"
#include "wire/radix64.h"

enum {
    HOST_MAX = 253, /* a name of the DNS, RFC 1035 */
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
    TOKEN_BYTES = 32,
};

void entry_cookie_name(char out[ENTRY_COOKIE_NAME_SIZE], const struct place *place)
{
    snprintf(out, ENTRY_COOKIE_NAME_SIZE, "%sretrogate-%u", place->secure ? "__Host-" : "",
             place->port % 65536);
}

/* The value of the cookie: base64url of the account, a dot, base64url of the password. */
bool entry_cookie_write(struct buffer *out, const struct place *place, const struct entry *entry,
                        unsigned keep_s)
{
    char name[ENTRY_COOKIE_NAME_SIZE];
    bool removes = entry->password[0] == '\0';
    entry_cookie_name(name, place);
    buffer_printf(out, "%s=", name);
    if (!removes) {
        base64url_encode(out, bytes_of_string(entry->account));
        buffer_append_string(out, ".");
        base64url_encode(out, bytes_of_string(entry->password));
    }
    buffer_append_string(out, "; Path=/; HttpOnly; SameSite=Strict");
    if (place->secure)
        buffer_append_string(out, "; Secure");
    if (removes)
        buffer_append_string(out, "; Max-Age=0");
    else if (keep_s > 0)
        buffer_printf(out, "; Max-Age=%u", keep_s);
    return !out->failed;
}

/* A text of 1 to size - 1 bytes without control characters. */
static bool read_part(char *out, size_t size, struct bytes coded)
{
    struct buffer plain = buffer_make(size - 1);
    plain.secret = true;
    bool good = base64url_decode(&plain, coded) && buffer_size(&plain) > 0;
    struct bytes view = buffer_view(&plain);
    for (size_t i = 0; good && i < view.size; i++)
        good = view.data[i] >= ' ' && view.data[i] != 0x7f;
    if (good) {
        memcpy(out, view.data, view.size);
        out[view.size] = '\0';
    }
    buffer_free(&plain);
    return good;
}

bool entry_cookie_read(struct entry *entry, const struct place *place, struct bytes cookies)
{
    char name[ENTRY_COOKIE_NAME_SIZE];
    struct bytes value = {NULL, 0};
    unsigned found = 0;
    entry_cookie_name(name, place);
    while (cookies.size > 0) {
        struct bytes rest = fields_cut(&cookies, ';');
        struct bytes key = fields_cut(&rest, '=');
        if (!bytes_equal(key, bytes_of_string(name)))
            continue;
        value = rest;
        found++;
    }
    /* Two of them: somebody planted one. */
    struct bytes account = fields_cut(&value, '.');
    bool good = found == 1 && read_part(entry->account, sizeof entry->account, account) &&
                read_part(entry->password, sizeof entry->password, value);
    if (!good)
        OPENSSL_cleanse(entry, sizeof *entry);
    return good;
}

void entry_token(char out[ENTRY_TOKEN_SIZE], const struct entry *entry)
{
    static const char purpose[] = "retrogate web page 1";
    uint8_t mac[EVP_MAX_MD_SIZE] = {0};
    unsigned size = 0;
    if (HMAC(EVP_sha256(), entry->password, (int)strlen(entry->password), (const uint8_t *)purpose,
             sizeof purpose - 1, mac, &size) == NULL ||
        size != TOKEN_BYTES)
        out[0] = '\0'; /* which no token equals */
    else
        hex_lower(out, mac, TOKEN_BYTES);
    OPENSSL_cleanse(mac, sizeof mac);
}

bool entry_token_right(struct bytes token, const struct entry *entry)
{
    char right[ENTRY_TOKEN_SIZE];
    entry_token(right, entry);
    bool same = right[0] != '\0' && bytes_equal_secret(token, bytes_of(right, sizeof right - 1));
    OPENSSL_cleanse(right, sizeof right);
    return same;
}

/* What a Host field says, or an origin behind its scheme. */
struct authority {
    char host[HOST_MAX + 3]; /* as it is written, with the brackets of an IPv6 address; zero at the end */
    unsigned port;           /* 0: none was given */
};

static bool read_port(unsigned *port, struct bytes digits)
{
    *port = 0;
    if (digits.size == 0 || digits.size > 5)
        return false;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        *port = *port * 10 + (unsigned)(digits.data[i] - '0');
    }
    return *port >= 1 && *port <= 65535;
}

static bool is_host_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static bool is_v6_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

/* Only letters, digits and "-._", or an IPv6 address in brackets, and a port: so it may be shown again. */
static bool read_authority(struct authority *out, struct bytes text)
{
    size_t size = 0;
    if (text.size > 0 && text.data[0] == '[') {
        for (size = 1; size < text.size && is_v6_byte(text.data[size]); size++)
            continue;
        if (size == text.size || text.data[size++] != ']')
            return false;
    } else {
        while (size < text.size && is_host_byte(text.data[size]))
            size++;
    }
    if (size == 0 || size >= sizeof out->host)
        return false;
    memcpy(out->host, text.data, size);
    out->host[size] = '\0';
    out->port = 0;
    return size == text.size || (text.data[size] == ':' &&
                                 read_port(&out->port, bytes_of(text.data + size + 1, text.size - size - 1)));
}

static bool is_address(const char *host)
{
    struct in6_addr address;
    char inner[INET6_ADDRSTRLEN];
    size_t size = strlen(host);
    if (host[0] != '[')
        return inet_pton(AF_INET, host, &address) == 1;
    if (size - 2 >= sizeof inner)
        return false;
    memcpy(inner, host + 1, size - 2);
    inner[size - 2] = '\0';
    return inet_pton(AF_INET6, inner, &address) == 1;
}

/* Without regard to case and to the dot that ends a full name. */
static bool same_name(const char *a, const char *b)
{
    size_t size_a = strlen(a), size_b = strlen(b);
    size_a -= size_a > 1 && a[size_a - 1] == '.';
    size_b -= size_b > 1 && b[size_b - 1] == '.';
    return size_a == size_b && strncasecmp(a, b, size_a) == 0;
}

bool entry_host_known(const struct site *site, struct bytes host)
{
    struct authority read;
    if (!read_authority(&read, host))
        return false;
    if (is_address(read.host) || same_name(read.host, "localhost"))
        return true;
    for (size_t i = 0; i < site->name_count; i++) {
        if (same_name(read.host, site->names[i]))
            return true;
    }
    return false;
}

static bool starts_with(struct bytes text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && strncasecmp((const char *)text.data, prefix, size) == 0;
}

static bool same_at(const char *scheme, unsigned usual_port, struct bytes origin, struct bytes host)
{
    struct authority from, here;
    size_t skip = strlen(scheme);
    return starts_with(origin, scheme) &&
           read_authority(&from, bytes_of(origin.data + skip, origin.size - skip)) &&
           read_authority(&here, host) &&
           (from.port != 0 ? from.port : usual_port) == (here.port != 0 ? here.port : usual_port) &&
           strcasecmp(from.host, here.host) == 0;
}

bool entry_origin_same(struct bytes origin, struct bytes host, bool secure)
{
    return same_at("https://", PORT_HTTPS, origin, host) ||
           (!secure && same_at("http://", PORT_HTTP, origin, host));
}

bool entry_origin_may_irc(const struct site *site, struct bytes origin, struct bytes host, bool secure)
{
    if (origin.size == 0 || entry_origin_same(origin, host, secure))
        return true;
    for (size_t i = 0; i < site->origin_count; i++) {
        const char *allowed = site->origins[i];
        if (strcmp(allowed, "*") == 0 || (origin.size == strlen(allowed) && origin.size > 0 &&
                                          strncasecmp((const char *)origin.data, allowed, origin.size) == 0))
            return true;
    }
    return false;
}
