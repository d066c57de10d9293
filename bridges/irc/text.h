/* SPDX-License-Identifier: ISC */
#ifndef RETROGATE_IRC_TEXT_H
#define RETROGATE_IRC_TEXT_H

#include "base/bytes.h"

/* Texts of people on their way into and out of IRC lines. mIRC formatting (bold, colours, ...) is not carried
 * in either direction: to a distant client it would be noise, and from one it could imitate what the server
 * says. */

/* Cleans a text in place: control characters (C0, DEL, C1) go, but line feeds and tabs stay; CR LF and CR are
 * one line feed. The result is valid UTF-8 when the text was. */
void text_clean(char *text);

/* Takes mIRC formatting codes with their arguments out of what a client sent, and then cleans it. */
void text_strip(char *text);

/* One display line of at most size - 1 bytes: cleaned, line feeds and tabs as spaces, never beginning with a
 * space or colon, "*" when nothing is left. */
void text_label(char *out, size_t size, const char *text);

/* Takes the next piece of at most `room` bytes (at least 4) from the front of *rest: it ends at a line feed
 * (which is passed over, as are empty lines), or behind a space, or between code points. False when nothing
 * is left. */
bool text_piece(struct bytes *rest, size_t room, struct bytes *piece);

/* "\1ACTION waves\1" <-> "/me waves". text_from_ctcp() works in place. */
enum ctcp { CTCP_NONE, CTCP_ACTION, CTCP_OTHER };
enum ctcp text_from_ctcp(char *text, char **body);
bool text_is_action(const char *text, const char **body);

/* "2026-11-23T14:29:39.123Z" of Unix milliseconds. */
enum { TEXT_TIME_SIZE = 32 };
void text_time(char out[TEXT_TIME_SIZE], int64_t wall_ms);
/* The same back: exactly this form, a time that exists. */
bool text_time_parse(const char *text, int64_t *wall_ms);
/* "[14:29] ", local time. */
void text_clock(char out[TEXT_TIME_SIZE], int64_t wall_ms);

#endif
