/* SPDX-License-Identifier: ISC */
#include "core/account_posts.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "core/commands.h"
#include "core/text.h"

static const int64_t WAIT_LEAST = 3600, WAIT_MOST = INT64_C(60) * 86400; /* seconds */
enum { LIMIT_LEAST = 64 << 10, STRANGERS_MOST = 1000, ADDRESS_LIMIT = 254 /* RFC 5321 §4.5.3.1.3 */ };

/* An address of the mail outside, as far as it can be told here; "" is none. */
static bool address_fits(const char *address)
{
    size_t size = strlen(address), local = strcspn(address, "@");
    if (size == 0)
        return true;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)address[i] <= ' ' || address[i] == 0x7f ||
            strchr("<>()[],;:\\\"", address[i]) != NULL)
            return false;
    }
    return size <= ADDRESS_LIMIT && local > 0 && local + 1 < size && strchr(address + local + 1, '@') == NULL;
}

bool post_settings_fit(const struct post_settings *settings, struct error **error)
{
    if (settings->wait < WAIT_LEAST || settings->wait > WAIT_MOST)
        return error_set(error, ERROR_INVALID, "wait: an hour (3600) to 60 days (%lld), in seconds",
                         (long long)WAIT_MOST);
    if (settings->limit < LIMIT_LEAST || settings->limit > POST_CONTENT_LIMIT)
        return error_set(error, ERROR_INVALID, "limit: %d to %d bytes", LIMIT_LEAST, POST_CONTENT_LIMIT);
    if (settings->strangers > STRANGERS_MOST)
        return error_set(error, ERROR_INVALID, "strangers: 0 (none) to %d posts a day", STRANGERS_MOST);
    return address_fits(settings->forward) ||
           error_set(error, ERROR_INVALID, "forward: an address like name@example.org, or \"\" for none");
}

static bool take_forward(struct post_settings *settings, const struct call *call, struct error **error)
{
    const struct gateway *gateway = call->gateway;
    const char *address = arg_text(call, "forward"), *domain = strchr(address, '@');
    if (address[0] != '\0' && gateway->mail_forward[0] == '\0')
        return error_set(error, ERROR_UNAVAILABLE,
                         "this gateway has no server to forward through; its operator sets mail.forward in "
                         "retrogate.conf");
    if (strlen(address) >= sizeof settings->forward)
        return error_set(error, ERROR_INVALID, "forward: at most %d bytes", ADDRESS_LIMIT);
    if (domain != NULL && strcasecmp(domain + 1, gateway->mail_domain) == 0)
        return error_set(error, ERROR_INVALID,
                         "forward: an address of this gateway would come back; give one of another server");
    text_copy(settings->forward, sizeof settings->forward, address);
    return true;
}

bool post_settings_take(struct post_settings *settings, const struct call *call, struct error **error)
{
    if (arg_has(call, "universal"))
        settings->universal = arg_true(call, "universal");
    settings->wait = arg_int(call, "wait", settings->wait);
    settings->limit = arg_int(call, "limit", settings->limit);
    int64_t strangers = arg_int(call, "strangers", settings->strangers);
    settings->strangers = strangers < 0 || strangers > STRANGERS_MOST ? UINT_MAX : (unsigned)strangers;
    return (!arg_has(call, "forward") || take_forward(settings, call, error)) &&
           post_settings_fit(settings, error);
}

json_t *json_of_post_settings(const struct account *account)
{
    const struct gateway *gateway = account->gateway;
    const struct post_settings *settings = &account->posts.settings;
    char maildir[sizeof gateway->mail_maildir + HANDLE_SIZE] = "", forwarding[640] = "";
    if (gateway->mail_maildir[0] != '\0')
        snprintf(maildir, sizeof maildir, "%s/%s", gateway->mail_maildir, account->name);
    if (settings->forward[0] != '\0' && gateway->mail_forward[0] != '\0')
        snprintf(forwarding, sizeof forwarding,
                 "posts received are sent on, decrypted, to %s through the mail server %s", settings->forward,
                 gateway->mail_forward);
    else if (settings->forward[0] != '\0')
        snprintf(forwarding, sizeof forwarding,
                 "nothing is sent on: this gateway has no server to forward through (mail.forward)");
    return json_pack("{s:b,s:I,s:I,s:I,s:s,s:s,s:s}", "universal", settings->universal, "wait",
                     (json_int_t)settings->wait, "limit", (json_int_t)settings->limit, "strangers",
                     (json_int_t)settings->strangers, "forward", settings->forward, "forwarding", forwarding,
                     "maildir", maildir);
}
