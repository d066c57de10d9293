/* SPDX-License-Identifier: ISC */
#include "wire/host.h"

#include <arpa/inet.h>
#include <string.h>

bool host_copy(char *out, size_t size, struct bytes text)
{
    out[0] = '\0';
    if (text.size >= size)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    }
    if (text.size > 0)
        memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

bool host_port_split(struct bytes *host, uint16_t *port, struct bytes text)
{
    const uint8_t *colon = text.size > 0 ? memrchr(text.data, ':', text.size) : NULL;
    if (colon == NULL || colon == text.data)
        return false;
    *host = bytes_of(text.data, (size_t)(colon - text.data));
    size_t digits = text.size - host->size - 1;
    if (digits == 0 || digits > 5 || colon[1] == '0')
        return false;
    uint32_t value = 0;
    for (size_t i = 1; i <= digits; i++) {
        if (colon[i] < '0' || colon[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(colon[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

static const struct locator_form {
    uint8_t family;
    int kind;
    const char *scheme, *open, *close;
} forms[] = {
    {4, AF_INET, "ipv4://", "", ""},
    {6, AF_INET6, "ipv6://", "[", "]"},
};

static bool cut_prefix(struct bytes *text, const char *prefix)
{
    size_t size = strlen(prefix);
    if (text->size < size || memcmp(text->data, prefix, size) != 0)
        return false;
    text->data += size;
    text->size -= size;
    return true;
}

static bool cut_suffix(struct bytes *text, const char *suffix)
{
    size_t size = strlen(suffix);
    if (text->size < size || memcmp(text->data + text->size - size, suffix, size) != 0)
        return false;
    text->size -= size;
    return true;
}

bool locator_parse(struct ip_address *out, struct bytes text)
{
    *out = (struct ip_address){.family = 0};
    if (text.size == 0)
        return false;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const struct locator_form *form = &forms[i];
        struct bytes rest = text, host;
        struct ip_address address = {.family = form->family};
        char name[INET6_ADDRSTRLEN];
        if (cut_prefix(&rest, form->scheme) && host_port_split(&host, &address.port, rest) &&
            cut_prefix(&host, form->open) && cut_suffix(&host, form->close) &&
            host_copy(name, sizeof(name), host) && inet_pton(form->kind, name, address.bytes) == 1) {
            *out = address;
            return true;
        }
    }
    return false;
}

bool locator_write(struct buffer *out, const struct ip_address *address)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const struct locator_form *form = &forms[i];
        char name[INET6_ADDRSTRLEN];
        if (address->family == form->family &&
            inet_ntop(form->kind, address->bytes, name, sizeof(name)) != NULL)
            return buffer_printf(out, "%s%s%s%s:%u", form->scheme, form->open, name, form->close,
                                 address->port);
    }
    return false;
}
