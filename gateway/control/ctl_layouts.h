/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_CONTROL_CTL_LAYOUTS_H
#define RETROGATE_CONTROL_CTL_LAYOUTS_H

#include "control/ctl_print.h"

/* What a person is shown of each kind of answer. */
extern const struct ctl_layout done_layout, status_layout, accounts_layout, account_layout,
    app_passwords_layout, app_password_layout, self_layout, friends_layout, friend_layout, tunnels_layout,
    attempts_layout, contacts_layout, contact_layout, invites_layout, invite_layout, conversations_layout,
    conversation_layout, routes_layout, said_layout, post_links_layout, post_link_layout,
    opened_post_link_layout;

#endif
