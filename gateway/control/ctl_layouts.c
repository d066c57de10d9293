/* SPDX-License-Identifier: ISC */
#include "control/ctl_layouts.h"

const struct ctl_layout done_layout = {.empty = "done"};

const struct ctl_layout status_layout = {.columns = {{"name", "name", SHOW_TEXT},
                                                     {"version", "version", SHOW_TEXT},
                                                     {"phase", "phase", SHOW_TEXT},
                                                     {"", "phase_text", SHOW_TEXT},
                                                     {"vault", "vault", SHOW_TEXT},
                                                     {"up for", "uptime_ms", SHOW_DURATION},
                                                     {"location", "location", SHOW_TEXT},
                                                     {"fingerprint", "fingerprint", SHOW_TEXT},
                                                     {"accounts", "accounts", SHOW_TEXT},
                                                     {"friends", "friends", SHOW_TEXT},
                                                     {"listening", "listening", SHOW_TEXT},
                                                     {"tunnels", "tunnels", SHOW_TEXT},
                                                     {"posts", "posts", SHOW_TEXT},
                                                     {"traffic", "traffic", SHOW_TEXT},
                                                     {"store", "store", SHOW_TEXT}}};

#define ACCOUNT_COLUMNS                                                                                      \
    {"name", "name", SHOW_TEXT}, {"fingerprint", "fingerprint", SHOW_TEXT},                                  \
        {"operator", "operator", SHOW_TEXT}, {"typing", "typing", SHOW_TEXT},                                \
        {"key ready", "key_ready", SHOW_TEXT},                                                               \
    {                                                                                                        \
        "created", "created", SHOW_TIME                                                                      \
    }
const struct ctl_layout accounts_layout = {
    .list = "accounts",
    .empty = "no account yet; make one with 'retrogatectl account add NAME'",
    .columns = {ACCOUNT_COLUMNS}};
const struct ctl_layout account_layout = {.columns = {ACCOUNT_COLUMNS,
                                                      {"posts of all", "posts.universal", SHOW_TEXT},
                                                      {"of strangers", "posts.strangers", SHOW_TEXT},
                                                      {"posts wait", "posts.wait", SHOW_SECONDS},
                                                      {"largest post", "posts.limit", SHOW_BYTES},
                                                      {"forwarded to", "posts.forward", SHOW_TEXT},
                                                      {"password", "password", SHOW_TEXT},
                                                      {"link", "link", SHOW_BLOCK},
                                                      {"key", "key", SHOW_BLOCK}}};

#define APP_PASSWORD_COLUMNS                                                                                 \
    {"id", "id", SHOW_TEXT}, {"label", "label", SHOW_TEXT}, {"scope", "scope", SHOW_TEXT},                   \
        {"unused at most", "idle", SHOW_SECONDS}, {"created", "created", SHOW_TIME},                         \
    {                                                                                                        \
        "last used", "last_used", SHOW_TIME                                                                  \
    }
const struct ctl_layout app_passwords_layout = {
    .list = "app_passwords", .empty = "no app passwords", .columns = {APP_PASSWORD_COLUMNS}};
const struct ctl_layout app_password_layout = {
    .columns = {APP_PASSWORD_COLUMNS, {"password", "password", SHOW_TEXT}}};

const struct ctl_layout self_layout = {.columns = {{"fingerprint", "fingerprint", SHOW_TEXT},
                                                   {"location", "location", SHOW_TEXT},
                                                   {"addresses", "addresses", SHOW_TEXT},
                                                   {"short invite", "short", SHOW_BLOCK},
                                                   {"certificate", "full", SHOW_BLOCK}}};
const struct ctl_layout friends_layout = {
    .list = "friends",
    .empty =
        "no friends yet; exchange 'retrogatectl friend self' with somebody and 'retrogatectl friend add'",
    .columns = {{"name", "name", SHOW_TEXT},
                {"location", "location", SHOW_TEXT},
                {"state", "state", SHOW_TEXT},
                {"reason", "reason", SHOW_TEXT},
                {"rtt", "rtt_us", SHOW_MICROSECONDS},
                {"last seen", "last_seen", SHOW_TIME}}};
const struct ctl_layout friend_layout = {.columns = {{"name", "name", SHOW_TEXT},
                                                     {"location", "location", SHOW_TEXT},
                                                     {"fingerprint", "fingerprint", SHOW_TEXT},
                                                     {"state", "state", SHOW_TEXT},
                                                     {"reason", "reason", SHOW_TEXT},
                                                     {"verified", "verified", SHOW_TEXT},
                                                     {"addresses", "addresses", SHOW_TEXT},
                                                     {"connected to", "address", SHOW_TEXT},
                                                     {"since", "since", SHOW_TIME},
                                                     {"last seen", "last_seen", SHOW_TIME},
                                                     {"next try", "next_try", SHOW_TIME},
                                                     {"rtt", "rtt_us", SHOW_MICROSECONDS},
                                                     {"received", "bytes_in", SHOW_BYTES},
                                                     {"sent", "bytes_out", SHOW_BYTES},
                                                     {"added", "added", SHOW_TIME}}};
const struct ctl_layout tunnels_layout = {.list = "tunnels",
                                          .empty = "no tunnels",
                                          .columns = {{"we are", "role", SHOW_TEXT},
                                                      {"towards the seeker", "towards_initiator", SHOW_TEXT},
                                                      {"towards the sought", "towards_endpoint", SHOW_TEXT},
                                                      {"carried", "bytes", SHOW_BYTES},
                                                      {"idle", "idle_ms", SHOW_DURATION},
                                                      {"age", "age_ms", SHOW_DURATION}}};
const struct ctl_layout attempts_layout = {.list = "attempts",
                                           .empty = "nobody unknown has tried to connect",
                                           .columns = {{"location", "location", SHOW_TEXT},
                                                       {"issuer", "issuer", SHOW_TEXT},
                                                       {"address", "address", SHOW_TEXT},
                                                       {"reason", "reason", SHOW_TEXT},
                                                       {"count", "count", SHOW_TEXT},
                                                       {"last", "last", SHOW_TIME}}};

#define CONTACT_COLUMNS                                                                                      \
    {"handle", "handle", SHOW_TEXT}, {"name", "name", SHOW_TEXT}, {"fingerprint", "fingerprint", SHOW_TEXT}, \
        {"presence", "presence", SHOW_TEXT},                                                                 \
    {                                                                                                        \
        "conversation", "conversation", SHOW_TEXT                                                            \
    }
const struct ctl_layout contacts_layout = {.list = "contacts",
                                           .empty =
                                               "no contacts yet; add one with 'retrogatectl contact add KEY'",
                                           .columns = {CONTACT_COLUMNS}};
const struct ctl_layout contact_layout = {
    .columns = {CONTACT_COLUMNS, {"added", "created", SHOW_TIME}, {"key", "key", SHOW_BLOCK}}};

const struct ctl_layout invites_layout = {.list = "invites",
                                          .empty =
                                              "no invites; make one with 'retrogatectl invite new CONTACT'",
                                          .columns = {{"id", "id", SHOW_TEXT},
                                                      {"contact", "handle", SHOW_TEXT},
                                                      {"ours", "own", SHOW_TEXT},
                                                      {"state", "state", SHOW_TEXT},
                                                      {"protection", "protection", SHOW_TEXT},
                                                      {"uses left", "uses_left", SHOW_UNLIMITED},
                                                      {"expires", "expires", SHOW_TIME}}};
const struct ctl_layout invite_layout = {.columns = {{"id", "id", SHOW_TEXT},
                                                     {"contact", "handle", SHOW_TEXT},
                                                     {"state", "state", SHOW_TEXT},
                                                     {"protection", "protection", SHOW_TEXT},
                                                     {"uses left", "uses_left", SHOW_UNLIMITED},
                                                     {"expires", "expires", SHOW_TIME},
                                                     {"link", "link", SHOW_BLOCK}}};

const struct ctl_layout conversations_layout = {
    .list = "conversations",
    .empty = "no conversations yet; make an invite for a contact, or open one",
    .columns = {{"handle", "handle", SHOW_TEXT},
                {"state", "state", SHOW_TEXT},
                {"reason", "reason", SHOW_TEXT},
                {"since", "since", SHOW_TIME},
                {"protection", "protection", SHOW_TEXT},
                {"unread", "unread", SHOW_TEXT},
                {"queued", "queued", SHOW_TEXT}}};
#define CONVERSATION_COLUMNS                                                                                 \
    {"id", "id", SHOW_TEXT}, {"handle", "handle", SHOW_TEXT}, {"name", "name", SHOW_TEXT},                   \
        {"fingerprint", "fingerprint", SHOW_TEXT}, {"state", "state", SHOW_TEXT},                            \
        {"reason", "reason", SHOW_TEXT}, {"since", "since", SHOW_TIME},                                      \
        {"protection", "protection", SHOW_TEXT}, {"", "protection_text", SHOW_TEXT},                         \
        {"sealed once", "sealed", SHOW_TEXT}, {"unread", "unread", SHOW_TEXT},                               \
    {                                                                                                        \
        "queued", "queued", SHOW_TEXT                                                                        \
    }
const struct ctl_layout conversation_layout = {.columns = {CONVERSATION_COLUMNS,
                                                           {"explanation", "explanation", SHOW_BLOCK},
                                                           {"warnings", "warnings", SHOW_BLOCK}}};
const struct ctl_layout routes_layout = {.list = "routes",
                                         .empty = "no routes",
                                         .columns = {{"route", "id", SHOW_TEXT},
                                                     {"kind", "kind", SHOW_TEXT},
                                                     {"we are", "role", SHOW_TEXT},
                                                     {"confirmed", "confirmed", SHOW_TEXT},
                                                     {"made", "created", SHOW_TIME},
                                                     {"used", "last_used", SHOW_TIME},
                                                     {"known to", "hash_known_to", SHOW_TEXT}}};

const struct ctl_layout said_layout = {.columns = {{"line", "seq", SHOW_TEXT}}};

#define POST_LINK_COLUMNS                                                                                    \
    {"id", "id", SHOW_TEXT}, {"state", "state", SHOW_TEXT},                                                  \
    {                                                                                                        \
        "expires", "expires", SHOW_TIME                                                                      \
    }
const struct ctl_layout post_links_layout = {.list = "links",
                                             .empty = "no links; make one with 'retrogatectl post link new'",
                                             .columns = {POST_LINK_COLUMNS}};
const struct ctl_layout post_link_layout = {.columns = {POST_LINK_COLUMNS, {"link", "link", SHOW_BLOCK}}};
const struct ctl_layout opened_post_link_layout = {.columns = {{"contact", "contact.handle", SHOW_TEXT},
                                                               {"address", "contact.address", SHOW_TEXT},
                                                               {"subject", "subject", SHOW_TEXT},
                                                               {"warnings", "warnings", SHOW_BLOCK}}};
