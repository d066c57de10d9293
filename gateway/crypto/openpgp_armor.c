/* SPDX-License-Identifier: ISC */
#include "crypto/openpgp.h"
#include "crypto/openpgp_packet.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

enum { TEXT_SIZE_MAX = 128 * 1024, LINE_CHARACTERS = 64, LINE_BYTES = 48 };

static const char PUBLIC_TITLE[] = "PGP PUBLIC KEY BLOCK", SECRET_TITLE[] = "PGP PRIVATE KEY BLOCK";

/* RFC 4880 §6.1. wire/certificate.h has the same function, but that room lies beside this one. */
static uint32_t checksum(struct bytes data)
{
    uint32_t crc = 0xb704ce;
    for (size_t i = 0; i < data.size; i++) {
        crc ^= (uint32_t)data.data[i] << 16;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc & 0x800000 ? crc << 1 ^ 0x1864cfb : crc << 1;
    }
    return crc & 0xffffff;
}

/* Takes the next line, without its end and the white space there. */
static bool next_line(struct bytes *text, struct bytes *line)
{
    if (text->size == 0)
        return false;
    const uint8_t *end = memchr(text->data, '\n', text->size);
    size_t size = end ? (size_t)(end - text->data) : text->size;
    *line = bytes_of(text->data, size);
    size_t used = end ? size + 1 : size;
    *text = bytes_of(text->data + used, text->size - used);
    while (line->size > 0 && memchr(" \t\r", line->data[line->size - 1], 3))
        line->size--;
    return true;
}

static bool is_marker(struct bytes line, const char *word, const char *title)
{
    char marker[48];
    size_t word_size = strlen(word), title_size = strlen(title), size = word_size + title_size + 5;
    memcpy(marker, word, word_size);
    memcpy(marker + word_size, title, title_size);
    memcpy(marker + word_size + title_size, "-----", 5);
    return bytes_equal(line, bytes_of(marker, size));
}

static bool find_begin(struct bytes *text, const char *title)
{
    struct bytes line;
    while (next_line(text, &line))
        if (is_marker(line, "-----BEGIN ", title))
            return true;
    return false;
}

/* Whole groups of four characters, '=' only at the very end. */
static bool decode_base64(struct buffer *out, struct bytes text)
{
    size_t padding = 0;
    while (padding < 2 && text.size > padding && text.data[text.size - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.size - padding; i++)
        if (!memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", text.data[i], 64))
            return false;
    if (text.size % 4 != 0)
        return false;
    uint8_t *into = buffer_reserve(out, text.size / 4 * 3);
    if (!into || (text.size > 0 && EVP_DecodeBlock(into, text.data, (int)text.size) < 0))
        return false;
    buffer_commit(out, text.size / 4 * 3 - padding);
    return true;
}

/* Gathers the base64 characters up to the END line; a line "=XXXX" is the checksum, lines "Key: value" before
 * an empty line are headers. */
static bool gather(struct buffer *base64, struct buffer *crc, struct bytes text, const char *title)
{
    struct bytes line;
    bool in_headers = true;
    while (next_line(&text, &line)) {
        if (is_marker(line, "-----END ", title))
            return true;
        if (in_headers && (line.size == 0 || memchr(line.data, ':', line.size))) {
            in_headers = line.size > 0;
            continue;
        }
        in_headers = false;
        if (line.size == 0)
            continue;
        if (buffer_size(crc) > 0)
            return false;
        if (line.size == 5 && line.data[0] == '=') {
            if (!decode_base64(crc, bytes_of(line.data + 1, 4)))
                return false;
        } else if (!buffer_append_bytes(base64, line)) {
            return false;
        }
    }
    return false;
}

static bool dearmor(struct buffer *out, struct bytes text, const char *title, struct error **error)
{
    struct buffer base64 = buffer_make(text.size), crc = buffer_make(3);
    base64.secret = out->secret;
    size_t before = buffer_size(out);
    bool good = gather(&base64, &crc, text, title) && decode_base64(out, buffer_view(&base64));
    if (!good)
        error_set(error, ERROR_INVALID, "the armoured key block is damaged or cut");
    if (good && buffer_size(&crc) == 3) {
        struct bytes view = buffer_view(out);
        struct reader reader = reader_of(buffer_view(&crc));
        uint32_t expected = (uint32_t)read_u8(&reader) << 16;
        expected |= read_u16(&reader);
        if (checksum(bytes_of(view.data + before, view.size - before)) != expected)
            good = error_set(error, ERROR_INVALID, "the armoured key block's checksum is wrong");
    }
    if (!good)
        out->end -= buffer_size(out) - before;
    buffer_free(&base64);
    buffer_free(&crc);
    return good;
}

static uint8_t first_tag(struct bytes data)
{
    struct reader reader = reader_of(data);
    struct packet packet;
    return packet_read(&reader, &packet) ? packet.tag : 0;
}

static bool is_binary(struct bytes text)
{
    return text.size > 0 && text.data[0] & 0x80;
}

bool openpgp_dearmor(struct buffer *out, struct bytes text, struct error **error)
{
    if (text.size > TEXT_SIZE_MAX)
        return error_set(error, ERROR_LIMIT, "the key text is larger than %d bytes", TEXT_SIZE_MAX);
    struct bytes rest = text;
    if (!is_binary(text) && find_begin(&rest, SECRET_TITLE))
        return error_set(error, ERROR_INVALID, "this is a secret key; hand over the public one");
    rest = text;
    size_t before = buffer_size(out);
    if (is_binary(text)) {
        if (!buffer_append_bytes(out, text))
            return error_set(error, ERROR_LIMIT, "no room for the key block");
    } else if (!find_begin(&rest, PUBLIC_TITLE)) {
        return error_set(error, ERROR_INVALID, "there is no public key block in the text");
    } else if (!dearmor(out, rest, PUBLIC_TITLE, error)) {
        return false;
    }
    struct bytes view = buffer_view(out);
    uint8_t tag = first_tag(bytes_of(view.data + before, view.size - before));
    if (tag == TAG_PUBLIC_KEY)
        return true;
    out->end -= buffer_size(out) - before;
    if (tag == TAG_SECRET_KEY)
        return error_set(error, ERROR_INVALID, "this is a secret key; hand over the public one");
    return error_set(error, ERROR_INVALID, "the block does not begin with a public key");
}

bool openpgp_dearmor_secret(struct buffer *out, struct bytes text, struct error **error)
{
    if (text.size > TEXT_SIZE_MAX)
        return error_set(error, ERROR_LIMIT, "the key text is larger than %d bytes", TEXT_SIZE_MAX);
    if (is_binary(text)) {
        if (first_tag(text) != TAG_SECRET_KEY)
            return error_set(error, ERROR_INVALID, "the block does not begin with a secret key");
        if (!buffer_append_bytes(out, text))
            return error_set(error, ERROR_LIMIT, "no room for the key block");
        return true;
    }
    struct bytes rest = text;
    if (!find_begin(&rest, SECRET_TITLE))
        return error_set(error, ERROR_INVALID, "there is no secret key block in the text");
    return dearmor(out, rest, SECRET_TITLE, error);
}

bool openpgp_armor_key(struct buffer *out, struct bytes block)
{
    uint32_t crc = checksum(block);
    const uint8_t end[3] = {(uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc};
    uint8_t line[LINE_CHARACTERS + 1];
    buffer_append_string(out, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n");
    while (block.size > 0) {
        size_t take = block.size < LINE_BYTES ? block.size : LINE_BYTES;
        buffer_append(out, line, (size_t)EVP_EncodeBlock(line, block.data, (int)take));
        buffer_u8(out, '\n');
        block = bytes_of(block.data + take, block.size - take);
    }
    EVP_EncodeBlock(line, end, sizeof(end));
    buffer_u8(out, '=');
    buffer_append(out, line, 4);
    return buffer_append_string(out, "\n-----END PGP PUBLIC KEY BLOCK-----\n");
}
